package itemgraph

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// peak runs f and returns the highest heap in use while it ran, above what was in use
// before.
func peak(f func()) uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, most := m.HeapInuse, m.HeapInuse
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(stop)
	<-done
	return most - before
}

// The curve of time and memory over the catalogue: 384 dimensions, ten clicks an item.
// Memory has to grow with the items, not with their square (100,000² cosines would be
// 40 GB).
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{10_000, 30_000, 100_000} {
		b.Run(fmt.Sprintf("items=%d", n), func(b *testing.B) {
			if testing.Short() && n > 30_000 {
				b.Skip("half a minute")
			}
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			x := tensor.New(n, 384)
			for i := range x.Data {
				x.Data[i] = float32(rng.NormFloat64())
			}
			ds := &dataset.Dataset{UserIDs: make([]string, 2*n), Items: make([]dataset.Item, n)}
			for range 10 * n {
				i := int32(float64(n) * rng.Float64() * rng.Float64())
				ds.Append(dataset.Interaction{User: rng.Int32N(int32(2 * n)), Item: i})
			}
			ds.Sort()
			train := ds.TrainHistories()
			var most uint64
			for b.Loop() {
				most = max(most, peak(func() {
					if _, err := Build(b.Context(), x, train, DefaultOptions()); err != nil {
						b.Fatal(err)
					}
				}))
			}
			b.ReportMetric(float64(most)/(1<<20), "peak-MiB")
			b.ReportMetric(float64(most)/float64(n), "peak-B/item")
			b.ReportMetric(float64(n)*float64(n+1)/2*384*2/1e9/(b.Elapsed().Seconds()/float64(b.N)), "GFLOP/s")
		})
	}
}

// The parts at Baby's size, 7,050 items and 118,551 clicks of 19,445 users.
func BenchmarkBaby(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	n := 7050
	x := tensor.New(n, 384)
	for i := range x.Data {
		x.Data[i] = float32(rng.NormFloat64())
	}
	train := randomClicks(rng, 19445, n, 118551*10/8).TrainHistories()
	b.Run("cosine", func(b *testing.B) {
		for b.Loop() {
			if _, err := TopCosine(b.Context(), x, 10, 0.7); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("jaccard", func(b *testing.B) {
		for b.Loop() {
			if _, err := TopJaccard(b.Context(), train, 10); err != nil {
				b.Fatal(err)
			}
		}
	})
}
