package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/livetest"
)

func TestMain(m *testing.M) { livetest.Main(m, Open) }

func TestKilledShopLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live.db")
	livetest.Kill(t, path, kills, func(t testing.TB) *live.Store { return openStore(t, path) })
}
