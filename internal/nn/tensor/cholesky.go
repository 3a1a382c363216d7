package tensor

import (
	"context"
	"fmt"
	"math"
)

// leafSize is the order of the triangles below which the recursions of this file and of
// triangular.go solve element by element; everything above is Sgemm.
const leafSize = 32

// squareSize is the order up to which the square of a symmetric update is computed whole,
// the half that nobody needs included: that costs less than smaller products would.
const squareSize = 384

// A NotPositiveDefiniteError says at which pivot a factorisation ended.
type NotPositiveDefiniteError struct {
	Pivot int     // row of the matrix, from 0
	Value float64 // what was to be the square of a diagonal element
}

func (e *NotPositiveDefiniteError) Error() string {
	return fmt.Sprintf("matrix is not positive definite: pivot %d is %g", e.Pivot, e.Value)
}

// Progress is told how much of a long computation is done; nil is told nothing.
type Progress func(done, total float64)

// Cholesky overwrites the symmetric positive definite n×n matrix a with the lower
// triangular L for which a = L·Lᵀ. It reads the lower triangle only and clears the rest.
// It fails with a [NotPositiveDefiniteError], or with the error of ctx; a is spoilt then.
func Cholesky(ctx context.Context, a *Matrix, progress Progress) error {
	checkSquare("Cholesky", a)
	n := a.Rows
	w := &factoring{ctx: ctx, progress: progress, total: cube(n) / 3}
	if err := w.cholesky(blockOf(a), 0); err != nil {
		return err
	}
	Parallel(n, 64, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			clear(a.Row(i)[i+1:])
		}
	})
	return nil
}

// InvertSPD overwrites the symmetric positive definite n×n matrix a with its inverse, whose
// two halves have the same bits. It reads the lower triangle of a only, takes n³
// floating-point operations and needs no second matrix. It fails as [Cholesky] does; a is
// spoilt then.
func InvertSPD(ctx context.Context, a *Matrix, progress Progress) error {
	checkSquare("InvertSPD", a)
	w := &factoring{ctx: ctx, progress: progress, total: cube(a.Rows)}
	b := blockOf(a)
	for _, step := range []func() error{
		func() error { return w.cholesky(b, 0) }, // L
		func() error { return w.invertLower(b) }, // X = L⁻¹
		func() error { return w.squareLower(b) }, // Xᵀ·X
	} {
		if err := step(); err != nil {
			return err
		}
	}
	mirrorLower(a)
	return nil
}

func checkSquare(what string, a *Matrix) {
	if a.Rows != a.Cols {
		panic(fmt.Sprintf("tensor: %s of a %d×%d matrix", what, a.Rows, a.Cols))
	}
}

func cube(n int) float64 { return float64(n) * float64(n) * float64(n) }

// mirrorLower copies the lower triangle onto the upper one, tile by tile because columns
// are far apart in memory.
func mirrorLower(a *Matrix) {
	const tile = 64
	n := a.Rows
	Parallel(ceilDiv(n, tile), 1, func(lo, hi int) {
		for t := lo; t < hi; t++ {
			for j0 := t * tile; j0 < n; j0 += tile {
				for i := t * tile; i < min((t+1)*tile, n); i++ {
					row := a.Row(i)
					for j := max(j0, i+1); j < min(j0+tile, n); j++ {
						row[j] = a.Data[j*n+i]
					}
				}
			}
		}
	})
}

// block is a part of a larger row-major matrix: rows×cols, ld elements between rows.
type block struct {
	rows, cols, ld int
	data           []float32
}

func blockOf(m *Matrix) block { return block{m.Rows, m.Cols, m.Cols, m.Data} }

// sub returns rows [i0, i1) of columns [j0, j1).
func (b block) sub(i0, i1, j0, j1 int) block {
	if i0 == i1 || j0 == j1 {
		return block{rows: i1 - i0, cols: j1 - j0, ld: b.ld}
	}
	return block{i1 - i0, j1 - j0, b.ld, b.data[i0*b.ld+j0 : (i1-1)*b.ld+j1]}
}

func (b block) row(i int) []float32 { return b.data[i*b.ld:][:b.cols] }

// quarters cuts a square block at k; the upper right quarter is not used by triangles.
func (b block) quarters(k int) (b11, b21, b22 block) {
	n := b.rows
	return b.sub(0, k, 0, k), b.sub(k, n, 0, k), b.sub(k, n, k, n)
}

// halfway returns where to cut n > leafSize: about the middle, at a multiple of the leaf.
func halfway(n int) int { return ceilDiv(ceilDiv(n, leafSize), 2) * leafSize }

// factoring is one factorisation or solution: who may stop it, and how far it is.
type factoring struct {
	ctx         context.Context
	progress    Progress
	done, total float64
}

// count notes operations done and returns the error of a cancelled context.
func (w *factoring) count(operations float64) error {
	w.done += operations
	if w.progress != nil {
		w.progress(min(w.done, w.total), w.total)
	}
	return w.ctx.Err()
}

// stepWork is how many operations pass between two looks at the context, about.
const stepWork = 1 << 36

// multiply computes c += alpha·op(a)·op(b), a stretch of rows at a time.
func (w *factoring) multiply(transA, transB bool, alpha float32, a, b, c block) error {
	k := a.cols
	if transA {
		k = a.rows
	}
	step := max(512, int(stepWork/(2*float64(c.cols)*float64(k)+1)))
	for i0 := 0; i0 < c.rows; i0 += step {
		i1 := min(i0+step, c.rows)
		var part block
		if transA {
			part = a.sub(0, k, i0, i1)
		} else {
			part = a.sub(i0, i1, 0, k)
		}
		to := c.sub(i0, i1, 0, c.cols)
		Sgemm(transA, transB, to.rows, to.cols, k, alpha, part.data, part.ld, b.data, b.ld, 1, to.data, to.ld)
		if err := w.count(2 * float64(to.rows) * float64(to.cols) * float64(k)); err != nil {
			return err
		}
	}
	return nil
}

// symmetric computes c += alpha·a·aᵀ, or alpha·aᵀ·a when transA is set, in the lower
// triangle of c; what stands above the diagonal is undefined afterwards.
func (w *factoring) symmetric(transA bool, alpha float32, a, c block) error {
	n := c.rows
	if n <= squareSize {
		return w.multiply(transA, !transA, alpha, a, a, c)
	}
	k := halfway(n)
	c11, c21, c22 := c.quarters(k)
	var a1, a2 block
	if transA {
		a1, a2 = a.sub(0, a.rows, 0, k), a.sub(0, a.rows, k, n)
	} else {
		a1, a2 = a.sub(0, k, 0, a.cols), a.sub(k, n, 0, a.cols)
	}
	if err := w.symmetric(transA, alpha, a1, c11); err != nil {
		return err
	}
	if err := w.multiply(transA, !transA, alpha, a2, a1, c21); err != nil {
		return err
	}
	return w.symmetric(transA, alpha, a2, c22)
}

// cholesky factorises a; first is the row of its first pivot in the whole matrix.
func (w *factoring) cholesky(a block, first int) error {
	if a.rows <= leafSize {
		return choleskyLeaf(a, first)
	}
	k := halfway(a.rows)
	a11, a21, a22 := a.quarters(k)
	if err := w.cholesky(a11, first); err != nil {
		return err
	}
	if err := w.solveRightTransposed(a11, a21); err != nil {
		return err
	}
	if err := w.symmetric(false, -1, a21, a22); err != nil {
		return err
	}
	return w.cholesky(a22, first+k)
}

// choleskyLeaf factorises a small block with sums in float64.
func choleskyLeaf(a block, first int) error {
	for i := range a.rows {
		ri := a.row(i)
		for j := range i + 1 {
			rj := a.row(j)
			sum := float64(ri[j])
			for p := range j {
				sum -= float64(ri[p]) * float64(rj[p])
			}
			if j < i {
				ri[j] = float32(sum / float64(rj[j]))
				continue
			}
			if ri[i] = float32(math.Sqrt(sum)); !(sum > 0) || !(ri[i] > 0) || math.IsInf(sum, 1) {
				return &NotPositiveDefiniteError{Pivot: first + i, Value: sum}
			}
		}
	}
	return nil
}

// squareLower overwrites the lower triangle of x with that of xᵀ·x, x lower triangular.
func (w *factoring) squareLower(x block) error {
	if x.rows <= leafSize {
		squareLeaf(x)
		return nil
	}
	x11, x21, x22 := x.quarters(halfway(x.rows))
	if err := w.squareLower(x11); err != nil {
		return err
	}
	if err := w.symmetric(true, 1, x21, x11); err != nil {
		return err
	}
	if err := w.multiplyLeftTransposed(x22, x21); err != nil {
		return err
	}
	return w.squareLower(x22)
}

// squareLeaf is squareLower element by element: row i of the result needs rows i and
// below of x only.
func squareLeaf(x block) {
	n := x.rows
	for i := range n {
		for j := range i + 1 {
			var sum float64
			for p := i; p < n; p++ {
				sum += float64(x.data[p*x.ld+i]) * float64(x.data[p*x.ld+j])
			}
			x.data[i*x.ld+j] = float32(sum) // later j read row i at j and at i, the last of the row
		}
	}
}
