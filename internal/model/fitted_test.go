package model_test

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// timed adds times to the inputs: the order of each history.
func timed(in model.Inputs) model.Inputs {
	in.Times = make([]int64, in.Train.Len())
	for row := range in.Times {
		in.Times[row] = int64(row)
	}
	return in
}

// fit fits a model and restores it from the weights alone.
func fit(t *testing.T, name string, in model.Inputs, judge *eval.Judge, settings map[string]string) (model.Ranker, *model.Fitted) {
	t.Helper()
	f, config, err := model.Fit(t.Context(), name, in, settings, model.Fitting{Validation: judge.Validation()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := model.RestoreRanker(name, f.Weights, config)
	if err != nil {
		t.Fatal(err)
	}
	return r, f
}

func scores(t *testing.T, r model.Ranker, people []model.Person) *tensor.Matrix {
	t.Helper()
	dst := tensor.New(len(people), r.Items())
	for i := range dst.Data {
		dst.Data[i] = float32(math.NaN()) // content is arbitrary
	}
	if err := r.Score(people, dst); err != nil {
		t.Fatal(err)
	}
	return dst
}

// TestFittedConformance holds for every model that is fitted at once.
func TestFittedConformance(t *testing.T) {
	data := modeltest.Make(tiny, 3)
	in, judge := data.Inputs, eval.NewJudge(data.Dataset)
	in.Train = in.Train.Keep(func(_ int, i int32) bool { return i != 5 && i != 11 }) // nobody chose these
	in = timed(in)
	var people []model.Person
	for u := range in.Users {
		people = append(people, model.Person{History: in.Train.Items(u), Preference: in.Preferences.Row(u)})
	}
	stranger := model.Person{History: []int32{3, 7, 1}, Preference: in.Preferences.Row(2)}
	for _, name := range modeltest.Fitted() {
		decays := []string{"1", "0.7"}
		if name == "hybrid" {
			decays = []string{"auto", "none"}
		}
		for _, decay := range decays {
			t.Run(name+" decay="+decay, func(t *testing.T) {
				settings := map[string]string{"decay": decay}
				r, fitted := fit(t, name, in, judge, settings)
				if r.Items() != in.Items {
					t.Fatalf("%d items of %d", r.Items(), in.Items)
				}
				all := scores(t, r, append(slices.Clone(people), stranger))
				before := runtime.GOMAXPROCS(1)
				again, other := fit(t, name, in, judge, settings)
				runtime.GOMAXPROCS(before)
				for key, w := range fitted.Weights {
					if !slices.Equal(w.Data, other.Weights[key].Data) {
						t.Errorf("%s differs on one processor", key)
					}
				}
				if alone := scores(t, again, []model.Person{stranger}); !slices.Equal(alone.Row(0), all.Row(len(people))) {
					t.Error("a stranger's scores depend on who else is scored")
				}
				if empty := scores(t, r, []model.Person{{}}); slices.ContainsFunc(empty.Data, func(v float32) bool { return v-v != 0 }) {
					t.Errorf("somebody without a history: %v", empty.Data)
				}
				if err := r.Score([]model.Person{{History: []int32{int32(in.Items)}}}, tensor.New(1, in.Items)); err == nil {
					t.Error("an item outside the catalogue is scored")
				}
				checkShares(t, r, stranger, all.Row(len(people)))
				for key := range fitted.Weights {
					less := model.Weights{}
					for k, w := range fitted.Weights {
						if k != key {
							less[k] = w
						}
					}
					if _, err := model.RestoreRanker(name, less, settings); err == nil {
						t.Errorf("restored without %s", key)
					}
				}
			})
		}
	}
}

// checkShares: the parts of a score sum to it, and what is left to no item of the history is, in a
// view over items, the same for every item that was chosen in train: a part booked to the wrong
// item, or in the wrong size, would hide there.
func checkShares(t *testing.T, r model.Ranker, p model.Person, scores []float32) {
	t.Helper()
	e, ok := r.(model.Explainer)
	if !ok {
		return
	}
	explain, err := e.Explain(p)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]float64{}
	for i, want := range scores {
		shares := explain(int32(i))
		sum, over := 0.0, map[string]bool{}
		for _, s := range shares {
			sum += s.Part
			over[s.View] = over[s.View] || s.Item >= 0
		}
		for _, s := range shares {
			if s.Item >= 0 || !over[s.View] || i == 5 || i == 11 {
				continue
			}
			if first, met := left[s.View]; met && math.Abs(first-s.Part) > 1e-4 {
				t.Errorf("item %d: view %s leaves %g to no item, of another item %g", i, s.View, s.Part, first)
			}
			left[s.View] = s.Part
		}
		if math.Abs(sum-float64(want)) > 1e-5*max(1, math.Abs(float64(want))) {
			t.Errorf("item %d: shares %v sum to %g, the score is %g", i, shares, sum, want)
		}
	}
}

// TestFittedModelsSayWhatTheyLack: what they read and is missing is told.
func TestFittedModelsSayWhatTheyLack(t *testing.T) {
	in := modeltest.Make(tiny, 3).Inputs
	in.Times = nil
	for name, want := range map[string]string{"transitions": "times", "bm25": "times"} {
		if _, _, err := model.Fit(t.Context(), name, in, map[string]string{"decay": "0.5"}, model.Fitting{}); !usererrSays(err, want) {
			t.Errorf("%s without times: %v", name, err)
		}
	}
	in.ItemVectors = nil
	if _, _, err := model.Fit(t.Context(), "text-kernel", in, nil, model.Fitting{}); !usererrSays(err, "item features") {
		t.Errorf("no text vectors: %v", err)
	}
}

func usererrSays(err error, want string) bool {
	_, ok := usererr.Hint(err)
	return ok && strings.Contains(err.Error(), want)
}

// TestHybridPlacesItemsNobodyChose: an item without an audience stands where its text puts it, not
// at the end of every list, and whoever has no history is served by what they say.
func TestHybridPlacesItemsNobodyChose(t *testing.T) {
	data := modeltest.Make(modeltest.Shape{Users: 300, Items: 80, Train: 2400, Width: 16, Tastes: 8}, 4)
	const cold = int32(13)
	in, judge := data.Inputs, eval.NewJudge(data.Dataset)
	in.Train = in.Train.Keep(func(_ int, i int32) bool { return i != cold })
	in = timed(in)
	r, fitted := fit(t, "hybrid", in, judge, map[string]string{"pool": "false"})
	var people []model.Person
	for u := range in.Users {
		people = append(people, model.Person{History: in.Train.Items(u), Preference: in.Preferences.Row(u)})
	}
	all := scores(t, r, people)
	own, others := 0.0, 0.0
	n := [2]float64{}
	for u := range people {
		rank := 0.0
		for _, s := range all.Row(u) {
			if s > all.Row(u)[cold] {
				rank++
			}
		}
		alike := 0
		for _, i := range people[u].History {
			if i%8 == cold%8 {
				alike++
			}
		}
		if 2*alike > len(people[u].History) { // whose taste the item is of
			own, n[0] = own+rank, n[0]+1
		} else {
			others, n[1] = others+rank, n[1]+1
		}
	}
	if n[0] < 10 || own/n[0] > 0.6*others/n[1] || own/n[0] > 30 {
		t.Errorf("mean rank of the new item: %.1f for those of its taste, %.1f for others (%v)", own/n[0], others/n[1], fitted.Found)
	}
	said := scores(t, r, []model.Person{{Preference: in.Preferences.Row(0)}, {Preference: in.Preferences.Row(1)}})
	if slices.Equal(said.Row(0), said.Row(1)) {
		t.Error("two people who say different things are served alike")
	}
}

// Models that say that they draw nothing by lot give the same with every seed; what says nothing is not
// held to it, but those that are known to draw must not say so.
func TestSeedlessModelsDrawNothing(t *testing.T) {
	data := modeltest.Make(tiny, 3)
	in, judge := timed(data.Inputs), eval.NewJudge(data.Dataset)
	seedless := 0
	for _, name := range model.Names() {
		if !model.Seedless(name) {
			continue
		}
		seedless++
		other := in
		other.Seed = in.Seed + 1
		_, one := fit(t, name, in, judge, nil)
		_, two := fit(t, name, other, judge, nil)
		for key, w := range one.Weights {
			if !slices.Equal(w.Data, two.Weights[key].Data) {
				t.Errorf("%s: %s differs with the seed", name, key)
			}
		}
	}
	if seedless != 7 || model.Seedless("spectral") || model.Seedless("hybrid") || model.Seedless("bpr") {
		t.Errorf("%d models draw nothing", seedless)
	}
}
