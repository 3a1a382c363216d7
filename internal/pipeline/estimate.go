package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Estimate is what a stage will still take.
type Estimate struct {
	Stage string `json:"stage"`
	writer.Estimate
	Answered int    `json:"answered"` // in the ledger already, if weights and pictures are as they were
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
	rates := writer.Rates{Local: opt.MLLM == connect.Ollama && opt.Prices == "", TokensPerSecond: tokensPerSecond, Concurrency: a.pool.Capacity()}
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
	if stage == workspace.StageDescribe {
		err = p.estimateDescribe(ctx, e, opt, sopt, rates, ds, store)
	} else {
		err = p.estimateReason(ctx, e, opt, sopt, rates, ds, pref, store)
	}
	return e, err
}

// measured takes the rate from the answers that are there.
func (e *Estimate) measured(ctx context.Context, store texts.Store, model string, rates *writer.Rates) error {
	counts, err := store.Counts(ctx)
	if err != nil {
		return err
	}
	for _, c := range counts {
		if c.Stage == e.Stage && c.Model == model && c.Status == texts.StatusOK && c.Seconds > 0 && c.AnswerTokens > 0 {
			// Their seconds hold the reading of the prompts too.
			rates.TokensPerSecond, rates.PromptTokensPerSecond = float64(c.AnswerTokens)/c.Seconds, 1e12
			e.Rate = fmt.Sprintf("as fast as the %d answers so far, %.1f tokens a second each", c.Generations, rates.TokensPerSecond)
		}
	}
	return nil
}

func (p *Pipeline) estimateDescribe(ctx context.Context, e *Estimate, opt AuthorOptions, sopt writer.Options, rates writer.Rates, ds *dataset.Dataset, store texts.Store) error {
	if err := refuseHistoryOptions(opt); err != nil {
		return err
	}
	source, items, err := p.openPictures(opt.Pictures, ds.Items, false)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // nothing was read
	described, err := describedItems(ctx, store, opt, ds.Domain, items)
	if err != nil {
		return err
	}
	e.Estimate, err = writer.EstimateDescribe(sopt, func(yield func(texts.DescribeRequest) bool) {
		for _, it := range items {
			if it.Image == "" {
				continue
			}
			if described[it.ID] {
				e.Answered++
				continue
			}
			if !yield(texts.DescribeRequest{Item: it, Domain: ds.Domain}) {
				return
			}
		}
	}, rates)
	return err
}

func (p *Pipeline) estimateReason(ctx context.Context, e *Estimate, opt AuthorOptions, sopt writer.Options, rates writer.Rates, ds *dataset.Dataset, pref PreferenceOptions, store texts.Store) error {
	if err := pref.check(); err != nil {
		return err
	}
	catalogue, err := p.likelyCatalogue(ds, sopt)
	if err != nil {
		return err
	}
	h := pref.histories(ds)
	ropt := texts.ReasonOptions{Options: texts.Options{Domain: ds.Domain}, Folds: pref.Folds, FoldMinItems: pref.FoldsFor, Seed: foldSeed}
	unanswered := func(r texts.Reasoner, s texts.Store, fn func(texts.Question) error) error {
		return texts.UnansweredPreferences(ctx, h, ds.UserIDs, catalogue, r, s, ropt, fn)
	}
	reasoner, answered, err := likelyReasoner(ctx, store, opt, func(r texts.Reasoner) (int, error) {
		var found atomic.Int64
		err := unanswered(r, countingStore{store, &found}, func(texts.Question) error { return nil })
		return int(found.Load()), err
	})
	if err != nil {
		return err
	}
	e.Answered = answered
	var failed error
	var requests iter.Seq[texts.ReasonRequest] = func(yield func(texts.ReasonRequest) bool) {
		failed = unanswered(reasoner, store, func(q texts.Question) error {
			if !yield(*q.Reason) {
				return errStop
			}
			return nil
		})
	}
	e.Estimate, err = writer.EstimateReason(sopt, requests, rates)
	if errors.Is(failed, errStop) {
		failed = nil
	}
	return errors.Join(err, failed)
}

var errStop = errors.New("enough")

// likelyCatalogue is the catalogue with the descriptions there are; before there are any,
// with stand-ins as long as descriptions may be.
func (p *Pipeline) likelyCatalogue(ds *dataset.Dataset, opt writer.Options) ([]texts.HistoryItem, error) {
	if _, ok := p.WS.Manifest().Stages[workspace.StageDescribe]; ok {
		catalogue, _, err := p.catalogue(ds.Items)
		return catalogue, err
	}
	words := opt.Limits.Words
	if words == 0 {
		words = texts.MaxWords
	}
	standIn := ""
	for range words {
		standIn += "picture "
	}
	catalogue := make([]texts.HistoryItem, len(ds.Items))
	for i, it := range ds.Items {
		catalogue[i] = texts.HistoryItem{Item: it}
		if it.Image != "" {
			catalogue[i].ImageText = standIn
		}
	}
	return catalogue, nil
}
