package postgres

import (
	"context"
	"testing"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/livetest"
)

func TestMain(m *testing.M) {
	livetest.Main(m, func(ctx context.Context, where string) (*live.Store, error) { return Open(ctx, where, "shop") })
}

func TestKilledShopLosesNothing(t *testing.T) {
	address := pgtest.Start(t).Database(t)
	livetest.Kill(t, address, kills, func(t testing.TB) *live.Store { return openStore(t, address) })
}
