package tensor

import (
	"context"
	"fmt"
)

// SolveLower overwrites b, n×m with a right-hand side in each column, with L⁻¹·b, where l is
// n×n lower triangular without a zero on the diagonal; what stands above is not read.
// It fails with the error of ctx only; b is spoilt then.
func SolveLower(ctx context.Context, l, b *Matrix) error {
	checkSolve("SolveLower", l, b)
	if x := b.Data; b.Cols == 1 {
		for i := range x {
			x[i] = (x[i] - Dot(l.Row(i)[:i], x[:i])) / l.Row(i)[i]
		}
		return ctx.Err()
	}
	w := &factoring{ctx: ctx}
	return w.solveLeft(blockOf(l), blockOf(b))
}

// SolveLowerTransposed overwrites b with L⁻ᵀ·b, as [SolveLower] does with L⁻¹·b.
func SolveLowerTransposed(ctx context.Context, l, b *Matrix) error {
	checkSolve("SolveLowerTransposed", l, b)
	if x := b.Data; b.Cols == 1 {
		for i := len(x) - 1; i >= 0; i-- {
			x[i] /= l.Row(i)[i]
			Axpy(-x[i], l.Row(i)[:i], x[:i])
		}
		return ctx.Err()
	}
	w := &factoring{ctx: ctx}
	return w.solveLeftTransposed(blockOf(l), blockOf(b))
}

func checkSolve(what string, l, b *Matrix) {
	checkSquare(what, l)
	if b.Rows != l.Rows {
		panic(fmt.Sprintf("tensor: %s of a %d×%d triangle and %d×%d right-hand sides", what, l.Rows, l.Cols, b.Rows, b.Cols))
	}
}

// AddSymmetric computes the lower triangle of c += alpha·a·aᵀ, or of c += alpha·aᵀ·a when
// transA is set, in about half of the time of Gemm, and copies it to the upper triangle: c
// must be symmetric before and is bit by bit symmetric after.
func AddSymmetric(transA bool, alpha float32, a, c *Matrix) {
	checkSquare("AddSymmetric", c)
	n := a.Rows
	if transA {
		n = a.Cols
	}
	if c.Rows != n {
		panic(fmt.Sprintf("tensor: AddSymmetric of a %d×%d matrix (transposed: %v) to %d×%d", a.Rows, a.Cols, transA, c.Rows, c.Cols))
	}
	w := &factoring{ctx: context.Background()}
	_ = w.symmetric(transA, alpha, blockOf(a), blockOf(c)) // nobody cancels it
	mirrorLower(c)
}

// columnGrain is how many columns of the right-hand sides one chunk of a leaf covers,
// leafRows how many rows where they stand in rows.
const (
	columnGrain = 512
	leafRows    = 128
)

// solveLeft computes b = L⁻¹·b.
func (w *factoring) solveLeft(l, b block) error {
	n := l.rows
	if n <= leafSize {
		Parallel(b.cols, columnGrain, func(lo, hi int) {
			for i := range n {
				row := b.row(i)[lo:hi]
				for j, v := range l.row(i)[:i] {
					Axpy(-v, b.row(j)[lo:hi], row)
				}
				Scale(1/l.row(i)[i], row)
			}
		})
		return nil
	}
	k := halfway(n)
	l11, l21, l22 := l.quarters(k)
	b1, b2 := b.sub(0, k, 0, b.cols), b.sub(k, n, 0, b.cols)
	if err := w.solveLeft(l11, b1); err != nil {
		return err
	}
	if err := w.multiply(false, false, -1, l21, b1, b2); err != nil {
		return err
	}
	return w.solveLeft(l22, b2)
}

// solveLeftTransposed computes b = L⁻ᵀ·b.
func (w *factoring) solveLeftTransposed(l, b block) error {
	n := l.rows
	if n <= leafSize {
		Parallel(b.cols, columnGrain, func(lo, hi int) {
			for i := n - 1; i >= 0; i-- {
				row := b.row(i)[lo:hi]
				Scale(1/l.row(i)[i], row)
				for j, v := range l.row(i)[:i] {
					Axpy(-v, row, b.row(j)[lo:hi])
				}
			}
		})
		return nil
	}
	k := halfway(n)
	l11, l21, l22 := l.quarters(k)
	b1, b2 := b.sub(0, k, 0, b.cols), b.sub(k, n, 0, b.cols)
	if err := w.solveLeftTransposed(l22, b2); err != nil {
		return err
	}
	if err := w.multiply(true, false, -1, l21, b2, b1); err != nil {
		return err
	}
	return w.solveLeftTransposed(l11, b1)
}

// solveRightTransposed computes b = b·L⁻ᵀ.
func (w *factoring) solveRightTransposed(l, b block) error {
	n := l.rows
	if n <= leafSize {
		multiplyByInverse(l, true, b)
		return nil
	}
	k := halfway(n)
	l11, l21, l22 := l.quarters(k)
	b1, b2 := b.sub(0, b.rows, 0, k), b.sub(0, b.rows, k, n)
	if err := w.solveRightTransposed(l11, b1); err != nil {
		return err
	}
	if err := w.multiply(false, true, -1, b1, l21, b2); err != nil {
		return err
	}
	return w.solveRightTransposed(l22, b2)
}

// solveRight computes b = b·L⁻¹.
func (w *factoring) solveRight(l, b block) error {
	n := l.rows
	if n <= leafSize {
		multiplyByInverse(l, false, b)
		return nil
	}
	k := halfway(n)
	l11, l21, l22 := l.quarters(k)
	b1, b2 := b.sub(0, b.rows, 0, k), b.sub(0, b.rows, k, n)
	if err := w.solveRight(l22, b2); err != nil {
		return err
	}
	if err := w.multiply(false, false, -1, b2, l21, b1); err != nil {
		return err
	}
	return w.solveRight(l11, b1)
}

// multiplyByInverse computes b = b·L⁻¹, or b·L⁻ᵀ when trans is set, for a small triangle:
// its inverse, then one product, which the kernels do faster than a substitution.
func multiplyByInverse(l block, trans bool, b block) {
	n := l.rows
	inverse := block{n, n, n, make([]float32, n*n)}
	for i := range n {
		copy(inverse.row(i)[:i+1], l.row(i))
	}
	invertLeaf(inverse)
	Parallel(b.rows, leafRows, func(lo, hi int) {
		from := getScratch((hi - lo) * n)
		defer from.release()
		for i := lo; i < hi; i++ {
			copy(from.data[(i-lo)*n:][:n], b.row(i))
		}
		to := b.sub(lo, hi, 0, n)
		Sgemm(false, trans, hi-lo, n, n, 1, from.data, n, inverse.data, n, 0, to.data, to.ld)
	})
}

// multiplyLeftTransposed computes b = Lᵀ·b.
func (w *factoring) multiplyLeftTransposed(l, b block) error {
	n := l.rows
	if n <= leafSize {
		Parallel(b.cols, columnGrain, func(lo, hi int) {
			for i := range n {
				row := b.row(i)[lo:hi]
				Scale(l.row(i)[i], row)
				for p := i + 1; p < n; p++ {
					Axpy(l.row(p)[i], b.row(p)[lo:hi], row)
				}
			}
		})
		return nil
	}
	k := halfway(n)
	l11, l21, l22 := l.quarters(k)
	b1, b2 := b.sub(0, k, 0, b.cols), b.sub(k, n, 0, b.cols)
	if err := w.multiplyLeftTransposed(l11, b1); err != nil {
		return err
	}
	if err := w.multiply(true, false, 1, l21, b2, b1); err != nil {
		return err
	}
	return w.multiplyLeftTransposed(l22, b2)
}

// invertLower overwrites the lower triangular l with its inverse.
func (w *factoring) invertLower(l block) error {
	n := l.rows
	if n <= leafSize {
		invertLeaf(l)
		return nil
	}
	l11, l21, l22 := l.quarters(halfway(n))
	if err := w.solveRight(l11, l21); err != nil {
		return err
	}
	if err := w.solveLeft(l22, l21); err != nil {
		return err
	}
	Parallel(l21.rows, leafRows, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			Scale(-1, l21.row(i))
		}
	})
	if err := w.invertLower(l11); err != nil {
		return err
	}
	return w.invertLower(l22)
}

// invertLeaf is invertLower for a small triangle, row after row: rows above are inverted
// already when row i is.
func invertLeaf(l block) {
	var sums [leafSize]float32
	for i := range l.rows {
		row := l.row(i)
		clear(sums[:i])
		for p, v := range row[:i] {
			Axpy(v, l.row(p)[:p+1], sums[:p+1])
		}
		for j, sum := range sums[:i] {
			row[j] = -sum / row[i]
		}
		row[i] = 1 / row[i]
	}
}
