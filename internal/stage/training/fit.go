package training

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// StoppedFitted says of a run that its model is fitted at once: it has no epochs.
const StoppedFitted = "fitted"

// Fits reports whether a model is fitted at once and scores people by their histories: its
// run holds no vectors of users and items.
func Fits(name string) bool { return model.Fits(name) }

// fit is Build for a model that is not trained in epochs.
func (t *Stage) fit(ctx context.Context, b *stage.Build, run *Run, in model.Inputs) error {
	judge, err := b.Judge()
	if err != nil {
		return err
	}
	begun, last := time.Now(), ""
	p := &parts{b: b, seed: t.Options.Seed, judge: judge}
	fitted, config, err := model.Fit(ctx, t.Options.Model, in, t.own, model.Fitting{
		Keep: p.keep, Train: p.train,
		Validation: judge.Validation(),
		Note:       func(format string, args ...any) { b.Note(b.Stage, format, args...) },
		Progress: func(what string, done, total float64) {
			b.Emit(stage.Event{Stage: b.Stage, Message: t.Options.Model + " · " + what, Done: int(done * 1000 / max(total, 1)), Total: 1000,
				Elapsed: time.Since(begun), Left: -1, End: what != last && done >= total})
			last = what
		},
	})
	if err != nil {
		return fmt.Errorf("train run %s: %w", run.ID, err)
	}
	ranker, err := model.RestoreRanker(t.Options.Model, fitted.Weights, config)
	if err != nil {
		return fmt.Errorf("train run %s: %w", run.ID, err)
	}
	scorer := &model.UserScorer{Ranker: ranker, Train: in.Train, Preferences: in.Preferences}
	if !t.needs.Preferences {
		scorer.Preferences = nil
	}
	for label, to := range map[dataset.Label]*map[string]float64{dataset.Valid: &run.Valid, dataset.Test: &run.Test} {
		if *to, err = judge.MeasureScorer(ctx, scorer, label); err != nil {
			return fmt.Errorf("measure run %s: %w", run.ID, err)
		}
	}
	run.Stopped, run.Config, run.Epochs, run.Found = StoppedFitted, maps.Clone(config), []train.Epoch{}, fitted.Found
	run.Config["model"], run.Config["model_seed"] = t.Options.Model, strconv.FormatUint(t.Options.Seed, 10)
	if err := train.SaveFitted(b.Path(workspace.RunModelFile), t.Options.Model, config, fitted.Weights, run.Valid); err != nil {
		return err
	}
	if err := writeJSON(b.Path(workspace.RunMetricsFile), run.timeless()); err != nil {
		return err
	}
	b.Files = []string{workspace.RunMetricsFile, workspace.RunModelFile}
	if err := p.remove(); err != nil {
		return err
	}
	b.Info = map[string]any{"run": run.ID, stage.InfoTimes: run.times()}
	b.Done("%s: fitted in %s · valid R@20 %.4f N@20 %.4f", run.ID, time.Since(begun).Round(time.Second/10), run.Valid["recall@20"], run.Valid["ndcg@20"])
	return nil
}

// Scorer returns what scores the users of the training data as a run of a fitted model does.
func Scorer(s *stage.Session, run *Run, address string) (*model.UserScorer, error) {
	ranker, err := Ranker(s, run, address)
	if err != nil {
		return nil, err
	}
	ds, err := s.Dataset()
	if err != nil {
		return nil, err
	}
	scorer := &model.UserScorer{Ranker: ranker, Train: ds.TrainHistories()}
	if ranker.Items() != ds.NumItems() {
		return nil, usererr.Of(usererr.KindDamaged, "Train again.", "run %s scores %d items, the workspace has %d", run.ID, ranker.Items(), ds.NumItems())
	}
	if vectors := run.From[workspace.KindUserVectors]; vectors != "" {
		scorer.Preferences, err = s.Matrix(vectors, workspace.UserVectorsFile)
	}
	return scorer, err
}

// Ranker restores what scores people by their histories from a run of a fitted model.
func Ranker(s *stage.Session, run *Run, address string) (model.Ranker, error) {
	weights, err := s.WS.OpenFile(address, workspace.RunModelFile)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	ranker, err := train.RestoreRanker(weights)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", run.ID, err)
	}
	return ranker, nil
}
