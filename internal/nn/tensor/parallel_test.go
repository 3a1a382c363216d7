package tensor

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestParallelCoversEachElementOnce(t *testing.T) {
	for _, n := range []int{0, 1, 5, 100, 1001} {
		for _, grain := range []int{-1, 1, 7, 100, 5000} {
			var chunks [2][][2]int
			for procs := 1; procs <= 2; procs++ {
				var mu sync.Mutex
				count := make([]int32, n)
				atProcs(procs, func() {
					Parallel(n, grain, func(lo, hi int) {
						for i := lo; i < hi; i++ {
							atomic.AddInt32(&count[i], 1)
						}
						mu.Lock()
						defer mu.Unlock()
						chunks[procs-1] = append(chunks[procs-1], [2]int{lo, hi})
					})
				})
				if i := slices.IndexFunc(count, func(c int32) bool { return c != 1 }); i >= 0 {
					t.Fatalf("n %d, grain %d: element %d visited %d times", n, grain, i, count[i])
				}
				slices.SortFunc(chunks[procs-1], func(a, b [2]int) int { return a[0] - b[0] })
			}
			if !slices.Equal(chunks[0], chunks[1]) {
				t.Fatalf("n %d, grain %d: chunks %v at GOMAXPROCS 1, %v at 2", n, grain, chunks[0], chunks[1])
			}
		}
	}
}

// TestKernelsShareHelpers calls kernels from many goroutines at once, inside Parallel
// and with pauses about as long as helpers linger, and checks every result.
func TestKernelsShareHelpers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 14))
	a, b, want := randomMatrix(r, 120, 90), randomMatrix(r, 110, 90), New(120, 110)
	Gemm(false, true, 1, a, b, 0, want)
	var wrong atomic.Int64
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for round := range 25 {
				Parallel(3, 1, func(int, int) {
					c := New(120, 110)
					Gemm(false, true, 1, a, b, 0, c)
					if !slices.Equal(c.Data, want.Data) {
						wrong.Add(1)
					}
				})
				time.Sleep(time.Duration(caller*round) * 2 * time.Microsecond)
			}
		})
	}
	callers.Wait()
	if n := wrong.Load(); n != 0 {
		t.Fatalf("%d of 300 products differ", n)
	}
}
