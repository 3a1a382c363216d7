package asking

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"

	"github.com/mllmrec/mllmrec/internal/consent"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/spool"
)

// OpenToAsk opens the ledger for a stage that asks. Answers that cost something are kept where it cannot be
// written. Free ones are made again, and those of workers are kept by the workers.
func OpenToAsk(ctx context.Context, s *stage.Session, w *backend.Backend, name string) (texts.Store, error) {
	store, err := OpenLedger(ctx, s.WS, w.Shared.Store)
	if err != nil || w.Free() || w.Shared.Workers {
		return store, err
	}
	base, own := spoolFolder(s, w.Shared)
	spooling, err := spool.Open(ctx, store, spool.Options{Base: base, Name: own, Note: func(format string, args ...any) { s.Note(name, format, args...) }})
	if err != nil {
		store.Close() //nolint:errcheck // nothing was written
		return nil, err
	}
	return spooling, nil
}

// spoolFolder is where unstored answers go, and the name there of this workspace's folder: answers of other
// workspaces must not come into its ledger. base is "" where the user has no configuration folder.
func spoolFolder(s *stage.Session, shared backend.Shared) (base, own string) {
	if base = shared.Spool; base == "" {
		if config, err := consent.Dir(); err == nil {
			base = filepath.Join(config, "unstored-answers")
		}
	}
	dir, err := filepath.Abs(s.WS.Dir())
	if err != nil {
		dir = s.WS.Dir()
	}
	sum := sha256.Sum256([]byte(dir))
	return base, filepath.Base(dir) + "-" + hex.EncodeToString(sum[:4])
}

// ready is what has questions wait while answers cannot be stored; nil where nothing has.
func ready(store texts.Store) func(context.Context) error {
	if s, ok := store.(*spool.Store); ok {
		return s.Ready
	}
	return nil
}
