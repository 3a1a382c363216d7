package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/livetest"
)

func BenchmarkPosts(b *testing.B) {
	livetest.Bench(b, func(t testing.TB) *live.Store { return openStore(t, filepath.Join(t.TempDir(), "live.db")) })
}

func BenchmarkRead(b *testing.B) {
	livetest.BenchRead(b, func(t testing.TB) *live.Store { return openStore(t, filepath.Join(t.TempDir(), "live.db")) })
}
