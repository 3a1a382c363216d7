package training

import (
	"context"
	"fmt"
	"slices"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Refit fits the model of a run again, with its settings and inputs, on the train interactions that
// keep accepts, and lets it choose by the validation of the users that valid accepts: a trial
// with users and items that the model has never seen. Nothing is stored. The scorer shows users
// with their whole histories.
func Refit(ctx context.Context, s *stage.Session, run *Run, keep func(user int, item int32) bool, valid func(user int32) bool) (*model.UserScorer, error) {
	ds, err := s.Dataset()
	if err != nil {
		return nil, err
	}
	full := ds.TrainHistories()
	in := model.Inputs{Train: full.Keep(keep), Users: ds.Users(), Items: ds.NumItems(), Seed: run.Seed}
	in.Times = trainTimes(ds, in.Train)
	if in.ItemVectors, err = itemVectors(s, run.From); err != nil {
		return nil, err
	}
	if address := run.From[workspace.KindUserVectors]; address != "" {
		if in.Preferences, err = s.Matrix(address, workspace.UserVectorsFile); err != nil {
			return nil, err
		}
	}
	judge, err := s.Judge()
	if err != nil {
		return nil, err
	}
	_, own, err := train.Configure(run.Model, run.Settings)
	if err != nil {
		return nil, err
	}
	chosen := someUsers{Validation: judge.Validation()}
	for _, u := range judge.Validation().Users() {
		if valid(u) {
			chosen.users = append(chosen.users, u)
		}
	}
	fitted, config, err := model.Fit(ctx, run.Model, in, own, model.Fitting{Validation: chosen,
		Progress: func(what string, done, total float64) {
			s.Emit(stage.Event{Stage: workspace.StageEvaluate, Message: "fitting without them · " + what, Done: int(done * 1000 / max(total, 1)), Total: 1000, Left: -1})
		},
		Train: func(ctx context.Context, name string, in model.Inputs, settings map[string]string, epochs int) (model.Weights, error) {
			m, opt, err := part(name, in, settings, epochs, run.Seed)
			if err != nil {
				return nil, err
			}
			if _, err := train.Run(ctx, m, in, judge, opt); err != nil {
				return nil, fmt.Errorf("train %s: %w", name, err)
			}
			return weightsOf(m), nil
		}})
	if err != nil {
		return nil, err
	}
	ranker, err := model.RestoreRanker(run.Model, fitted.Weights, config)
	return &model.UserScorer{Ranker: ranker, Train: full, Preferences: in.Preferences}, err
}

// someUsers is validation by some of the users.
type someUsers struct {
	model.Validation
	users []int32
}

// Users implements model.Validation.
func (s someUsers) Users() []int32 { return slices.Clip(s.users) }
