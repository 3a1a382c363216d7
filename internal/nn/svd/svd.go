// Package svd factorises large sparse matrices.
package svd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// rankTolerance is the part of the largest eigenvalue below which a direction is
// rounding noise of float32 products.
const rankTolerance = 1e-6

// ErrRankZero is the error for a matrix that has no direction to find.
var ErrRankZero = errors.New("no common structure to factorise (rank 0)")

// Options of [Truncated].
type Options struct {
	Dim        int    // directions wanted; a matrix of lower rank gives fewer
	Oversample int    // extra directions of the range finder
	Power      int    // power iterations of the range finder
	Seed       uint64 // of the random test matrix
}

// Truncated returns the right singular vectors V (columns of A × r, orthonormal
// columns) and the singular values of the r ≤ Dim largest directions of the sparse
// matrix A, found by a randomized range finder (Halko, Martinsson, Tropp) with
// power iterations on A·Aᵀ, orthonormalised after each. The same matrix and options give
// the same bits at any GOMAXPROCS.
func Truncated(ctx context.Context, a *tensor.CSR, opt Options) (*tensor.Matrix, []float64, error) {
	dim, power := opt.Dim, opt.Power
	at := a.Transpose()
	width := min(dim+opt.Oversample, a.Rows, a.Cols)
	q := randomSigns(a.Rows, width, opt.Seed)
	z := tensor.New(a.Cols, width)
	for it := 0; it <= power+1; it++ {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		var err error
		if it > 0 {
			if q, err = orthonormal(q); err != nil {
				return nil, nil, err
			}
		}
		if z.Cols != q.Cols {
			z = tensor.New(a.Cols, q.Cols)
		}
		at.MulDense(z, q)
		if it == power+1 {
			break
		}
		a.MulDense(q, z)
	}
	// Here z = Aᵀ·q with orthonormal q, so the singular values of z are those of A
	// in the range of q, and its left singular vectors are the V wanted.
	values, vectors, err := symmetricEigen(gram(z))
	if err != nil {
		return nil, nil, err
	}
	rank := min(dim, significant(values))
	if rank == 0 {
		return nil, nil, ErrRankZero
	}
	turn := tensor.New(z.Cols, rank)
	sigma := make([]float64, rank)
	for j := range rank {
		sigma[j] = math.Sqrt(values[j])
		for i := range z.Cols {
			turn.Data[i*rank+j] = float32(vectors.At(i, j) / sigma[j])
		}
	}
	v := tensor.New(a.Cols, rank)
	tensor.Gemm(false, false, 1, z, turn, 0, v)
	fixSigns(v)
	return v, sigma, nil
}

// orthonormal returns an orthonormal basis of the columns of y. It works through
// the eigenvectors of the Gram matrix, which stays stable where columns are
// dependent (they are dropped), and goes over the result once more, because the
// Gram matrix squares the condition number.
func orthonormal(y *tensor.Matrix) (*tensor.Matrix, error) {
	for range 2 {
		values, vectors, err := symmetricEigen(gram(y))
		if err != nil {
			return nil, err
		}
		rank := significant(values)
		if rank == 0 {
			return nil, ErrRankZero
		}
		turn := tensor.New(y.Cols, rank)
		for j := range rank {
			s := 1 / math.Sqrt(values[j])
			for i := range y.Cols {
				turn.Data[i*rank+j] = float32(vectors.At(i, j) * s)
			}
		}
		next := tensor.New(y.Rows, rank)
		tensor.Gemm(false, false, 1, y, turn, 0, next)
		y = next
	}
	return y, nil
}

// gram returns yᵀ·y.
func gram(y *tensor.Matrix) *tensor.Matrix {
	g := tensor.New(y.Cols, y.Cols)
	tensor.Gemm(true, false, 1, y, y, 0, g)
	return g
}

// symmetricEigen returns the eigenvalues of g, descending, and the eigenvectors as
// columns in the same order, in float64.
func symmetricEigen(g *tensor.Matrix) ([]float64, *mat.Dense, error) {
	n := g.Rows
	s := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			s.SetSym(i, j, (float64(g.Data[i*n+j])+float64(g.Data[j*n+i]))/2)
		}
	}
	var e mat.EigenSym
	if !e.Factorize(s, true) {
		return nil, nil, fmt.Errorf("factorise the %d×%d Gram matrix: no convergence", n, n)
	}
	ascending := e.Values(nil)
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	values, out := make([]float64, n), mat.NewDense(n, n, nil)
	for j := range n {
		values[j] = ascending[n-1-j]
		for i := range n {
			out.Set(i, j, vectors.At(i, n-1-j))
		}
	}
	return values, out, nil
}

// significant returns how many of the descending eigenvalues are more than noise.
func significant(values []float64) int {
	n := 0
	for n < len(values) && values[n] > rankTolerance*values[0] && values[n] > 0 {
		n++
	}
	return n
}

// fixSigns turns each column so that its entry of largest magnitude is positive:
// a singular vector's sign is free, and files should not depend on it.
func fixSigns(v *tensor.Matrix) {
	top := make([]float32, v.Cols)
	for i := range v.Rows {
		for j, x := range v.Row(i) {
			if abs(x) > abs(top[j]) {
				top[j] = x
			}
		}
	}
	for i := range v.Rows {
		row := v.Row(i)
		for j := range row {
			if top[j] < 0 {
				row[j] = -row[j]
			}
		}
	}
}

func abs(x float32) float32 { return max(x, -x) }

// randomSigns returns a rows×cols matrix of ±1, the cheapest test matrix that
// serves a range finder.
func randomSigns(rows, cols int, seed uint64) *tensor.Matrix {
	m := tensor.New(rows, cols)
	rng := rand.New(rand.NewPCG(seed, 0x6c7361)) // stream "lsa", whose models keep their bits
	var bits uint64
	for i := range m.Data {
		if i%64 == 0 {
			bits = rng.Uint64()
		}
		m.Data[i] = float32(int64(bits&1)*2 - 1)
		bits >>= 1
	}
	return m
}
