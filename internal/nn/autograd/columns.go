package autograd

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// ConcatCols puts matrices of equally many rows side by side.
func (t *Tape) ConcatCols(xs ...*Var) *Var {
	cols := 0
	for _, x := range xs {
		if x.Rows() != xs[0].Rows() {
			panic(fmt.Sprintf("autograd: %d rows beside %d", x.Rows(), xs[0].Rows()))
		}
		cols += x.Cols()
	}
	out := t.output(xs[0].Rows(), cols, xs...)
	at := 0
	for _, x := range xs {
		copyCols(out.Value, at, x.Value, 0, x.Cols())
		at += x.Cols()
	}
	out.back = func() {
		at := 0
		for _, x := range xs {
			if x.needs {
				addCols(t.sum(x), 0, out.grad, at, x.Cols())
			}
			at += x.Cols()
		}
	}
	return out
}

// SliceCols returns columns lo to hi of x.
func (t *Tape) SliceCols(x *Var, lo, hi int) *Var {
	if lo < 0 || lo > hi || hi > x.Cols() {
		panic(fmt.Sprintf("autograd: columns %d to %d of %d×%d", lo, hi, x.Rows(), x.Cols()))
	}
	out := t.output(x.Rows(), hi-lo, x)
	copyCols(out.Value, 0, x.Value, lo, hi-lo)
	out.back = func() { addCols(t.sum(x), lo, out.grad, 0, hi-lo) }
	return out
}

func copyCols(dst *tensor.Matrix, to int, src *tensor.Matrix, from, n int) {
	tensor.Parallel(dst.Rows, rowGrain(n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			copy(dst.Row(r)[to:to+n], src.Row(r)[from:from+n])
		}
	})
}

func addCols(dst *tensor.Matrix, to int, src *tensor.Matrix, from, n int) {
	tensor.Parallel(dst.Rows, rowGrain(n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			tensor.Axpy(1, src.Row(r)[from:from+n], dst.Row(r)[to:to+n])
		}
	})
}

// MatMul returns a·b, with a or b transposed where said.
func (t *Tape) MatMul(a *Var, transA bool, b *Var, transB bool) *Var {
	n, k := a.Rows(), a.Cols()
	if transA {
		n, k = k, n
	}
	kb, m := b.Rows(), b.Cols()
	if transB {
		kb, m = m, kb
	}
	if k != kb {
		panic(fmt.Sprintf("autograd: product of %d×%d (transposed %t) and %d×%d (%t)", a.Rows(), a.Cols(), transA, b.Rows(), b.Cols(), transB))
	}
	out := t.output(n, m, a, b)
	tensor.Gemm(transA, transB, 1, a.Value, b.Value, 0, out.Value)
	out.back = func() {
		if a.needs {
			dst, beta := t.overwrite(a)
			if transA { // aᵀ·b = out: da = b·gᵀ
				tensor.Gemm(transB, true, 1, b.Value, out.grad, beta, dst)
			} else {
				tensor.Gemm(false, !transB, 1, out.grad, b.Value, beta, dst)
			}
		}
		if b.needs {
			dst, beta := t.overwrite(b)
			if transB {
				tensor.Gemm(true, transA, 1, out.grad, a.Value, beta, dst)
			} else {
				tensor.Gemm(!transA, false, 1, a.Value, out.grad, beta, dst)
			}
		}
	}
	return out
}
