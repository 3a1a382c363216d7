//go:build unix

package ledger

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/ledgertest"
)

// Only the user reads a new ledger and the files that SQLite has beside it; a file that is
// there keeps the mode that its owner chose.
func TestNewLedgersArePrivate(t *testing.T) {
	for _, mode := range []os.FileMode{0, 0o644, 0o640} {
		path := filepath.Join(t.TempDir(), "l.db")
		want := os.FileMode(0o600)
		if mode != 0 {
			want = mode
			if err := os.WriteFile(path, nil, mode); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, path)
		if err := s.Put(t.Context(), []texts.Generation{ledgertest.Full("k")}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{path, path + "-wal", path + "-shm"} {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s of mode %o: %v, %v", name, mode, info, err)
			}
		}
	}
}
