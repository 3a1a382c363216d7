package asking

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// ErrOfflinePrompt says that the offline writer asks nobody.
func ErrOfflinePrompt() error {
	return usererr.New("Choose a model server.", "the offline writer asks nobody: there is no prompt to show with %s offline", usererr.Option("mllm"))
}

// Estimate is what a stage will still take.
type Estimate struct {
	Stage string `json:"stage"`
	writer.Estimate
	Answered int    `json:"answered"` // in the ledger already, if weights and pictures are as they were
	Rate     string `json:"rate,omitempty"`
}

// MakeEstimate reckons what a stage will still take; fill does the stage's own part. No
// model is asked. tokensPerSecond is how fast one answer is written; 0 = as fast as the
// model's answers in the ledger were, if there are any.
func MakeEstimate(ctx context.Context, ws *workspace.Workspace, name string, opt backend.Options, tokensPerSecond float64,
	fill func(*Estimate, writer.Rates, texts.Store) error) (_ *Estimate, err error) {
	if opt.Free() {
		return nil, usererr.New("It takes no tokens, costs nothing, and writes some thousand texts a second.", "there is nothing to estimate with %s offline", usererr.Option("mllm"))
	}
	b, err := backend.Open(opt)
	if err != nil {
		return nil, err
	}
	store, err := OpenLedger(ctx, ws, opt.Shared.Store)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	e := &Estimate{Stage: name}
	rates := writer.Rates{Local: opt.MLLM == connect.Ollama && opt.Servers.Prices == "", TokensPerSecond: tokensPerSecond, Concurrency: b.Capacity()}
	if rates.Prices, err = opt.PriceTable(); err != nil {
		return nil, err
	}
	if tokensPerSecond == 0 {
		if err := e.measured(ctx, store, opt.Model(), &rates); err != nil {
			return nil, err
		}
	}
	return e, fill(e, rates, store)
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

// An answer is found by a key, of which an estimate, that asks nobody, lacks two parts:
// the digest of the server's weights, and the hash of each picture as it is sent. Both
// stand beside the answers in the ledger and are taken to be as they were; all else
// (titles, prompts, parameters, histories) is compared.

// mostWeights bounds the digests that are tried, the latest.
const mostWeights = 4

// LikelyWriters calls make with a backend for each of the weights that the model's stored
// answers were written with, those of the latest answers first, and for a server that
// tells no weights. No server is asked.
func LikelyWriters[T any](ctx context.Context, store texts.Store, name string, opt backend.Options, make func(*backend.Backend) (T, error)) ([]T, error) {
	last := map[string]time.Time{}
	err := store.Each(ctx, name, func(g texts.Generation) error {
		if g.Model == opt.Model() && g.Status == texts.StatusOK && g.Created.After(last[g.ModelDigest]) {
			last[g.ModelDigest] = g.Created
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var digests []string
	for d := range last {
		if d != "" {
			digests = append(digests, d)
		}
	}
	slices.SortFunc(digests, func(a, b string) int { return last[b].Compare(last[a]) })
	var all []T
	for _, digest := range append(digests[:min(len(digests), mostWeights)], "") {
		b, err := backend.WithWeights(opt, digest)
		if err != nil {
			return nil, err
		}
		one, err := make(b)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// MakeSheet lays answers of several writers side by side; fill asks them.
func MakeSheet(ctx context.Context, ws *workspace.Workspace, name string, n int, storeAddress string, fill func(*writer.Sheet, texts.Store) error) (_ *writer.Sheet, err error) {
	store, err := OpenLedger(ctx, ws, storeAddress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sheet := &writer.Sheet{Title: fmt.Sprintf("%s: %s, %d samples", ws.Manifest().Name, name, n)}
	return sheet, fill(sheet, store)
}

// FillColumn puts the stored answers beside those of the other writers.
func FillColumn(ctx context.Context, sheet *writer.Sheet, column writer.Column, keys []string, store texts.Store) error {
	stored, err := store.Get(ctx, keys)
	if err != nil {
		return err
	}
	sheet.Columns = append(sheet.Columns, column)
	for i, key := range keys {
		cell := writer.Cell{Failure: "nobody was asked"}
		if g, ok := stored[key]; ok {
			cell = writer.Cell{Text: g.Text, PromptTokens: g.PromptTokens, AnswerTokens: g.AnswerTokens, Seconds: g.Seconds}
			if g.Status != texts.StatusOK {
				cell.Failure = g.Class + ": " + g.Error
			}
		}
		sheet.Rows[i].Cells = append(sheet.Rows[i].Cells, cell)
	}
	return nil
}
