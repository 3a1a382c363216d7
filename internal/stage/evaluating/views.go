package evaluating

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Worth is what the views of a run are worth: how much validation loses when one is left out.
type Worth struct {
	Run   string      `json:"run"`
	Users int         `json:"users"` // validation users asked
	With  float64     `json:"with"`  // validation R@20 of all views together
	Views []ViewWorth `json:"views"`
}

// ViewWorth compares the whole with the same without one view, user by user.
type ViewWorth struct {
	View string          `json:"view"`
	Gain eval.Comparison `json:"gain"` // R@20 with the view less that without it
}

const (
	worthUsers     = 8000 // validation users asked, at most
	worthResamples = 2000 // of the bootstrap
	worthMetric    = "recall@20"
)

// Views measures what each view of a run is worth on validation. The weights of the other
// views stay as they are: a view that others could stand in for is worth little here.
func Views(ctx context.Context, s *stage.Session, runID string) (*Worth, error) {
	run, scorer, err := fittedRun(s, runID, "Name a run of model hybrid.")
	if err != nil {
		return nil, err
	}
	whole, ok := scorer.Ranker.(model.Viewed)
	if !ok {
		return nil, usererr.New("Name a run of model hybrid.", "run %s of model %s has one view", run.ID, run.Model)
	}
	judge, err := s.Judge()
	if err != nil {
		return nil, err
	}
	with, err := judge.Sampled(ctx, scorer, dataset.Valid, worthUsers)
	if err != nil {
		return nil, err
	}
	w := &Worth{Run: run.ID, Users: len(with.Users), With: with.Means()[worthMetric]}
	views := whole.Views()
	for n, view := range views {
		s.Emit(stage.Event{Stage: workspace.StageEvaluate, Message: "without " + view, Done: n, Total: len(views), Left: -1})
		less := &model.UserScorer{Ranker: whole.Without(view), Train: scorer.Train, Preferences: scorer.Preferences}
		without, err := judge.Sampled(ctx, less, dataset.Valid, worthUsers)
		if err != nil {
			return nil, err
		}
		gain, err := eval.Compare(with, without, worthMetric, worthResamples, randomSeed)
		if err != nil {
			return nil, fmt.Errorf("view %s: %w", view, err)
		}
		w.Views = append(w.Views, ViewWorth{view, gain})
	}
	return w, nil
}
