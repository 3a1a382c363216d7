package linear

import (
	"context"
	"fmt"
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/svd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The range finder's extra directions and power iterations: the spectrum of interactions
// falls slowly, so it needs more of them than a matrix of texts.
const (
	spectralOversample = 32
	spectralPower      = 6
)

// Spectral is the ideal low-pass filter of GF-CF: with d the degrees and
// R̃ = D_u^-½·X·D_i^-½, V its q leading right singular vectors,
// B = D_i^-½·V·Vᵀ·D_i^½ off the diagonal. A matrix of lower rank gives fewer directions.
func Spectral(ctx context.Context, x *Interactions, q int, seed uint64) (*Factored, error) {
	if q < 1 {
		return nil, usererr.New("", "spectral: q is %d, must be 1 or more", q)
	}
	a := &tensor.CSR{Rows: x.Users(), Cols: x.Items(), Indptr: make([]int64, x.Users()+1),
		Indices: x.byUser.Items, Values: make([]float32, len(x.byUser.Items))}
	for u := range x.Users() {
		lo, hi := x.byUser.Offsets[u], x.byUser.Offsets[u+1]
		a.Indptr[u+1] = int64(hi)
		for e := lo; e < hi; e++ {
			a.Values[e] = float32(1 / math.Sqrt(float64(hi-lo)*float64(x.Popularity(int(a.Indices[e])))))
		}
	}
	v, _, err := svd.Truncated(ctx, a, svd.Options{Dim: q, Oversample: spectralOversample, Power: spectralPower, Seed: seed})
	if err != nil {
		return nil, fmt.Errorf("fit spectral kernel on %d users and %d items with q=%d: %w", x.Users(), x.Items(), q, err)
	}
	f := &Factored{Left: v.Clone(), Right: v}
	for i := range v.Rows {
		root := math.Sqrt(float64(x.Popularity(i)))
		if root > 0 { // the row of an item nobody chose is zero as it is
			tensor.Scale(float32(1/root), f.Left.Row(i))
		}
		tensor.Scale(float32(root), f.Right.Row(i))
	}
	return f, nil
}
