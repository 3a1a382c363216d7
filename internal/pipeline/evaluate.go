package pipeline

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Evaluation is what evaluate prints.
type Evaluation struct {
	Run        string             `json:"run"`
	Model      string             `json:"model"`
	Provenance string             `json:"provenance"`
	Leaky      bool               `json:"leaky"`
	Warning    string             `json:"warning,omitempty"`
	Test       map[string]float64 `json:"test"`
	Valid      map[string]float64 `json:"valid"`
	Baselines  []Baseline         `json:"baselines"`
	Slices     []eval.Slice       `json:"slices"`
}

// Baseline is a ranking that needs no learning, beside the run's.
type Baseline struct {
	Name  string             `json:"name"`
	Test  map[string]float64 `json:"test"`
	Valid map[string]float64 `json:"valid"`
}

const randomSeed = 1 // of the random baseline; any will do

// Evaluate ranks the whole catalogue by a run's stored vectors ("" = the latest run)
// and compares with popularity and random.
func (p *Pipeline) Evaluate(ctx context.Context, runID string) (*Evaluation, error) {
	run, err := p.FindRun(runID)
	if err != nil {
		return nil, err
	}
	ds, err := p.WS.Dataset()
	if err != nil {
		return nil, err
	}
	users, err := arrayfile.ReadNPY(p.RunPath(run.ID, workspace.RunUsersFile))
	if err != nil {
		return nil, err
	}
	items, err := arrayfile.ReadNPY(p.RunPath(run.ID, workspace.RunItemsFile))
	if err != nil {
		return nil, err
	}
	ev := &Evaluation{Run: run.ID, Model: run.Model, Provenance: run.Provenance, Leaky: run.Leaky, Warning: run.Warning}
	judge := eval.NewJudge(ds)
	judged, err := judge.Rank(ctx, eval.DotScorer(users, items))
	if err != nil {
		return nil, fmt.Errorf("evaluate run %s: %w", run.ID, err)
	}
	ev.Valid, ev.Test, ev.Slices = judged.Metrics(dataset.Valid), judged.Metrics(dataset.Test), judged.Slices()
	baselines, err := p.baselines(ds)
	if err != nil {
		return nil, err
	}
	for _, b := range baselines {
		judged, err := judge.Rank(ctx, b.scorer)
		if err != nil {
			return nil, fmt.Errorf("evaluate %s: %w", b.name, err)
		}
		ev.Baselines = append(ev.Baselines, Baseline{Name: b.name, Test: judged.Metrics(dataset.Test), Valid: judged.Metrics(dataset.Valid)})
	}
	return ev, nil
}

// scored is a named scorer.
type scored struct {
	name   string
	scorer eval.Scorer
}

// baselines are the rankings that need no training: popularity, random, and the plain
// dot product of the text vectors, which a trained model must beat to be worth it.
func (p *Pipeline) baselines(ds *dataset.Dataset) ([]scored, error) {
	list := []scored{
		{"popularity", eval.Popularity(ds.TrainHistories())},
		{"random", eval.Random(randomSeed, ds.Users(), ds.NumItems())},
	}
	if _, ok := p.WS.Manifest().Stages[workspace.StageEncode]; !ok {
		return list, nil
	}
	items, users, _, err := p.Features()
	if err != nil {
		return nil, err
	}
	if items != nil && users != nil && items.Cols == users.Cols {
		list = append(list, scored{"untrained vectors", eval.DotScorer(users, items)})
	}
	return list, nil
}
