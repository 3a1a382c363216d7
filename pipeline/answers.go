package pipeline

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/mllmrec/mllmrec/reason"
	"github.com/mllmrec/mllmrec/reason/ledger"
	"github.com/mllmrec/mllmrec/workspace"
)

// Answers counts how far a reasoning stage has come.
type Answers struct {
	Total       int `json:"total"`
	Done        int `json:"done"`
	Failed      int `json:"failed"` // pictures that can't be read
	Quarantined int `json:"quarantined"`
}

// Answers reports both reasoning stages: from the manifest where a stage has finished,
// from the ledger while it runs.
func (p *Pipeline) Answers(ctx context.Context) (describe, preferences Answers, err error) {
	m := p.WS.Manifest()
	counts, err := p.ledgerCounts(ctx)
	if err != nil {
		return describe, preferences, err
	}
	of := func(stage string, total int) Answers {
		if st, ok := m.Stages[stage]; ok {
			return answersOf(st)
		}
		a := Answers{Total: total}
		for _, c := range counts {
			switch {
			case c.Stage != stage:
			case c.Status == reason.StatusOK:
				a.Done = min(a.Done+c.Generations, total)
			case c.Status == reason.StatusQuarantined:
				a.Quarantined += c.Generations
			}
		}
		return a
	}
	return of(workspace.StageDescribe, m.Items), of(workspace.StageReason, m.Users), nil
}

func answersOf(st workspace.Stage) Answers {
	n := func(key string) int {
		f, _ := st.Info[key].(float64) // JSON numbers
		return int(f)
	}
	a := Answers{Total: n("total"), Failed: n("image_failed"), Quarantined: n("quarantined")}
	a.Done = a.Total - n("pending") - a.Failed - a.Quarantined
	return a
}

func (p *Pipeline) ledgerCounts(ctx context.Context) ([]reason.Count, error) {
	path := p.WS.Path(workspace.GenerationsFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	store, err := ledger.OpenSQLite(ctx, path)
	if err != nil {
		return nil, err
	}
	counts, err := store.Counts(ctx)
	return counts, errors.Join(err, store.Close())
}
