package pipeline

import (
	"context"
	"fmt"
	"slices"

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
	ranking, err := RankAll(ctx, ds, eval.DotScorer(users, items))
	if err != nil {
		return nil, fmt.Errorf("evaluate run %s: %w", run.ID, err)
	}
	ev.Valid, ev.Test = Metrics(ranking, ds)
	train := ds.TrainHistories().Lists()
	ev.Slices = eval.Slices(ranking, ds.HeldOut(dataset.Test), train, eval.Options{}.WithTrain(train))
	baselines, err := p.baselines(ds)
	if err != nil {
		return nil, err
	}
	for _, b := range baselines {
		r, err := RankAll(ctx, ds, b.scorer)
		if err != nil {
			return nil, fmt.Errorf("evaluate %s: %w", b.name, err)
		}
		valid, test := Metrics(r, ds)
		ev.Baselines = append(ev.Baselines, Baseline{Name: b.name, Test: test, Valid: valid})
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

// maxCutoff is the depth every ranking is kept to.
var maxCutoff = slices.Max(eval.DefaultCutoffs)

// RankAll ranks the catalogue for every user, train items masked, to the largest
// cutoff.
func RankAll(ctx context.Context, ds *dataset.Dataset, s eval.Scorer) (*eval.Ranking, error) {
	return eval.Rank(ctx, s, ds.TrainHistories().Lists(), nil, maxCutoff)
}

// Metrics computes the metrics of one ranking on both held-out parts.
func Metrics(r *eval.Ranking, ds *dataset.Dataset) (valid, test map[string]float64) {
	opt := eval.Options{}.WithTrain(ds.TrainHistories().Lists())
	return eval.Metrics(r, ds.HeldOut(dataset.Valid), opt).Values, eval.Metrics(r, ds.HeldOut(dataset.Test), opt).Values
}
