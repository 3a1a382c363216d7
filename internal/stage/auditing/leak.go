package auditing

import (
	"context"

	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/stage/graphing"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

const leakModel = "mllmrec"

// measureLeak trains twice with everything equal but the histories that preferences were
// written from: train only, and all. Nothing of it is stored.
func (a *auditor) measureLeak(ctx context.Context) (*LeakWorth, error) {
	in, err := a.trainingInputs(ctx)
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	if run, _, err := training.Find(a.WS, ""); err == nil && run.Model == leakModel {
		settings = run.Settings
	}
	w := &LeakWorth{Model: leakModel}
	for _, side := range []struct {
		name    string
		history dataset.Scope
		into    *map[string]float64
	}{{"train only", dataset.ScopeTrain, &w.TrainOnly}, {"leaky", dataset.ScopeAll, &w.Leaky}} {
		if in.Preferences, err = a.vectorsFrom(ctx, side.history); err != nil {
			return nil, err
		}
		if *side.into, err = a.train(ctx, in, settings, side.name, side.history == dataset.ScopeAll); err != nil {
			return nil, err
		}
	}
	before, after := w.TrainOnly["recall@20"], w.Leaky["recall@20"]
	w.Sentence = fmt.Sprintf("Showing validation and test interactions to the preference writer moves test Recall@20 from %.4f to %.4f: that difference is the leak alone, all else equal.", before, after)
	return w, nil
}

// trainingInputs loads what both sides have in common; the paper's way, without folds. Where
// no graph of the item vectors was built, since the run's model reads none, one is built
// with the usual options and not stored.
func (a *auditor) trainingInputs(ctx context.Context) (model.Inputs, error) {
	from := stage.Inputs{workspace.KindItemVectors: {Address: a.items}}
	graph := a.graphOf(a.items)
	if graph != "" {
		from[workspace.KindItemGraph] = workspace.Input{Address: graph}
	}
	in, err := training.Inputs(a.Session, from, a.opt.Seed)
	if err != nil || graph != "" {
		return in, err
	}
	built, err := graphing.Compute(ctx, a.Session, a.items, graphing.Defaults())
	if err != nil {
		return in, err
	}
	in.Graph = built.Norm
	return in, nil
}

// graphOf returns the latest graph of the item vectors; "" if there is none.
func (a *auditor) graphOf(items string) string {
	for _, address := range a.WS.Addresses(workspace.KindItemGraph) {
		if g, _ := a.WS.Artefact(address); g.Inputs[workspace.KindItemVectors].Address == items {
			return address
		}
	}
	return ""
}

// train trains one side and returns its test metrics.
func (a *auditor) train(ctx context.Context, in model.Inputs, settings map[string]string, side string, leaky bool) (map[string]float64, error) {
	opt, own, err := train.Configure(leakModel, settings)
	if err != nil {
		return nil, err
	}
	m, err := model.New(leakModel, in, own)
	if err != nil {
		return nil, err
	}
	judge, err := a.Judge()
	if err != nil {
		return nil, err
	}
	opt.Seed = a.opt.Seed
	opt.OnEpoch = func(e train.Epoch) { a.Say(stageAudit, "%s: %s", side, training.EpochLine(leakModel, e, leaky)) }
	res, err := train.Run(ctx, m, in, judge, opt)
	if err != nil {
		return nil, fmt.Errorf("measure the leak, %s: %w", side, err)
	}
	return res.Test, nil
}

// vectorsFrom writes preferences from the histories of a scope and encodes them, without
// storing either. Plain rules write them: it is measured where texts cost nothing only.
func (a *auditor) vectorsFrom(ctx context.Context, scope dataset.Scope) (*tensor.Matrix, error) {
	a.Say(stageAudit, "writing preferences from %s interactions", scope)
	preferences, _ := a.WS.Artefact(a.texts())
	catalogue, corpus, err := reasoning.Catalogue(a.WS, preferences.Inputs[workspace.KindItemTexts].Address)
	if err != nil {
		return nil, err
	}
	h := reasoning.Preference{History: string(scope)}.Histories(a.ds)
	reasoner := offline.NewReasoner(corpus)
	written := make([]string, a.ds.Users())
	for u := range written {
		req := texts.ReasonRequest{User: a.ds.UserIDs[u], Fold: texts.FullFold, Domain: a.ds.Domain, Attempt: 1}
		for _, i := range h.Items(u) {
			req.Items = append(req.Items, catalogue[i])
		}
		answer, err := reasoner.Reason(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("write the preference of user %q: %w", a.ds.UserIDs[u], err)
		}
		written[u] = answer.Text
	}
	return encoding.Encode(ctx, a.Session, a.users, written)
}
