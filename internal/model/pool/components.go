package pool

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// components returns the first d principal components of the rows of x: the rows, centred, in the
// directions of largest variance, the largest first, all times one factor, so that their root mean
// square length is startLength. A direction's sign is that with which its largest entry is
// positive.
func components(x *tensor.Matrix, d int) (*tensor.Matrix, error) {
	x = centred(x)
	gram := tensor.New(x.Cols, x.Cols)
	tensor.Gemm(true, false, 1, x, x, 0, gram)
	symmetric := mat.NewSymDense(x.Cols, nil)
	for i := range x.Cols {
		for j := i; j < x.Cols; j++ {
			symmetric.SetSym(i, j, (float64(gram.Row(i)[j])+float64(gram.Row(j)[i]))/2)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(symmetric, true) {
		return nil, usererr.New("Look for extreme values in the item vectors, or set seed=random.", "the principal components of the items' text vectors do not converge")
	}
	values := eigen.Values(nil) // ascending
	if !(values[len(values)-1] > 0) {
		return nil, usererr.New("Encode the item texts again, or set seed=random.", "all items have the same text vector, which tells nothing of them")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	turn := tensor.New(x.Cols, d)
	for k := range d {
		column := vectors.ColView(x.Cols - 1 - k)
		sign := signOf(column)
		for j := range x.Cols {
			turn.Row(j)[k] = float32(sign * column.AtVec(j))
		}
	}
	c := tensor.New(x.Rows, d)
	tensor.Gemm(false, false, 1, x, turn, 0, c)
	if at := tensor.FirstNaN(c.Data); at >= 0 {
		return nil, fmt.Errorf("principal components: item %d has no number", at/d)
	}
	mean := tensor.SumSquares(c.Data) / float64(c.Rows)
	tensor.Scale(float32(startLength/math.Sqrt(mean)), c.Data)
	return c, nil
}

// signOf returns the sign of the largest entry, ties to the first.
func signOf(v mat.Vector) float64 {
	top := 0.0
	for j := range v.Len() {
		if a := v.AtVec(j); max(a, -a) > max(top, -top) {
			top = a
		}
	}
	if top < 0 {
		return -1
	}
	return 1
}

// centred returns the rows of x less their mean.
func centred(x *tensor.Matrix) *tensor.Matrix {
	c := x.Clone()
	mean := make([]float32, x.Cols)
	tensor.ColumnSums(mean, x)
	tensor.Scale(-1/float32(x.Rows), mean)
	tensor.AddBiasLeakyReLU(c, mean, 1)
	return c
}
