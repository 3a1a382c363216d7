package train_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/model"
	_ "github.com/mllmrec/mllmrec/internal/model/all"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

var tiny = modeltest.Shape{Users: 80, Items: 60, Train: 500, Width: 12, Tastes: 5}

// trained builds a model on data and trains it.
func trained(t *testing.T, ctx context.Context, name string, data *modeltest.Data, opt train.Options) (*train.Result, model.Model, error) {
	t.Helper()
	return trainedBy(t, ctx, eval.NewJudge(data.Dataset), name, data, opt)
}

// trainedBy is trained with an evaluator of its own.
func trainedBy(t *testing.T, ctx context.Context, evaluate train.Evaluator, name string, data *modeltest.Data, opt train.Options) (*train.Result, model.Model, error) {
	t.Helper()
	m := mustBuild(t, name, data.Inputs)
	if opt.BatchSize == 0 {
		opt.BatchSize = 64
	}
	res, err := train.Run(ctx, m, data.Inputs, evaluate, opt)
	return res, m, err
}

func mustBuild(t *testing.T, name string, in model.Inputs) model.Model {
	t.Helper()
	m, err := model.New(name, in, map[string]string{"embedding_dim": "8"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func params(m model.Model) (all []float32) {
	for _, p := range m.Params() {
		all = append(all, p.Value.Data...)
	}
	return all
}

func TestTrainingLearnsTheTaste(t *testing.T) {
	data := modeltest.Make(modeltest.Shape{Users: 300, Items: 120, Train: 3000, Width: 12, Tastes: 6}, 1)
	for _, name := range modeltest.Trained() {
		res, m, err := trained(t, t.Context(), name, data, train.Options{Epochs: 15, LR: 0.01, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		first, last := res.Epochs[0], res.Epochs[len(res.Epochs)-1]
		if !(last.Loss < 0.8*first.Loss) {
			t.Errorf("%s: loss %g after %d epochs, %g after one", name, last.Loss, len(res.Epochs), first.Loss)
		}
		// A random list of 10 out of 120 items finds 0.083 of them.
		if res.Test["recall@10"] < 0.2 {
			t.Errorf("%s: test recall@10 %g", name, res.Test["recall@10"])
		}
		// The model holds the best epoch's weights, whose metrics are reported.
		users, items, err := m.Represent()
		if err != nil {
			t.Fatal(err)
		}
		valid, err := eval.NewJudge(data.Dataset).Measure(t.Context(), users, items, dataset.Valid)
		if err != nil || !maps.Equal(valid, res.Valid) || !maps.Equal(valid, res.Epochs[res.BestEpoch-1].Valid) {
			t.Errorf("%s: weights returned measure %v, reported %v (%v)", name, valid, res.Valid, err)
		}
	}
}

// What a run computes must depend on the number of processors in no bit.
func TestRunIsTheSameOnOneAndTwoProcessors(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	for _, name := range modeltest.Trained() {
		var results []*train.Result
		var weights [][]float32
		for _, procs := range []int{1, 2} {
			old := runtime.GOMAXPROCS(procs)
			res, m, err := trained(t, t.Context(), name, data, train.Options{Epochs: 4, LR: 0.01, Seed: 9})
			runtime.GOMAXPROCS(old)
			if err != nil {
				t.Fatal(err)
			}
			results, weights = append(results, res), append(weights, params(m))
		}
		sameOutcome(t, name, results[0], results[1])
		if !slices.Equal(weights[0], weights[1]) {
			t.Errorf("%s: weights differ", name)
		}
	}
}

func sameOutcome(t *testing.T, what string, a, b *train.Result) {
	t.Helper()
	if len(a.Epochs) != len(b.Epochs) || a.BestEpoch != b.BestEpoch || a.Stopped != b.Stopped {
		t.Fatalf("%s: %d epochs, best %d, stopped %s; and %d, %d, %s", what, len(a.Epochs), a.BestEpoch, a.Stopped, len(b.Epochs), b.BestEpoch, b.Stopped)
	}
	for k, x := range a.Epochs {
		y := b.Epochs[k]
		if x.Loss != y.Loss || x.Best != y.Best || !maps.Equal(x.Valid, y.Valid) {
			t.Errorf("%s: epoch %d is %+v and %+v", what, k+1, x, y)
		}
	}
	if !maps.Equal(a.Test, b.Test) || !maps.Equal(a.Valid, b.Valid) {
		t.Errorf("%s: test %v and %v", what, a.Test, b.Test)
	}
}

// scripted evaluates to a given course of validation scores.
type scripted struct {
	scores []float64
	epoch  int
}

func (s *scripted) CheckTraining(*dataset.Histories) error { return nil }

func (s *scripted) Measure(_ context.Context, _, _ *tensor.Matrix, label dataset.Label) (map[string]float64, error) {
	if label == dataset.Test {
		return map[string]float64{"recall@20": 0.5}, nil
	}
	s.epoch++
	return map[string]float64{"recall@20": s.scores[min(s.epoch, len(s.scores))-1]}, nil
}

func TestEarlyStopping(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	for _, c := range []struct {
		name         string
		scores       []float64
		patience     int
		round        bool
		best, epochs int
		stopped      string
	}{
		// The count must exceed patience: with 20 the 21st epoch without gain is the last.
		{"default patience", []float64{0.1}, 0, false, 1, 22, train.StoppedEarly},
		{"a late gain starts the count anew", []float64{0.1, 0.1, 0.1, 0.2, 0.1}, 2, false, 4, 7, train.StoppedEarly},
		{"equal is no gain", []float64{0.3, 0.3, 0.3, 0.3, 0.3, 0.9}, 3, false, 1, 5, train.StoppedEarly},
		{"tiny gains count", []float64{0.30001, 0.30002, 0.30003, 0.30004, 0.2}, 1, false, 4, 6, train.StoppedEarly},
		{"but not rounded", []float64{0.30001, 0.30002, 0.30003, 0.30004, 0.2}, 1, true, 1, 3, train.StoppedEarly},
		{"zero beats nothing", []float64{0, 0}, 1, false, 1, 3, train.StoppedEarly},
		{"the limit", []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6}, 1, false, 25, 25, train.StoppedAtLimit},
	} {
		res, _, err := trainedBy(t, t.Context(), &scripted{scores: c.scores}, "bpr", data, train.Options{Epochs: 25, Patience: c.patience, RoundScore: c.round})
		if err != nil {
			t.Fatal(err)
		}
		if res.BestEpoch != c.best || len(res.Epochs) != c.epochs || res.Stopped != c.stopped {
			t.Errorf("%s: best %d of %d, stopped %q; want best %d of %d, %q", c.name, res.BestEpoch, len(res.Epochs), res.Stopped, c.best, c.epochs, c.stopped)
		}
	}
}

func TestDivergenceNamesTheEpochAndAdvises(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	in := data.Inputs
	in.Preferences = in.Preferences.Clone()
	in.Preferences.Data[5] = float32(math.Inf(1))
	_, err := train.Run(t.Context(), mustBuild(t, "mllmrec", in), in, eval.NewJudge(data.Dataset), train.Options{BatchSize: 64})
	if err == nil || !strings.Contains(err.Error(), "epoch 1") {
		t.Fatalf("error %v", err)
	}
	if hint, ok := usererr.Hint(err); !ok || !strings.Contains(hint, "lr=0.0001") {
		t.Errorf("hint %q", hint)
	}
}

// brittle breaks its parameters in its n-th step, after the loss was computed.
type brittle struct {
	model.Model
	steps, breakAt int
}

func (b *brittle) Loss(t *autograd.Tape, batch model.Batch) *autograd.Var {
	loss := b.Model.Loss(t, batch)
	if b.steps++; b.steps == b.breakAt {
		b.Params()[0].Value.Data[3] = float32(math.NaN())
	}
	return loss
}

// No loss comes after an epoch's last step, so the epoch's end must look itself.
func TestDivergenceInTheLastStepIsNotSaved(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	steps := (data.Inputs.Train.Len() + 63) / 64
	dir := t.TempDir()
	_, err := train.Run(t.Context(), &brittle{Model: mustBuild(t, "bpr", data.Inputs), breakAt: 2 * steps}, data.Inputs, eval.NewJudge(data.Dataset), train.Options{BatchSize: 64, Dir: dir, Epochs: 5})
	if err == nil || !strings.Contains(err.Error(), "epoch 2") || !strings.Contains(err.Error(), "diverged") {
		t.Fatalf("error %v", err)
	}
	res, _, err := trained(t, t.Context(), "bpr", data, train.Options{Dir: dir, Resume: true, Epochs: 3})
	if err != nil || res.ResumedFrom != 1 {
		t.Errorf("resuming after the divergence: %v, %+v", err, res)
	}
}

func TestSplitWithoutValidationIsRefused(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	ds := labelledtest.With(data.Dataset, slices.DeleteFunc(labelledtest.Rows(data.Dataset), func(x dataset.Interaction) bool { return x.Label == dataset.Valid }))
	in := data.Inputs
	in.Train = ds.TrainHistories()
	_, err := train.Run(t.Context(), mustBuild(t, "bpr", in), in, eval.NewJudge(ds), train.Options{})
	if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), "validation") {
		t.Errorf("error %v", err)
	}
}

// A user who has every item of train has nothing to be ranked below it: the others are
// trained, as if that user were not there.
func TestUserWithEveryItemIsLeftOut(t *testing.T) {
	ds := &dataset.Dataset{UserIDs: []string{"ann", "bob", "cy"}, Items: make([]dataset.Item, 4)}
	for _, x := range [][3]int{{0, 0, 0}, {0, 3, 1}, {1, 0, 0}, {1, 2, 0}, {1, 2, 0}, {2, 2, 0}} {
		ds.Append(dataset.Interaction{User: int32(x[0]), Item: int32(x[1]), Label: dataset.Label(x[2])})
	}
	in := model.Inputs{Train: ds.TrainHistories(), Users: 3, Items: 4}
	var left []string
	spy := &spying{Model: mustBuild(t, "bpr", in)}
	res, err := train.Run(t.Context(), spy, in, eval.NewJudge(ds), train.Options{Epochs: 3, OnLeftOut: func(users []string) { left = users }})
	if err != nil || res.LeftOut != 1 || !slices.Equal(left, []string{"bob"}) || math.IsNaN(res.Epochs[2].Loss) {
		t.Fatalf("%v, %+v, left out: %q", err, res, left)
	}
	slices.Sort(spy.users)
	if !slices.Equal(spy.users, []int32{0, 0, 0, 2, 2, 2}) {
		t.Errorf("three epochs dealt rows of the users %v", spy.users)
	}

	all := &dataset.Dataset{UserIDs: []string{"ann", "bob"}, Items: make([]dataset.Item, 2)}
	for _, x := range [][3]int{{0, 0, 0}, {1, 0, 0}, {1, 1, 1}} {
		all.Append(dataset.Interaction{User: int32(x[0]), Item: int32(x[1]), Label: dataset.Label(x[2])})
	}
	in = model.Inputs{Train: all.TrainHistories(), Users: 2, Items: 2}
	_, err = train.Run(t.Context(), mustBuild(t, "bpr", in), in, eval.NewJudge(all), train.Options{})
	if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), "every user has interacted with all 1 items") {
		t.Errorf("nobody is left: %v", err)
	}
}

// spying notes whose rows are dealt.
type spying struct {
	model.Model
	users []int32
}

func (s *spying) Loss(t *autograd.Tape, batch model.Batch) *autograd.Var {
	s.users = append(s.users, batch.Users...)
	return s.Model.Loss(t, batch)
}

func TestCancelledBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	res, _, err := trained(t, ctx, "bpr", modeltest.Make(tiny, 1), train.Options{})
	if !errors.Is(err, context.Canceled) || res == nil || res.Stopped != train.StoppedCancelled || len(res.Epochs) != 0 {
		t.Errorf("result %+v, error %v", res, err)
	}
}

func TestConfigure(t *testing.T) {
	opt, rest, err := train.Configure("lightgcn", map[string]string{"epochs": "7", "lr": "1e-2", "layers": "2"})
	if err != nil || opt.Epochs != 7 || opt.LR != 0.01 || opt.Patience != 20 || !maps.Equal(rest, map[string]string{"layers": "2"}) {
		t.Errorf("options %+v, model settings %v, %v", opt, rest, err)
	}
	for _, c := range []struct{ key, value, want string }{
		{"epoch", "7", "batch_size"}, // the message lists the trainer's names
		{"epoch", "7", "reg_weight"}, // and the model's
		{"epochs", "many", "whole number"},
		{"epochs", "0", "below 1"},
		{"lr", "NaN", "not a number"},
		{"lr_decay", "1.5", "above 1"},
		{"select", "recall@7", "recall@20"},
	} {
		_, _, err := train.Configure("bpr", map[string]string{c.key: c.value})
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: error %v, want a user error with %q", c.key, c.value, err, c.want)
		}
	}
	if _, _, err := train.Configure("lightcgn", nil); err == nil || !strings.Contains(err.Error(), "lightgcn") {
		t.Errorf("unknown model: %v", err)
	}
}
