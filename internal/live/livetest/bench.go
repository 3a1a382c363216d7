package livetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
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

// BenchRead measures how long a server that starts takes to read its events, and its changes.
func BenchRead(b *testing.B, empty func(t testing.TB) *live.Store) {
	s := empty(b)
	const n = 50_000
	items := make([]dataset.Item, live.MaxItems)
	for lo := 0; lo < n; lo += live.MaxBatch {
		events := make([]live.Event, live.MaxBatch)
		for i := range events {
			events[i] = live.Event{User: fmt.Sprint("user-", i), Item: fmt.Sprint("item-", lo), Type: live.View, Key: fmt.Sprintf("%032x", lo+i)}
			items[i] = dataset.Item{ID: fmt.Sprint("item-", i), Title: "A thing of some kind", Description: strings.Repeat("word ", 60)}
		}
		add(b, s, events...)
	}
	if _, err := s.PutItems(b.Context(), items); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var reading, following time.Duration
	for range b.N {
		begun := time.Now()
		if err := s.EachEvent(b.Context(), 0, func(live.Event) error { return nil }); err != nil {
			b.Fatal(err)
		}
		reading += time.Since(begun)
		begun = time.Now()
		for after := int64(0); ; {
			_, next, err := s.Changes(b.Context(), after, 2000)
			if err != nil {
				b.Fatal(err)
			}
			if next == after {
				break
			}
			after = next
		}
		following += time.Since(begun)
	}
	b.ReportMetric(float64(b.N*n)/reading.Seconds(), "events/s")
	b.ReportMetric(float64(b.N*len(items))/following.Seconds(), "changes/s")
}
