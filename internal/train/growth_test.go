package train_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/train"
)

func TestGrown(t *testing.T) {
	for _, c := range []struct {
		interactions int
		own          train.Options
		chosenLR     bool
		batch        int
		lr           float64
	}{
		{118551, train.Options{}, false, 2048, 1e-3}, // Amazon Baby: as published
		{2048 * 128, train.Options{}, false, 2048, 1e-3},
		{2048*128 + 1, train.Options{}, false, 4096, 0.001414},
		{2400000, train.Options{}, false, 32768, 4e-3},
		{2400000, train.Options{LR: 0.01}, true, 32768, 0.01},
		{1000, train.Options{BatchSize: 4, LR: 0.5}, false, 8, 0.7071},
	} {
		got := c.own.Grown(c.interactions, c.chosenLR)
		if got.BatchSize != c.batch || got.LR != c.lr || got.StepsFor(c.interactions) > 128 {
			t.Errorf("%d interactions: batch size %d, lr %v, %d steps; want %d, %v, at most 128 steps", c.interactions, got.BatchSize, got.LR, got.StepsFor(c.interactions), c.batch, c.lr)
		}
	}
}

// A run with grown batches over the neighbourhood is the same to the last bit on one processor and on two,
// and after an interruption in the middle of an epoch.
func TestGrownRunIsTheSameWhateverHappens(t *testing.T) {
	data := modeltest.MakePowerLaw(modeltest.Shape{Users: 150, Items: 90, Train: 900, Tastes: 5}, 1)
	opt := train.Options{Epochs: 4, BatchSize: 2, LR: 0.002, Seed: 3}.Grown(data.Inputs.Train.Len(), false)
	if opt.BatchSize == 2 {
		t.Fatalf("batches of %d interactions did not grow", data.Inputs.Train.Len())
	}
	var weights [][]float32
	for _, procs := range []int{1, 2} {
		old := runtime.GOMAXPROCS(procs)
		_, m, err := trained(t, t.Context(), "lightgcn", data, opt)
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		weights = append(weights, params(m))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	broken := opt
	broken.Dir = t.TempDir()
	broken.OnStep = func(s train.Step) {
		if s.Epoch == 3 && s.Done == s.Steps/2 {
			cancel()
		}
	}
	m := mustBuild(t, "lightgcn", data.Inputs)
	if _, err := train.Run(ctx, m, data.Inputs, eval.NewJudge(data.Dataset), broken); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	broken.Resume, broken.OnStep = true, nil
	res, m, err := trained(t, t.Context(), "lightgcn", data, broken)
	if err != nil || res.ResumedFrom != 2 {
		t.Fatalf("resumed from %d: %v", res.ResumedFrom, err)
	}
	if weights = append(weights, params(m)); !slices.Equal(weights[0], weights[1]) || !slices.Equal(weights[0], weights[2]) {
		t.Error("weights differ between processors or after an interruption")
	}
}

func TestStepsAreCounted(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	var seen []train.Step
	opt := train.Options{Epochs: 2, BatchSize: 64, OnStep: func(s train.Step) { seen = append(seen, s) }}
	if _, _, err := trained(t, t.Context(), "bpr", data, opt); err != nil {
		t.Fatal(err)
	}
	steps := train.Options{BatchSize: 64}.StepsFor(data.Inputs.Train.Len())
	if len(seen) != 2*steps {
		t.Fatalf("%d steps seen of %d", len(seen), 2*steps)
	}
	for k, s := range seen {
		if s.Epoch != k/steps+1 || s.Done != k%steps+1 || s.Steps != steps || s.Batch != 64 || (s.Left == 0) != (s.Done == 1) {
			t.Errorf("step %d is %+v", k, s)
		}
	}
}
