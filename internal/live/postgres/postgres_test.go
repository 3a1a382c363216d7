package postgres

import (
	"testing"

	"github.com/mllmrec/mllmrec/internal/database/pg"
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

func TestPostgres(t *testing.T) {
	server := pgtest.Start(t)
	t.Run("conformance", func(t *testing.T) { conformance(t, server) })
	t.Run("shops", func(t *testing.T) { shops(t, server) })
}

func conformance(t *testing.T, server *pgtest.Server) {
	address := server.Database(t)
	pool, err := pg.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	livetest.Run(t, livetest.Opener{
		Empty: func(t testing.TB) *live.Store {
			if _, err := pool.Exec(t.Context(), "DROP SCHEMA IF EXISTS mllmrec CASCADE"); err != nil { // faster than another database
				t.Fatal(err)
			}
			return openStore(t, address)
		},
		Again: func(t testing.TB) *live.Store { return openStore(t, address) },
	})
}
