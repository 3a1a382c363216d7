package asking

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Counts says how far the asking of a stage has come.
type Counts struct {
	Total       int `json:"total"`
	Done        int `json:"done"`
	Failed      int `json:"failed"` // pictures that can't be read
	Quarantined int `json:"quarantined"`
	// NeedsStore is set while a run keeps its answers in a shared ledger that was not given
	// to count in: Done is unknown then.
	NeedsStore bool `json:"needs_store,omitempty"`
}

// begun is what a stage notes of itself when it begins to ask, so that others can count
// while it runs and after it was killed.
type begun struct {
	Stage   string    `json:"stage"`
	Model   string    `json:"model,omitempty"` // whose answers count; empty: everybody's
	Total   int       `json:"total"`
	Shared  bool      `json:"shared,omitempty"` // answers go to a shared ledger; its address may hold a password, and is not noted
	Started time.Time `json:"started"`
}

func begunFile(name string) string { return "texts/" + name + ".begun.json" }

// noteBegun is best effort: without the note, status is less exact while the stage runs.
func noteBegun(ws *workspace.Workspace, name string, b *backend.Backend, total int) {
	n := begun{Stage: name, Total: total, Shared: b.Shared.Store != "", Started: time.Now().UTC()}
	if !b.Free() {
		n.Model = b.Model()
	}
	if ws.MakeFolder("texts") != nil {
		return
	}
	path, err := ws.Place(begunFile(name))
	if err != nil {
		return
	}
	atomicfile.Write(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(n) }) //nolint:errcheck // see above
}

func readBegun(ws *workspace.Workspace, name string) (n begun, ok bool) {
	raw, err := ws.ReadNote(begunFile(name))
	return n, err == nil && json.Unmarshal(raw, &n) == nil
}

// Count reports how far both stages have come: from their records where they have
// finished, from the ledger while they run. shared is the ledger that a run with a store
// of its own uses; nil if it was not given.
func Count(ctx context.Context, ws *workspace.Workspace, shared *Shared) (describe, preferences Counts, err error) {
	m := ws.Manifest()
	if describe, err = count(ctx, ws, shared, workspace.KindItemTexts, workspace.StageDescribe, m.Items); err != nil {
		return describe, preferences, err
	}
	preferences, err = count(ctx, ws, shared, workspace.KindUserTexts, workspace.StageReason, m.Users)
	return describe, preferences, err
}

func count(ctx context.Context, ws *workspace.Workspace, shared *Shared, kind workspace.Kind, name string, total int) (Counts, error) {
	_, a, finished := ws.Current(kind)
	note, running := readBegun(ws, name)
	running = running && note.Started.After(a.Finished)
	if finished && !running {
		return recorded(a), nil
	}
	if running {
		total = note.Total
	}
	if running && note.Shared && shared == nil {
		return Counts{Total: total, NeedsStore: true}, nil
	}
	if shared != nil && (note.Shared || !running) {
		t, err := shared.count(ctx, ws, name, note.Model)
		return Counts{Total: total, Done: min(t.OK, total), Quarantined: min(t.Quarantined, total)}, err
	}
	counts, err := ledgerCounts(ctx, ws)
	if err != nil {
		return Counts{}, err
	}
	c := Counts{Total: total}
	for _, g := range counts {
		switch {
		case g.Stage != name || note.Model != "" && g.Model != note.Model:
		case g.Status == texts.StatusOK:
			c.Done = min(c.Done+g.Generations, total)
		case g.Status == texts.StatusQuarantined:
			c.Quarantined = min(c.Quarantined+g.Generations, total)
		}
	}
	return c, nil
}

// recorded reads the counts of a finished stage.
func recorded(a workspace.Artefact) Counts {
	c := Counts{Total: infoCount(a, "total"), Failed: infoCount(a, "image_failed"), Quarantined: infoCount(a, "quarantined")}
	c.Done = c.Total - infoCount(a, "pending") - c.Failed - c.Quarantined
	return c
}

func infoCount(a workspace.Artefact, key string) int {
	switch n := a.Info[key].(type) {
	case float64: // read from JSON
		return int(n)
	case int:
		return n
	}
	return 0
}

func ledgerCounts(ctx context.Context, ws *workspace.Workspace) ([]texts.Count, error) {
	path, there, err := ws.LedgerPath()
	if err != nil || !there {
		return nil, err
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
