package tensor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// spd returns a random n×n matrix A·Aᵀ/n + I: eigenvalues from 1 to about 5.
func spd(r *rand.Rand, n int) *Matrix {
	a, s := New(n, n), New(n, n)
	for i := range a.Data {
		a.Data[i] = float32(r.NormFloat64())
	}
	for i := range n {
		s.Row(i)[i] = 1
	}
	AddSymmetric(false, 1/float32(n), a, s)
	return s
}

// orders of matrices that end within a leaf, at its edge and after several cuts.
var spdOrders = []int{1, 2, 31, 32, 33, 129, 257, 421}

// multiplied returns op(a)·op(b) in float64.
func multiplied(transA, transB bool, a, b *Matrix) []float64 {
	if transA {
		a = transposed(a)
	}
	if !transB {
		b = transposed(b)
	}
	out := make([]float64, 0, a.Rows*b.Rows)
	for i := range a.Rows {
		for j := range b.Rows {
			var s float64
			other := b.Row(j)
			for p, v := range a.Row(i) {
				s += float64(v) * float64(other[p])
			}
			out = append(out, s)
		}
	}
	return out
}

func transposed(m *Matrix) *Matrix {
	t := New(m.Cols, m.Rows)
	for i := range m.Rows {
		for j, v := range m.Row(i) {
			t.Row(j)[i] = v
		}
	}
	return t
}

func TestCholeskyAgainstFloat64(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 30))
		for _, n := range spdOrders {
			if testing.Short() && n > 100 {
				continue
			}
			a := spd(r, n)
			l := a.Clone()
			for i := range n { // the upper half must not be read
				for j := i + 1; j < n; j++ {
					l.Row(i)[j] = float32(math.NaN())
				}
			}
			if err := Cholesky(t.Context(), l, nil); err != nil {
				t.Fatalf("n=%d: %v", n, err)
			}
			for e, got := range multiplied(false, true, l, l) {
				if d := math.Abs(got - float64(a.Data[e])); d > 1e-5 {
					t.Fatalf("n=%d: (L·Lᵀ)(%d,%d) is off by %g", n, e/n, e%n, d)
				}
				if j := e % n; j > e/n && l.Data[e] != 0 {
					t.Fatalf("n=%d: the upper half holds %g", n, l.Data[e])
				}
			}
		}
	})
}

func TestInvertSPD(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 31))
		for _, n := range spdOrders {
			if testing.Short() && n > 100 {
				continue
			}
			a := spd(r, n)
			p := a.Clone()
			for i := range n {
				for j := i + 1; j < n; j++ {
					p.Row(i)[j] = float32(math.NaN())
				}
			}
			var last, total float64
			if err := InvertSPD(t.Context(), p, func(d, of float64) {
				if d < last || d > of {
					t.Errorf("n=%d: progress went from %g to %g of %g", n, last, d, of)
				}
				last, total = d, of
			}); err != nil {
				t.Fatalf("n=%d: %v", n, err)
			}
			if n > 400 && last < 0.9*total {
				t.Errorf("n=%d: progress ended at %g of %g", n, last, total)
			}
			for e, got := range multiplied(false, false, a, p) {
				want := 0.0
				if e/n == e%n {
					want = 1
				}
				if d := math.Abs(got - want); d > 2e-5 {
					t.Fatalf("n=%d: (A·A⁻¹)(%d,%d) is off by %g", n, e/n, e%n, d)
				}
				if p.Data[e] != p.Data[e%n*n+e/n] {
					t.Fatalf("n=%d: the inverse is not symmetric", n)
				}
			}
		}
	})
}

func TestSolveTriangles(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 32))
		for _, n := range []int{1, 32, 65, 200} {
			for _, m := range []int{1, 7, 600} {
				if testing.Short() && n*m > 5000 {
					continue
				}
				l := spd(r, n)
				if err := Cholesky(t.Context(), l, nil); err != nil {
					t.Fatal(err)
				}
				for _, trans := range []bool{false, true} {
					b := randomMatrix(r, n, m)
					x := b.Clone()
					solve := SolveLower
					if trans {
						solve = SolveLowerTransposed
					}
					if err := solve(t.Context(), l, x); err != nil {
						t.Fatal(err)
					}
					for e, got := range multiplied(trans, false, l, x) {
						if d := math.Abs(got - float64(b.Data[e])); d > 1e-5 {
							t.Fatalf("n=%d m=%d transposed=%v: element %d of L·x is off by %g", n, m, trans, e, d)
						}
					}
				}
			}
		}
	})
}

func TestAddSymmetric(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 33))
	for _, trans := range []bool{false, true} {
		for _, n := range []int{5, 384, 700} {
			a := randomMatrix(r, n, 40)
			if trans {
				a = FromSlice(40, n, a.Data)
			}
			got, want := spd(r, n), New(n, n)
			copy(want.Data, got.Data)
			AddSymmetric(trans, -0.5, a, got)
			Gemm(trans, !trans, -0.5, a, a, 1, want)
			for e := range got.Data {
				if math.Abs(float64(got.Data[e]-want.Data[e])) > 1e-4 {
					t.Fatalf("n=%d transposed=%v: %g, want %g", n, trans, got.Data[e], want.Data[e])
				}
			}
		}
	}
}

func TestNotPositiveDefinite(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 34))
	for _, pivot := range []int{0, 5, 40, 150} {
		for _, value := range []float32{-3, 0, float32(math.NaN()), float32(math.Inf(1))} {
			a := spd(r, 160)
			for j := range 160 {
				a.Row(pivot)[j], a.Row(j)[pivot] = 0, 0
			}
			a.Row(pivot)[pivot] = value
			var bad *NotPositiveDefiniteError
			if err := InvertSPD(t.Context(), a, nil); !errors.As(err, &bad) || bad.Pivot != pivot {
				t.Errorf("pivot %d of %g: %v", pivot, value, err)
			}
		}
	}
}

func TestInvertSPDCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := spd(rand.New(rand.NewPCG(1, 35)), 500)
	calls := 0
	err := InvertSPD(ctx, a, func(float64, float64) { calls++; cancel() })
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%v after %d steps, want a stop after the first", err, calls)
	}
}

func TestInvertSPDSameBitsAtAnyProcs(t *testing.T) {
	a := spd(rand.New(rand.NewPCG(1, 36)), 700)
	var first *Matrix
	for _, procs := range []int{1, 2, 5} {
		atProcs(procs, func() {
			p := a.Clone()
			if err := InvertSPD(t.Context(), p, nil); err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = p
			}
			sameBits(t, fmt.Sprintf("inverse at %d processors", procs), p.Data, first.Data)
		})
	}
}

// BenchmarkInvertSPD and BenchmarkCholesky report the rate of the operations that are
// needed, n³ and n³/3, to be held against BenchmarkGemm.
func BenchmarkInvertSPD(b *testing.B) { benchmarkSPD(b, 1, InvertSPD) }

func BenchmarkCholesky(b *testing.B) { benchmarkSPD(b, 1./3, Cholesky) }

func benchmarkSPD(b *testing.B, share float64, f func(context.Context, *Matrix, Progress) error) {
	for _, n := range []int{500, 2000, babyItems} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			a := New(n, n)
			for b.Loop() {
				b.StopTimer()
				for i := range n {
					for j := range i {
						a.Row(i)[j] = 1 / (1 + float32(i-j))
					}
					a.Row(i)[i] = 20
				}
				b.StartTimer()
				if err := f(b.Context(), a, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(share*cube(n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}
