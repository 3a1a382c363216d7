package tensor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPackedMulAdd compares with a float64 sum, for edges of tiles, panels and blocks,
// and checks that a row does not depend on how many rows go with it.
func TestPackedMulAdd(t *testing.T) {
	defer setLevel(active)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, l := range levels() {
		setLevel(l)
		for _, size := range [][3]int{{1, 1, 1}, {3, 5, 7}, {15, 33, 36}, {29, 384, 70}, {5, 1536, 65}, {17, 1024, 31}, {2, 513, 100}} {
			m, k, n := size[0], size[1], size[2]
			a, b, c := randomSlice(rng, m*k), randomSlice(rng, n*k), randomSlice(rng, m*n)
			w := Pack(true, k, n, b, k)
			got := slices.Clone(c)
			w.MulAdd(m, a, k, got, n)
			for i := range m {
				for j := range n {
					want := float64(c[i*n+j])
					for p := range k {
						want += float64(a[i*k+p]) * float64(b[j*k+p])
					}
					if d := math.Abs(want - float64(got[i*n+j])); !(d < 1e-6*float64(k)+1e-6) {
						t.Fatalf("%v %v: element %d,%d is %g, want %g", l, size, i, j, got[i*n+j], want)
					}
				}
				row := slices.Clone(c[i*n : (i+1)*n])
				w.MulAdd(1, a[i*k:(i+1)*k], k, row, n)
				if !slices.Equal(row, got[i*n:(i+1)*n]) {
					t.Fatalf("%v %v: row %d depends on the other rows", l, size, i)
				}
			}
		}
	}
}

// TestPackedMulEqualsGemm: evaluation packs the items once, serving may not; both
// must rank alike, so also one row alone.
func TestPackedMulEqualsGemm(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 2))
		for _, size := range [][3]int{{1, 64, 300}, {150, 64, 2100}, {61, 600, 70}, {20, 1024, 33}} {
			m, k, n := size[0], size[1], size[2]
			a, b := randomMatrix(r, m, k), randomMatrix(r, n, k)
			want, got, row := New(m, n), New(m, n), New(1, n)
			Gemm(false, true, 1, a, b, 0, want)
			w := Pack(true, k, n, b.Data, k)
			w.Mul(a, got)
			if !slices.Equal(got.Data, want.Data) {
				t.Fatalf("%v: Mul and Gemm differ", size)
			}
			for i := range min(m, 30) {
				Gemm(false, true, 1, a.RowRange(i, i+1), b, 0, row)
				if !slices.Equal(row.Data, want.Row(i)) {
					t.Fatalf("%v: row %d alone differs from the row in the batch", size, i)
				}
			}
		}
	})
}

// TestPackedMulRowsStandAlone: the scores of one user must have the same bits whoever
// else is scored in the same product, on any number of processors. Widths reach several
// blocks of k, rows that are packed because they conflict in the cache, and sums that
// Gemm would split.
func TestPackedMulRowsStandAlone(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(4, 2))
		const most, n = 300, 131
		widths := []int{1, 5, 64, 100, 384, 513, 1024, 1536, 2000}
		if testing.Short() {
			widths = []int{5, 100, 513, 1024}
		}
		for _, k := range widths {
			a, b := randomMatrix(r, most, k), randomMatrix(r, n, k)
			w := Pack(true, k, n, b.Data, k)
			want := New(most, n)
			for i := range most {
				w.Mul(a.RowRange(i, i+1), want.RowRange(i, i+1))
			}
			for _, m := range []int{2, 3, 7, 33, 300} {
				for _, lo := range []int{0, most - m} {
					for _, procs := range []int{1, 2} {
						got := New(m, n)
						atProcs(procs, func() { w.Mul(a.RowRange(lo, lo+m), got) })
						if !slices.Equal(got.Data, want.RowRange(lo, lo+m).Data) {
							t.Errorf("k=%d, rows %d to %d, %d processors: differ from the rows alone", k, lo, lo+m, procs)
						}
					}
				}
			}
		}
	})
}
