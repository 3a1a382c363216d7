package autograd

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Gather returns the rows idx of x, [len(idx), cols]. idx is kept until Reset and
// must not change; its entries may repeat.
func (t *Tape) Gather(x *Var, idx []int32) *Var {
	out := t.output(len(idx), x.Cols(), x)
	tensor.Gather(out.Value, x.Value, idx)
	out.back = func() { tensor.ScatterAdd(t.sum(x), out.grad, idx) }
	return out
}

// RowDots returns the n×1 variable of a[ai[r]]·b[bi[r]]. A nil index means every
// row in order. Indices are kept until Reset and may repeat.
func (t *Tape) RowDots(a *Var, ai []int32, b *Var, bi []int32) *Var {
	n := len(ai)
	if ai == nil {
		n = len(bi)
	}
	if ai == nil && bi == nil {
		n = a.Rows()
	}
	if a.Cols() != b.Cols() || ai != nil && len(ai) != n || bi != nil && len(bi) != n ||
		ai == nil && a.Rows() != n || bi == nil && b.Rows() != n {
		panic(fmt.Sprintf("autograd: row dots of %d×%d by %d indices and %d×%d by %d", a.Rows(), a.Cols(), len(ai), b.Rows(), b.Cols(), len(bi)))
	}
	out := t.output(n, 1, a, b)
	tensor.Parallel(n, rowGrain(a.Cols()), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			out.Value.Data[r] = tensor.Dot(a.Value.Row(at(ai, r)), b.Value.Row(at(bi, r)))
		}
	})
	out.back = func() { t.rowDotsBackward(a, ai, b, bi, out.grad.Data) }
	return out
}

// rowDotsBackward: the order of a side's sums is that of the rows, so the sides are
// all that can run at once, unless they are one and the same variable.
func (t *Tape) rowDotsBackward(a *Var, ai []int32, b *Var, bi []int32, g []float32) {
	var sides [2]func()
	n := 0
	for _, s := range [2]struct {
		to    *Var
		ti    []int32
		other *tensor.Matrix
		oi    []int32
	}{{a, ai, b.Value, bi}, {b, bi, a.Value, ai}} {
		if s.to.needs {
			dst := t.sum(s.to)
			sides[n] = func() { scatterScaled(dst, s.ti, g, s.other, s.oi) }
			n++
		}
	}
	grain := 1
	if a == b || len(g)*a.Cols() < elementGrain {
		grain = n
	}
	tensor.Parallel(n, grain, func(lo, hi int) {
		for _, side := range sides[lo:hi] {
			side()
		}
	})
}

func at(idx []int32, r int) int {
	if idx == nil {
		return r
	}
	return int(idx[r])
}

// scatterScaled adds g[r]·src[si[r]] to dst[di[r]], in the order of r.
func scatterScaled(dst *tensor.Matrix, di []int32, g []float32, src *tensor.Matrix, si []int32) {
	for r, v := range g {
		tensor.Axpy(v, src.Row(at(si, r)), dst.Row(at(di, r)))
	}
}

// HoldRows returns x for a loss that is to leave some of its rows as they are: they get no
// gradient. The result shares x's memory; rows are kept until Reset.
func (t *Tape) HoldRows(x *Var, rows []int32) *Var {
	out := t.newVar()
	out.Value, out.needs = x.Value, x.needs
	if !x.needs {
		return out
	}
	t.nodes = append(t.nodes, out)
	out.back = func() {
		for _, r := range rows {
			clear(out.grad.Row(int(r)))
		}
		t.addScaled(x, 1, out.grad)
	}
	return out
}

// Turn returns x for a loss from which x is to learn alpha times what the loss says: for a negative alpha, the
// opposite, as what an adversary judges does. The result shares x's memory.
func (t *Tape) Turn(x *Var, alpha float32) *Var {
	out := t.newVar()
	out.Value, out.needs = x.Value, x.needs
	if x.needs {
		t.nodes = append(t.nodes, out)
		out.back = func() { t.addScaled(x, alpha, out.grad) }
	}
	return out
}

// ConcatRows returns the rows of xs one below the other.
func (t *Tape) ConcatRows(xs ...*Var) *Var {
	rows := 0
	for _, x := range xs {
		rows += x.Rows()
		if x.Cols() != xs[0].Cols() {
			panic(fmt.Sprintf("autograd: concatenation of rows of %d and %d columns", xs[0].Cols(), x.Cols()))
		}
	}
	out := t.output(rows, xs[0].Cols(), xs...)
	lo := 0
	for _, x := range xs {
		lo += copy(out.Value.Data[lo:], x.Value.Data)
	}
	out.back = func() {
		lo := 0
		for _, x := range xs {
			n := len(x.Value.Data)
			if x.needs {
				part := tensor.Matrix{Rows: x.Rows(), Cols: x.Cols(), Data: out.grad.Data[lo : lo+n]}
				if dx, beta := t.overwrite(x); beta == 0 {
					copy(dx.Data, part.Data)
				} else {
					add(dx, 1, &part)
				}
			}
			lo += n
		}
	}
	return out
}

// SliceRows returns rows lo to hi (exclusive) of x.
func (t *Tape) SliceRows(x *Var, lo, hi int) *Var {
	out := t.output(hi-lo, x.Cols(), x)
	copy(out.Value.Data, x.Value.RowRange(lo, hi).Data)
	out.back = func() { add(t.sum(x).RowRange(lo, hi), 1, out.grad) }
	return out
}
