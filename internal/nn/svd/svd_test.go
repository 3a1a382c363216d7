package svd

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// sparse returns a random matrix, a third of its entries not zero.
func sparse(rows, cols int) (*tensor.CSR, *mat.Dense) {
	r := rand.New(rand.NewPCG(1, 60))
	s, d := &tensor.CSR{Rows: rows, Cols: cols, Indptr: make([]int64, 1)}, mat.NewDense(rows, cols, nil)
	for i := range rows {
		for j := range cols {
			if r.IntN(3) == 0 {
				v := float32(r.NormFloat64()) / float32(1+j)
				s.Indices, s.Values = append(s.Indices, int32(j)), append(s.Values, v)
				d.Set(i, j, float64(v))
			}
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s, d
}

func TestTruncatedAgreesWithADenseOne(t *testing.T) {
	a, dense := sparse(120, 40)
	v, sigma, err := Truncated(t.Context(), a, Options{Dim: 6, Oversample: 10, Power: 6, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var whole mat.SVD
	if !whole.Factorize(dense, mat.SVDThin) {
		t.Fatal("the dense one did not converge")
	}
	want := whole.Values(nil)
	for j := range 6 {
		if math.Abs(sigma[j]-want[j]) > 1e-4*want[0] {
			t.Errorf("singular value %d is %g, want %g", j, sigma[j], want[j])
		}
		var image mat.VecDense // |A·v_j| = σ_j
		column := mat.NewVecDense(40, nil)
		for i := range 40 {
			column.SetVec(i, float64(v.Row(i)[j]))
		}
		image.MulVec(dense, column)
		if n := mat.Norm(&image, 2); math.Abs(n-want[j]) > 1e-3*want[0] || math.Abs(mat.Norm(column, 2)-1) > 1e-4 {
			t.Errorf("vector %d of length %g is stretched to %g, want %g", j, mat.Norm(column, 2), n, want[j])
		}
	}
}

func TestTruncatedSameBitsAtAnyProcs(t *testing.T) {
	a, _ := sparse(300, 200)
	opt := Options{Dim: 20, Oversample: 8, Power: 2, Seed: 7}
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	one, _, err := Truncated(t.Context(), a, opt)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GOMAXPROCS(3)
	three, _, err := Truncated(t.Context(), a, opt)
	if err != nil || !slices.Equal(one.Data, three.Data) {
		t.Errorf("other bits at three processors (%v)", err)
	}
}

func TestTruncatedOfNothing(t *testing.T) {
	a := &tensor.CSR{Rows: 5, Cols: 4, Indptr: make([]int64, 6)}
	if _, _, err := Truncated(t.Context(), a, Options{Dim: 2}); !errors.Is(err, ErrRankZero) {
		t.Errorf("error %v", err)
	}
}
