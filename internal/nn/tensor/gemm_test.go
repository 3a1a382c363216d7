package tensor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// levels are the instruction sets that this machine can run.
func levels() []level {
	all := []level{levelGeneric}
	for l := levelGeneric + 1; l <= detected; l++ {
		if (l == levelNEON) == (runtime.GOARCH == "arm64") {
			all = append(all, l)
		}
	}
	return all
}

// atEachLevel runs f once with the kernels of each instruction set.
func atEachLevel(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, l := range levels() {
		t.Run(l.String(), func(t *testing.T) {
			setLevel(l)
			defer setLevel(detected)
			f(t)
		})
	}
}

func randomSlice(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func randomMatrix(r *rand.Rand, rows, cols int) *Matrix {
	return FromSlice(rows, cols, randomSlice(r, rows*cols))
}

type gemmCase struct {
	transA, transB   bool
	m, n, k          int
	alpha, beta      float32
	padA, padB, padC int // extra elements between rows
}

func (g gemmCase) String() string {
	return fmt.Sprintf("tA=%v tB=%v m=%d n=%d k=%d alpha=%g beta=%g pad=%d,%d,%d",
		g.transA, g.transB, g.m, g.n, g.k, g.alpha, g.beta, g.padA, g.padB, g.padC)
}

// check compares Sgemm with float64 sums and makes sure that nothing outside the
// block of C was written.
func (g gemmCase) check(t *testing.T, r *rand.Rand) {
	t.Helper()
	dims := func(trans bool, rows, cols, pad int) (int, int, int) {
		if trans {
			rows, cols = cols, rows
		}
		return rows, cols, cols + pad
	}
	ra, ca, lda := dims(g.transA, g.m, g.k, g.padA)
	rb, cb, ldb := dims(g.transB, g.k, g.n, g.padB)
	block := func(rows, cols, ld int) []float32 {
		if rows == 0 || cols == 0 {
			return nil
		}
		return randomSlice(r, (rows-1)*ld+cols)
	}
	a, b := block(ra, ca, lda), block(rb, cb, ldb)
	ldc := g.n + g.padC
	c := randomSlice(r, g.m*ldc)
	if g.beta == 0 {
		for i := range g.m {
			for j := range g.n {
				c[i*ldc+j] = float32(math.NaN()) // must be overwritten
			}
		}
	}
	got := slices.Clone(c)
	Sgemm(g.transA, g.transB, g.m, g.n, g.k, g.alpha, a, lda, b, ldb, g.beta, got, ldc)
	for i := range g.m {
		for j := range ldc {
			have := float64(got[i*ldc+j])
			if j >= g.n {
				if got[i*ldc+j] != c[i*ldc+j] {
					t.Fatalf("%v: wrote outside C at row %d, column %d", g, i, j)
				}
				continue
			}
			var sum, size float64
			for p := range g.k {
				x, y := i*lda+p, p*ldb+j
				if g.transA {
					x = p*lda + i
				}
				if g.transB {
					y = j*ldb + p
				}
				v := float64(a[x]) * float64(b[y])
				sum += v
				size += math.Abs(v)
			}
			want, scale := float64(g.alpha)*sum, math.Abs(float64(g.alpha))*size
			if g.beta != 0 {
				want += float64(g.beta) * float64(c[i*ldc+j])
				scale += math.Abs(float64(g.beta) * float64(c[i*ldc+j]))
			}
			if !(math.Abs(have-want) <= 1e-6*scale+1e-30) {
				t.Fatalf("%v: C[%d][%d] = %g, want %g", g, i, j, have, want)
			}
		}
	}
}

func TestSgemmAgainstFloat64(t *testing.T) {
	sizes := []int{0, 1, 2, 3, 5, 7, 13, 14, 15, 16, 17, 29, 31, 32, 33, 47, 64, 65, 97}
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		pick := func() int { return sizes[r.IntN(len(sizes))] }
		for range 200 {
			g := gemmCase{transA: r.IntN(2) == 1, transB: r.IntN(2) == 1, m: pick(), n: pick(), k: pick(),
				alpha: []float32{1, 1, -0.5, 0}[r.IntN(4)], beta: []float32{0, 0, 1, 0.25}[r.IntN(4)],
				padA: r.IntN(3), padB: r.IntN(3), padC: r.IntN(3)}
			g.check(t, r)
		}
	})
}

// TestSgemmLargeShapes reaches what small shapes do not: several blocks of k, of
// columns and of rows, the split reduction, rows that conflict in the cache.
func TestSgemmLargeShapes(t *testing.T) {
	cases := []gemmCase{
		{m: 131, n: 257, k: 384, alpha: 1, transB: true},
		{m: 101, n: 64, k: 256, alpha: 1},
		{m: 37, n: 65, k: 3001, alpha: 0.5, beta: 2, transA: true, padA: 1, padC: 5},
		{m: 64, n: 33, k: 2048, alpha: 1, transA: true},
		{m: 3, n: 5, k: 4099, alpha: 1, beta: 1},
		{m: 29, n: 40, k: 1024, alpha: 1, beta: 0.5, padA: 0},
		{m: 61, n: 70, k: 1100, alpha: 2, transB: true},
		{m: 60, n: 2100, k: 70, alpha: 1, transB: true},
		{m: 1, n: 3001, k: 64, alpha: 1, transB: true},
		{m: 2, n: 9001, k: 64, alpha: 1, beta: 1, transB: true},
		{m: 60, n: 601, k: 520, alpha: 1, transA: true},
		{m: 9, n: 1100, k: 1600, alpha: 0.5, beta: 2, transA: true, padC: 3}, // a split sum over several blocks of columns
		{m: 257, n: 20, k: 1601, alpha: 1, beta: 1, transB: true, padA: 2},   // long rows, many of them: copied, not split
		{m: 3, n: 5700, k: 1500, alpha: 1, beta: 1},                          // more packed columns than are kept at a time
	}
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, g := range cases {
			g.check(t, r)
		}
	})
}

// atProcs runs f at GOMAXPROCS n.
func atProcs(n int, f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	f()
}

func sameBits(t *testing.T, what string, a, b []float32) {
	t.Helper()
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			t.Fatalf("%s: element %d is %g at GOMAXPROCS 1 and %g at 2", what, i, a[i], b[i])
		}
	}
}

func TestSgemmSameBitsAtAnyProcs(t *testing.T) {
	cases := []gemmCase{
		{m: 700, n: 300, k: 90, transB: true}, {m: 130, n: 65, k: 4100, transA: true},
		{m: 200, n: 2200, k: 64, transB: true}, {m: 300, n: 300, k: 700}, {m: 1, n: 9000, k: 64, transB: true},
		{m: 300, n: 40, k: 1700, transB: true}, {m: 20, n: 1100, k: 1600, transA: true},
	}
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, g := range cases {
			a, b := randomSlice(r, g.m*g.k), randomSlice(r, g.n*g.k)
			lda, ldb := g.k, g.n
			if g.transA {
				lda = g.m
			}
			if g.transB {
				ldb = g.k
			}
			one, two := make([]float32, g.m*g.n), make([]float32, g.m*g.n)
			atProcs(1, func() { Sgemm(g.transA, g.transB, g.m, g.n, g.k, 1, a, lda, b, ldb, 0, one, g.n) })
			atProcs(2, func() { Sgemm(g.transA, g.transB, g.m, g.n, g.k, 1, a, lda, b, ldb, 0, two, g.n) })
			sameBits(t, g.String(), one, two)
		}
	})
}

// TestSgemmKeepsNaN: a NaN or Inf in an operand must reach every result it belongs to and no other.
func TestSgemmKeepsNaN(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		const m, n, k = 30, 40, 20
		r := rand.New(rand.NewPCG(7, 8))
		a, b, c := randomMatrix(r, m, k), randomMatrix(r, n, k), New(m, n)
		a.Data[17*k+3] = float32(math.NaN())
		b.Data[38*k+5] = float32(math.Inf(1))
		Gemm(false, true, 1, a, b, 0, c)
		for i := range m {
			for j := range n {
				v := float64(c.Row(i)[j])
				if i == 17 && !math.IsNaN(v) || i != 17 && j == 38 && !math.IsInf(v, 0) ||
					i != 17 && j != 38 && (math.IsNaN(v) || math.IsInf(v, 0)) {
					t.Fatalf("C[%d][%d] = %g", i, j, v)
				}
			}
		}
	})
}

func TestGemmPanicsOnShapes(t *testing.T) {
	for name, f := range map[string]func(){
		"inner":  func() { Gemm(false, false, 1, New(2, 3), New(4, 5), 0, New(2, 5)) },
		"result": func() { Gemm(false, false, 1, New(2, 3), New(3, 5), 0, New(5, 2)) },
		"short": func() {
			Sgemm(false, false, 2, 2, 2, 1, make([]float32, 3), 2, make([]float32, 4), 2, 0, make([]float32, 4), 2)
		},
		"ld": func() {
			Sgemm(false, false, 2, 2, 2, 1, make([]float32, 4), 1, make([]float32, 4), 2, 0, make([]float32, 4), 2)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
