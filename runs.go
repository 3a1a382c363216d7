package mllmrec

import (
	"context"
	"path"

	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Run is a training run: a model, trained once on what a workspace holds.
type Run struct {
	ID         string             // for [WithRun]
	Model      string             // name of the model
	Seed       uint64             // random seed of the training
	Leaky      bool               // made with validation and test interactions in sight
	Provenance string             // "train-only", "leaky" or "unknown"
	Valid      map[string]float64 // full-ranking metrics on the validation interactions, by keys such as "recall@20"
}

// Runs returns the finished runs of the workspace in dir, the latest first. It gives no
// test metrics: runs are to be chosen by their validation metrics.
func Runs(ctx context.Context, dir string) ([]Run, error) {
	runs, err := listRuns(ctx, dir)
	return runs, public(ctx, err)
}

func listRuns(ctx context.Context, dir string) ([]Run, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ws, err := workspace.Open(dir)
	if err != nil {
		return nil, err
	}
	var runs []Run
	for _, address := range ws.Addresses(workspace.KindRun) {
		r, _, err := training.Find(ws, path.Base(address))
		if err != nil {
			return nil, err
		}
		runs = append(runs, runOf(r))
	}
	return runs, nil
}

func runOf(r *training.Run) Run {
	return Run{ID: r.ID, Model: r.Model, Seed: r.Seed, Leaky: r.Leaky, Provenance: r.Provenance, Valid: r.Valid}
}
