package audit

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// maxDims is the width above which vectors are folded to foldDims by a random
// projection: all that is measured is inner products, which it keeps, and the
// eigenvectors cost the cube of the width.
const (
	maxDims  = 768
	foldDims = 512
)

// fold maps the rows of both matrices by the same seeded Gaussian projection.
func fold(users, items *tensor.Matrix, seed uint64) (*tensor.Matrix, *tensor.Matrix) {
	if users.Cols <= maxDims {
		return users, items
	}
	rng := rand.New(rand.NewPCG(seed, 0x666f6c64)) // "fold"
	g := tensor.New(users.Cols, foldDims)
	for i := range g.Data {
		g.Data[i] = float32(rng.NormFloat64() / math.Sqrt(foldDims))
	}
	u, v := tensor.New(users.Rows, foldDims), tensor.New(items.Rows, foldDims)
	tensor.Gemm(false, false, 1, users, g, 0, u)
	tensor.Gemm(false, false, 1, items, g, 0, v)
	return u, v
}

// common returns the half of the space in which items have most in common: the leading
// half of those principal directions of the unit item vectors that have any variance.
// Categories, styles and whatever else many items share lie there; an item's own part
// is outside.
func common(items *tensor.Matrix) (*span, error) {
	d := items.Cols
	x := items.Clone()
	centre(x)
	gram := tensor.New(d, d)
	tensor.Gemm(true, false, 1, x, x, 0, gram)
	sym := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			sym.SetSym(i, j, (float64(gram.Row(i)[j])+float64(gram.Row(j)[i]))/2)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, true) {
		return nil, fmt.Errorf("probe user vectors: the principal directions of the item vectors do not converge")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	values := eigen.Values(nil) // ascending
	rank := 0
	for _, v := range values {
		if v > 1e-5*values[d-1] {
			rank++
		}
	}
	s := &span{}
	for k := d - 1; k >= d-rank/2; k-- {
		q := make([]float32, d)
		for j := range q {
			q[j] = float32(vectors.At(j, k))
		}
		s.basis = append(s.basis, q)
	}
	return s, nil
}
