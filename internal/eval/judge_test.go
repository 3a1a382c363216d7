package eval_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/heldout"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// counted counts how often each user is scored.
type counted struct {
	eval.Scorer
	scored []int
}

func (c *counted) Scores(users []int32, dst *tensor.Matrix) error {
	for _, u := range users {
		c.scored[u]++
	}
	return c.Scorer.Scores(users, dst)
}

func drawn() *modeltest.Data {
	return modeltest.Make(modeltest.Shape{Users: 60, Items: 90, Train: 400, Width: 8, Tastes: 4}, 3)
}

func rankBy(t *testing.T, j *eval.Judge, s eval.Scorer) *eval.Judged {
	t.Helper()
	judged, err := j.Rank(t.Context(), eval.Contender{Name: "one", Scorer: s})
	if err != nil {
		t.Fatal(err)
	}
	return judged[0]
}

// One ranking answers every question, with what the parts of this package say when they
// are called one by one.
func TestJudgeRanksOnce(t *testing.T) {
	data := drawn()
	ds := data.Dataset
	s := &counted{eval.DotScorer(data.Inputs.Preferences, data.Inputs.ItemVectors[model.Text]), make([]int, ds.Users())}
	judged := rankBy(t, eval.NewJudge(ds), s)
	train := ds.TrainHistories().Lists()
	r, err := eval.Rank(t.Context(), s.Scorer, train, nil, 50)
	if err != nil {
		t.Fatal(err)
	}
	opt := eval.Options{}.WithTrain(train)
	for _, label := range []dataset.Label{dataset.Valid, dataset.Test} {
		relevant := heldout.Lists(ds, label)
		if got, want := judged.Metrics(label), eval.Metrics(r, relevant, opt).Values; !maps.Equal(got, want) {
			t.Errorf("%s metrics %v, want %v", label, got, want)
		}
		if got, want := judged.PerUser(label), eval.PerUser(r, relevant, opt); !reflect.DeepEqual(got, want) {
			t.Errorf("%s metrics by user differ", label)
		}
	}
	if got, want := judged.Slices(), eval.Slices(r, heldout.Lists(ds, dataset.Test), train, opt); len(got) == 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("slices %+v, want %+v", got, want)
	}
	if low, high := slices.Min(s.scored), slices.Max(s.scored); low != 1 || high != 1 {
		t.Errorf("users were scored %d to %d times, want once", low, high)
	}
}

// The trainer's measurement looks at fewer users and comes to the same accuracy.
func TestJudgeMeasuresLikeTheFullRanking(t *testing.T) {
	data := drawn()
	rows := labelledtest.Rows(data.Dataset)
	for i := range rows { // some users have nothing held out
		if rows[i].User%3 == 0 {
			rows[i].Label = dataset.Train
		}
	}
	judge := eval.NewJudge(labelledtest.With(data.Dataset, rows))
	users, items := data.Inputs.Preferences, data.Inputs.ItemVectors[model.Text]
	judged := rankBy(t, judge, eval.DotScorer(users, items))
	for _, label := range []dataset.Label{dataset.Valid, dataset.Test} {
		got, err := judge.Measure(t.Context(), users, items, label)
		if err != nil || got["recall@20"] == 0 {
			t.Fatalf("%s: %v, %v", label, got, err)
		}
		full := judged.Metrics(label)
		for key, v := range got {
			if full[key] != v {
				t.Errorf("%s %s is %v, in the full ranking %v", label, key, v, full[key])
			}
		}
	}
}

func TestJudgeWithoutHeldOutItems(t *testing.T) {
	data := drawn()
	rows := labelledtest.Rows(data.Dataset)
	for i := range rows {
		if rows[i].Label == dataset.Valid {
			rows[i].Label = dataset.Train
		}
	}
	ds := labelledtest.With(data.Dataset, rows)
	judge := eval.NewJudge(ds)
	if m, err := judge.Measure(t.Context(), data.Inputs.Preferences, data.Inputs.ItemVectors[model.Text], dataset.Valid); m != nil || err != nil {
		t.Errorf("nothing to measure on gives %v, %v", m, err)
	}
	err := judge.CheckTraining(ds.TrainHistories())
	if _, user := usererr.Hint(err); !user || !strings.Contains(err.Error(), `no interaction is labelled validation, so no epoch can be chosen (split "leave-latest")`) {
		t.Errorf("without validation interactions: %v", err)
	}
	if judge.HasValidation() || !eval.NewJudge(data.Dataset).HasValidation() {
		t.Error("the judge does not know whether there are validation interactions")
	}
	if err := judge.CheckTraining(data.Dataset.TrainHistories()); err == nil || !strings.Contains(err.Error(), "another split") {
		t.Errorf("histories of another split: %v", err)
	}
	if err := eval.NewJudge(data.Dataset).CheckTraining(data.Dataset.TrainHistories()); err != nil {
		t.Errorf("histories of the same split: %v", err)
	}
}

func TestHeldOutItemsAreInTimeOrder(t *testing.T) {
	data := drawn()
	judge, want := eval.NewJudge(data.Dataset), map[int32][]int32{}
	for _, x := range labelledtest.Rows(data.Dataset) {
		if x.Label != dataset.Train {
			want[x.User] = append(want[x.User], x.Item)
		}
	}
	descending := false
	for u := range data.Dataset.Users() {
		got := judge.HeldOutItems(u)
		if !slices.Equal(got, want[int32(u)]) {
			t.Errorf("user %d: %v, want %v", u, got, want[int32(u)])
		}
		descending = descending || got[0] > got[1]
	}
	if !descending {
		t.Error("every user's items happen to ascend, so the test cannot tell time order from item order")
	}
}
