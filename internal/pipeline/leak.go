package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/train"
)

const leakModel = "mllmrec"

// measureLeak trains twice with everything equal but the histories that preferences
// were written from: train only, and all. Nothing of it is stored.
func (p *Pipeline) measureLeak(ctx context.Context, ds *dataset.Dataset, seed uint64) (*LeakWorth, error) {
	settings := map[string]string{}
	if run, err := p.FindRun(""); err == nil && run.Model == leakModel {
		settings = run.Settings
	}
	topt, modelSettings, err := train.Configure(leakModel, settings)
	if err != nil {
		return nil, err
	}
	in, _, err := p.modelInputs(ds, leakModel, modelSettings, seed)
	if err != nil {
		return nil, err
	}
	w := &LeakWorth{Model: leakModel}
	in.FoldPreferences, in.FoldOf = nil, nil // the paper's way on both sides
	for _, side := range []struct {
		name    string
		history dataset.Scope
		into    *map[string]float64
	}{{"train only", dataset.ScopeTrain, &w.TrainOnly}, {"leaky", dataset.ScopeAll, &w.Leaky}} {
		if in.Preferences, err = p.vectorsFrom(ctx, ds, side.history); err != nil {
			return nil, err
		}
		m, err := model.New(leakModel, in, modelSettings)
		if err != nil {
			return nil, err
		}
		topt.Seed = seed
		topt.OnEpoch = func(e train.Epoch) {
			p.emit(Event{Stage: "audit", Message: side.name + ": " + epochLine(leakModel, e, side.history == dataset.ScopeAll)})
		}
		res, err := train.Run(ctx, m, in, ds, topt)
		if err != nil {
			return nil, fmt.Errorf("measure the leak, %s: %w", side.name, err)
		}
		if res.Stopped == train.StoppedCancelled {
			return nil, context.Canceled
		}
		*side.into = res.Test
	}
	a, b := w.TrainOnly["recall@20"], w.Leaky["recall@20"]
	w.Sentence = fmt.Sprintf("Showing validation and test interactions to the preference writer moves test Recall@20 from %.4f to %.4f: that difference is the leak alone, all else equal.", a, b)
	return w, nil
}

// vectorsFrom writes preferences from the histories of a scope and encodes them,
// without storing either.
func (p *Pipeline) vectorsFrom(ctx context.Context, ds *dataset.Dataset, scope dataset.Scope) (*tensor.Matrix, error) {
	p.emit(Event{Stage: "audit", Message: fmt.Sprintf("writing preferences from %s interactions", scope)})
	a, err := newAuthor(AuthorOptions{MLLM: Offline}) // measured where texts cost nothing only; see wantMeasure
	if err != nil {
		return nil, err
	}
	catalogue, corpus, err := p.catalogue(ds.Items)
	if err != nil {
		return nil, err
	}
	h := PreferenceOptions{History: string(scope)}.histories(ds)
	reasoner, err := a.reasoner(ctx, corpus, nil)
	if err != nil {
		return nil, err
	}
	written := make([]string, ds.Users())
	for u := range written {
		req := texts.ReasonRequest{User: ds.UserIDs[u], Fold: texts.FullFold, Domain: ds.Domain, Attempt: 1}
		for _, i := range h.Items(u) {
			req.Items = append(req.Items, catalogue[i])
		}
		answer, err := reasoner.Reason(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("write the preference of user %q: %w", ds.UserIDs[u], err)
		}
		written[u] = answer.Text
	}
	enc, done, err := p.cachedEncoder(ctx)
	if err != nil {
		return nil, err
	}
	vectors, err := enc.Encode(ctx, written)
	return vectors, errors.Join(err, done())
}
