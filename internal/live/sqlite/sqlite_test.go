package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/livetest"
)

func openStore(t testing.TB, path string) *live.Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSQLiteConforms(t *testing.T) {
	var path string
	livetest.Run(t, livetest.Opener{
		Empty: func(t testing.TB) *live.Store {
			path = filepath.Join(t.TempDir(), "li ve?#%.db")
			return openStore(t, path)
		},
		Again: func(t testing.TB) *live.Store { return openStore(t, path) },
	})
}

// No byte of the file tells the secret of a key.
func TestFileHoldsNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live.db")
	s := openStore(t, path)
	text, k, err := s.NewKey(t.Context(), "the name of the key", []live.Role{live.Read})
	if err != nil {
		t.Fatal(err)
	}
	var raw []byte
	for _, suffix := range []string{"", "-wal"} {
		part, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, part...)
	}
	if !bytes.Contains(raw, []byte(k.ID)) || !bytes.Contains(raw, []byte("the name of the key")) || bytes.Contains(raw, []byte(text[len(text)-64:])) {
		t.Error("the file lacks the key or holds its secret")
	}
}
