package postgres

import (
	"testing"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/livetest"
)

// BenchmarkPosts measures a server with the settings of tests, which does not wait for a disk;
// MLLMREC_TEST_POSTGRES names one that does.
func BenchmarkPosts(b *testing.B) {
	server := pgtest.Start(b)
	livetest.Bench(b, func(t testing.TB) *live.Store { return openStore(t, server.Database(t)) })
}

func BenchmarkRead(b *testing.B) {
	server := pgtest.Start(b)
	livetest.BenchRead(b, func(t testing.TB) *live.Store { return openStore(t, server.Database(t)) })
}
