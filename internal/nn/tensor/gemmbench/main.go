//go:build openblas

// Command gemmbench compares the GEMM of package tensor with OpenBLAS on the shapes
// of training and scoring. Both run interleaved in one process on GOMAXPROCS
// threads; the table gives medians and the median of the pairwise ratios.
//
// It needs cgo and OpenBLAS: go run -tags openblas ./internal/tensor/gemmbench
package main

/*
#cgo LDFLAGS: -lopenblas
#include <cblas.h>
extern void openblas_set_num_threads(int);
extern char *openblas_get_config(void);
*/
import "C"

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// shape is C[m×n] = op(A)·op(B), summed over k.
type shape struct {
	what           string
	transA, transB bool
	m, n, k        int
}

func shapes() []shape {
	var all []shape
	layers := [][2]int{{384, 256}, {256, 64}} // in, out
	for _, m := range []int{4096, 8192, 32768} {
		for _, l := range layers {
			in, out := l[0], l[1]
			all = append(all,
				shape{"forward X·Wᵀ", false, true, m, out, in},
				shape{"backward dY·W", false, false, m, in, out},
				shape{"weights dYᵀ·X", true, false, out, in, m})
		}
	}
	return append(all,
		shape{"scoring U·Iᵀ", false, true, 4096, 7050, 64},
		shape{"scoring U·Iᵀ", false, true, 256, 7050, 64})
}

var cpuTime bool

// clock returns seconds since some fixed time.
func clock() float64 {
	if !cpuTime {
		return time.Since(started).Seconds()
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		fmt.Fprintln(os.Stderr, "gemmbench: read processor time:", err)
		os.Exit(1)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

var started = time.Now()

func main() {
	rounds := flag.Int("rounds", 15, "timed pairs a shape")
	only := flag.String("only", "", "run shapes whose description contains this")
	flag.BoolVar(&cpuTime, "cputime", false, "count processor time, not wall time: on a busy machine, with GOMAXPROCS=1")
	flag.Parse()
	C.openblas_set_num_threads(C.int(runtime.GOMAXPROCS(0)))
	fmt.Printf("%d threads, kernels %s, OpenBLAS: %s\n", runtime.GOMAXPROCS(0), tensor.Kernels(), C.GoString(C.openblas_get_config()))
	w := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', tabwriter.AlignRight)
	if cpuTime {
		fmt.Println("speeds count processor time")
	}
	fmt.Fprintln(w, "product\tm\tn\tk\tours GFLOP/s\tOpenBLAS GFLOP/s\tratio\tratio of best\t")
	worst, logSum, count := math.Inf(1), 0.0, 0
	for _, s := range shapes() {
		if !strings.Contains(s.what, *only) {
			continue
		}
		r := compare(s, *rounds)
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.0f\t%.0f\t%.2f\t%.2f\t\n", s.what, s.m, s.n, s.k, r.ours, r.theirs, r.ratio, r.best)
		worst, logSum, count = min(worst, r.ratio), logSum+math.Log(r.ratio), count+1
	}
	w.Flush()
	fmt.Printf("worst ratio %.2f, geometric mean %.2f\n", worst, math.Exp(logSum/float64(count)))
}

// spinTime is how long OpenBLAS's threads may keep polling for work after a call; on a
// machine with as many threads as cores they would steal time from what runs next.
const spinTime = 60 * time.Millisecond

// result holds median GFLOP/s of both, the median ratio of speeds in a round, and the
// ratio of the best speeds, which other load on the machine disturbs least.
type result struct{ ours, theirs, ratio, best float64 }

// compare times both products in turns.
func compare(s shape, rounds int) result {
	r := rand.New(rand.NewPCG(1, 1))
	matrix := func(rows, cols int) *tensor.Matrix {
		x := tensor.New(rows, cols)
		for i := range x.Data {
			x.Data[i] = r.Float32() - 0.5
		}
		return x
	}
	a, b := matrix(s.m, s.k), matrix(s.k, s.n)
	if s.transA {
		a = matrix(s.k, s.m)
	}
	if s.transB {
		b = matrix(s.n, s.k)
	}
	c, want := tensor.New(s.m, s.n), tensor.New(s.m, s.n)
	flops := 2 * float64(s.m) * float64(s.n) * float64(s.k)
	repeat := max(1, int(1e10/flops)) // about 40 ms a timing
	time1 := func(f func()) float64 {
		// Warm caches and threads: threads that have slept may share a core until the
		// system's balancer moves one, which a training run pays once and a single product
		// would pay each time.
		for range repeat {
			f()
		}
		start := clock()
		for range repeat {
			f()
		}
		return flops * float64(repeat) / (clock() - start) / 1e9
	}
	mine := func() { tensor.Gemm(s.transA, s.transB, 1, a, b, 0, c) }
	other := func() { openblas(s, a, b, want) }
	timeOther := func() float64 {
		defer time.Sleep(spinTime)
		return time1(other)
	}
	mine()
	other()
	check(s, c, want)
	var x, y, q []float64
	for i := range rounds {
		var g, o float64
		if i%2 == 0 { // neither may always go first
			g, o = time1(mine), timeOther()
		} else {
			o, g = timeOther(), time1(mine)
		}
		x, y, q = append(x, g), append(y, o), append(q, g/o)
	}
	return result{median(x), median(y), median(q), slices.Max(x) / slices.Max(y)}
}

func openblas(s shape, a, b, c *tensor.Matrix) {
	trans := func(t bool) uint32 {
		if t {
			return C.CblasTrans
		}
		return C.CblasNoTrans
	}
	C.cblas_sgemm(C.CblasRowMajor, trans(s.transA), trans(s.transB), C.blasint(s.m), C.blasint(s.n), C.blasint(s.k), 1,
		(*C.float)(&a.Data[0]), C.blasint(a.Cols), (*C.float)(&b.Data[0]), C.blasint(b.Cols), 0, (*C.float)(&c.Data[0]), C.blasint(c.Cols))
}

// check stops the program when the two products differ: a fast wrong answer is worth nothing.
func check(s shape, got, want *tensor.Matrix) {
	tolerance := 2e-5 * math.Sqrt(float64(s.k))
	for i, v := range got.Data {
		if d := math.Abs(float64(v - want.Data[i])); !(d <= tolerance) {
			fmt.Fprintf(os.Stderr, "gemmbench: %+v: element %d is %g, OpenBLAS says %g\n", s, i, v, want.Data[i])
			os.Exit(1)
		}
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
