package postgres

import (
	"testing"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/livetest"
)

func openStore(t testing.TB, address string) *live.Store {
	t.Helper()
	s, err := Open(t.Context(), address, "shop")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestPostgresConforms(t *testing.T) {
	server := pgtest.Start(t)
	var address string
	livetest.Run(t, livetest.Opener{
		Empty: func(t testing.TB) *live.Store {
			address = server.Database(t)
			return openStore(t, address)
		},
		Again: func(t testing.TB) *live.Store { return openStore(t, address) },
	})
}
