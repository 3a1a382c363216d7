package livetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/live"
)

// Bench measures how many events a second so many clients post, each waiting for its answer before
// it posts again, and how long the answers take.
func Bench(b *testing.B, empty func(t testing.TB) *live.Store) {
	for _, clients := range []int{1, 16, 256} {
		for _, size := range []int{1, 20} {
			b.Run(fmt.Sprintf("clients=%d/events=%d", clients, size), func(b *testing.B) { benchPosts(b, empty(b), clients, size) })
		}
	}
}

func benchPosts(b *testing.B, s *live.Store, clients, size int) {
	var next atomic.Int64
	took := make([][]time.Duration, clients)
	b.ResetTimer()
	start := time.Now()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				batch := make([]live.Event, size)
				for i := range batch {
					batch[i] = live.Event{User: fmt.Sprint("user-", c), Item: fmt.Sprint("item-", n%1000), Type: live.View,
						Key: fmt.Sprintf("%032x-%d", n, i), Request: fmt.Sprintf("%016x", n)}
				}
				begun := time.Now()
				if _, err := s.AddEvents(b.Context(), batch); err != nil {
					b.Error(err)
					return
				}
				took[c] = append(took[c], time.Since(begun))
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(len(all)*size)/elapsed.Seconds(), "events/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}
