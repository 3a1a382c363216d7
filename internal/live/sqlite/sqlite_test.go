package sqlite

import (
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
