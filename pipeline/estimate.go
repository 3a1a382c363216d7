package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/mllm/connect"
	"github.com/mllmrec/mllmrec/reason"
	"github.com/mllmrec/mllmrec/reason/prompt"
	"github.com/mllmrec/mllmrec/reason/served"
	"github.com/mllmrec/mllmrec/workspace"
)

// Estimate is what a stage will still take.
type Estimate struct {
	Stage string `json:"stage"`
	served.Estimate
	Answered int    `json:"answered"` // by the same model to the same prompt, in the ledger already
	Rate     string `json:"rate,omitempty"`
}

// Estimate reckons what a stage will still take under these options. No model is asked.
// tokensPerSecond is how fast one answer is written; 0 = as fast as the model's answers
// in the ledger were, if there are any.
func (p *Pipeline) Estimate(ctx context.Context, stage string, opt AuthorOptions, pref PreferenceOptions, tokensPerSecond float64) (_ *Estimate, err error) {
	if opt.MLLM == Offline {
		return nil, usererr.New("It takes no tokens, costs nothing, and writes some thousand texts a second.", "there is nothing to estimate with --mllm offline")
	}
	a, err := newAuthor(opt)
	if err != nil {
		return nil, err
	}
	ds, err := p.WS.Dataset()
	if err != nil {
		return nil, err
	}
	store, err := p.openLedger(ctx, opt.Store)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	e := &Estimate{Stage: stage}
	rates := served.Rates{Local: opt.MLLM == connect.Ollama && opt.Prices == "", TokensPerSecond: tokensPerSecond, Concurrency: a.pool.Capacity()}
	if rates.Prices, err = opt.prices(); err != nil {
		return nil, err
	}
	if tokensPerSecond == 0 {
		if err := e.measured(ctx, store, opt.model(), &rates); err != nil {
			return nil, err
		}
	}
	sopt, err := opt.served(nil)
	if err != nil {
		return nil, err
	}
	answered, err := answeredSubjects(ctx, store, stage, opt.model(), sopt)
	if err != nil {
		return nil, err
	}
	if stage == workspace.StageDescribe {
		err = p.estimateDescribe(e, opt, sopt, rates, ds, answered)
	} else {
		err = p.estimateReason(ctx, e, opt, sopt, rates, ds, pref, answered)
	}
	return e, err
}

// measured takes the rate from the answers that are there.
func (e *Estimate) measured(ctx context.Context, store reason.Store, model string, rates *served.Rates) error {
	counts, err := store.Counts(ctx)
	if err != nil {
		return err
	}
	for _, c := range counts {
		if c.Stage == e.Stage && c.Model == model && c.Status == reason.StatusOK && c.Seconds > 0 && c.AnswerTokens > 0 {
			// Their seconds hold the reading of the prompts too.
			rates.TokensPerSecond, rates.PromptTokensPerSecond = float64(c.AnswerTokens)/c.Seconds, 1e12
			e.Rate = fmt.Sprintf("as fast as the %d answers so far, %.1f tokens a second each", c.Generations, rates.TokensPerSecond)
		}
	}
	return nil
}

// answerOf is a subject and the fold left out of its history.
type answerOf struct {
	subject string
	fold    int
}

// answeredSubjects finds what this model has answered to these prompts. Keys are not
// compared: they would need every picture read, and the server's word on its weights.
func answeredSubjects(ctx context.Context, store reason.Store, stage, model string, opt served.Options) (map[answerOf]reason.Generation, error) {
	kind := prompt.Describe
	if stage == workspace.StageReason {
		kind = prompt.Preference
	}
	hash := opt.Prompts.Hash(kind)
	answered := map[answerOf]reason.Generation{}
	err := store.Each(ctx, stage, func(g reason.Generation) error {
		if g.Status == reason.StatusOK && g.Model == model && (g.PromptHash == hash || stage == workspace.StageReason && g.PromptHash == served.RecurrentHash(opt.Prompts)) {
			answered[answerOf{g.Subject, g.Fold}] = reason.Generation{SplitHash: g.SplitHash, Scope: g.Scope}
		}
		return nil
	})
	return answered, err
}

func (p *Pipeline) estimateDescribe(e *Estimate, opt AuthorOptions, sopt served.Options, rates served.Rates, ds *dataset.Dataset, answered map[answerOf]reason.Generation) (err error) {
	if err := refuseHistoryOptions(opt); err != nil {
		return err
	}
	source, items, err := p.openPictures(opt.Pictures, ds.Items, false)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // nothing was read
	e.Estimate, err = served.EstimateDescribe(sopt, func(yield func(reason.DescribeRequest) bool) {
		for _, it := range items {
			if it.Image == "" {
				continue
			}
			if _, ok := answered[answerOf{it.ID, reason.FullFold}]; ok {
				e.Answered++
				continue
			}
			if !yield(reason.DescribeRequest{Item: it, Domain: ds.Domain}) {
				return
			}
		}
	}, rates)
	return err
}

func (p *Pipeline) estimateReason(ctx context.Context, e *Estimate, opt AuthorOptions, sopt served.Options, rates served.Rates, ds *dataset.Dataset, pref PreferenceOptions, answered map[answerOf]reason.Generation) error {
	if err := pref.check(); err != nil {
		return err
	}
	catalogue, err := p.likelyCatalogue(ds, sopt)
	if err != nil {
		return err
	}
	silent, err := silentAuthor(opt)
	if err != nil {
		return err
	}
	reasoner, err := silent.reasoner(ctx, nil, nil)
	if err != nil {
		return err
	}
	h := pref.histories(ds)
	var failed error
	var requests iter.Seq[reason.ReasonRequest] = func(yield func(reason.ReasonRequest) bool) {
		ropt := reason.ReasonOptions{Options: reason.Options{Domain: ds.Domain}, Folds: pref.Folds, FoldsFor: pref.FoldsFor, Seed: foldSeed}
		failed = reason.UnansweredPreferences(ctx, h, ds.UserIDs, catalogue, reasoner, noAnswers{}, ropt, func(q reason.Question) error {
			if g, ok := answered[answerOf{q.About.Subject, q.About.Fold}]; ok && g.SplitHash == q.About.SplitHash && g.Scope == q.About.Scope {
				e.Answered++
				return nil
			}
			if !yield(*q.Reason) {
				return errStop
			}
			return nil
		})
	}
	e.Estimate, err = served.EstimateReason(sopt, requests, rates)
	if errors.Is(failed, errStop) {
		failed = nil
	}
	return errors.Join(err, failed)
}

var errStop = errors.New("enough")

// likelyCatalogue is the catalogue with the descriptions there are; before there are any,
// with stand-ins as long as descriptions may be.
func (p *Pipeline) likelyCatalogue(ds *dataset.Dataset, opt served.Options) ([]reason.HistoryItem, error) {
	if _, ok := p.WS.Manifest().Stages[workspace.StageDescribe]; ok {
		catalogue, _, err := p.catalogue(ds.Items)
		return catalogue, err
	}
	words := opt.Limits.Words
	if words == 0 {
		words = reason.MaxWords
	}
	standIn := ""
	for range words {
		standIn += "picture "
	}
	catalogue := make([]reason.HistoryItem, len(ds.Items))
	for i, it := range ds.Items {
		catalogue[i] = reason.HistoryItem{Item: it}
		if it.Image != "" {
			catalogue[i].ImageText = standIn
		}
	}
	return catalogue, nil
}

// noAnswers is a store that holds nothing.
type noAnswers struct{ reason.Store }

func (noAnswers) Statuses(context.Context, []string) (map[string]reason.Standing, error) {
	return nil, nil
}
