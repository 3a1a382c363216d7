package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Answers counts how far a reasoning stage has come.
type Answers struct {
	Total       int `json:"total"`
	Done        int `json:"done"`
	Failed      int `json:"failed"` // pictures that can't be read
	Quarantined int `json:"quarantined"`
	// NeedsStore is set while a run keeps its answers in a shared ledger that was not given
	// to count in: Done is unknown then.
	NeedsStore bool `json:"needs_store,omitempty"`
}

// begun is what a reasoning stage notes of itself when it begins, so that others can
// count while it runs and after it was killed.
type begun struct {
	Stage   string    `json:"stage"`
	Model   string    `json:"model,omitempty"` // whose answers count; empty: everybody's
	Total   int       `json:"total"`
	Shared  bool      `json:"shared,omitempty"` // answers go to a shared ledger; its address may hold a password, and is not noted
	Started time.Time `json:"started"`
}

func begunFile(stage string) string { return "texts/" + stage + ".begun.json" }

// noteBegun is best effort: without the note, status is less exact while the stage runs.
func (p *Pipeline) noteBegun(stage string, a *author, total int) {
	b := begun{Stage: stage, Total: total, Shared: a.opt.Store != "", Started: time.Now().UTC()}
	if !a.free() {
		b.Model = a.opt.model()
	}
	if path, err := p.fileFor(begunFile(stage)); err == nil {
		writeJSON(path, b) //nolint:errcheck // see above
	}
}

// Answers reports both reasoning stages: from the manifest where a stage has finished,
// from the ledger while it runs. shared is the ledger that a run with --store uses; nil
// if it was not given.
func (p *Pipeline) Answers(ctx context.Context, shared *Shared) (describe, preferences Answers, err error) {
	m := p.WS.Manifest()
	if describe, err = p.answers(ctx, shared, workspace.StageDescribe, m.Items); err != nil {
		return describe, preferences, err
	}
	preferences, err = p.answers(ctx, shared, workspace.StageReason, m.Users)
	return describe, preferences, err
}

func (p *Pipeline) answers(ctx context.Context, shared *Shared, stage string, total int) (Answers, error) {
	st, finished := p.WS.Manifest().Stages[stage]
	note, running := p.readBegun(stage)
	running = running && note.Started.After(st.Finished)
	if finished && !running {
		return answersOf(st), nil
	}
	if running {
		total = note.Total
	}
	if running && note.Shared && shared == nil {
		return Answers{Total: total, NeedsStore: true}, nil
	}
	if shared != nil && (note.Shared || !running) {
		t, err := p.countShared(ctx, shared, stage, note.Model)
		return Answers{Total: total, Done: min(t.OK, total), Quarantined: min(t.Quarantined, total)}, err
	}
	counts, err := p.ledgerCounts(ctx)
	if err != nil {
		return Answers{}, err
	}
	a := Answers{Total: total}
	for _, c := range counts {
		switch {
		case c.Stage != stage || note.Model != "" && c.Model != note.Model:
		case c.Status == texts.StatusOK:
			a.Done = min(a.Done+c.Generations, total)
		case c.Status == texts.StatusQuarantined:
			a.Quarantined = min(a.Quarantined+c.Generations, total)
		}
	}
	return a, nil
}

func (p *Pipeline) readBegun(stage string) (b begun, ok bool) {
	raw, err := os.ReadFile(p.WS.Path(begunFile(stage)))
	return b, err == nil && json.Unmarshal(raw, &b) == nil
}

func answersOf(st workspace.Stage) Answers {
	a := Answers{Total: infoCount(st, "total"), Failed: infoCount(st, "image_failed"), Quarantined: infoCount(st, "quarantined")}
	a.Done = a.Total - infoCount(st, "pending") - a.Failed - a.Quarantined
	return a
}

func (p *Pipeline) ledgerCounts(ctx context.Context) ([]texts.Count, error) {
	path := p.WS.Path(workspace.GenerationsFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	store, err := ledger.OpenSQLite(ctx, path)
	if err != nil {
		return nil, err
	}
	counts, err := store.Counts(ctx)
	if err := errors.Join(err, store.Close()); err != nil {
		return nil, fmt.Errorf("count answers: %w", err)
	}
	return counts, nil
}
