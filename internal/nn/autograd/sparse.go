package autograd

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// SpMM returns s·x for a constant sparse s. sT is sᵀ, which the backward pass
// multiplies by; for a symmetric s it is s itself.
func (t *Tape) SpMM(s, sT *tensor.CSR, x *Var) *Var {
	if s.Cols != x.Rows() || sT.Rows != s.Cols || sT.Cols != s.Rows {
		panic(fmt.Sprintf("autograd: %d×%d sparse (transpose %d×%d) times %d×%d", s.Rows, s.Cols, sT.Rows, sT.Cols, x.Rows(), x.Cols()))
	}
	out := t.output(s.Rows, x.Cols(), x)
	s.MulDense(out.Value, x.Value)
	out.back = func() {
		dx, beta := t.overwrite(x)
		if beta == 0 {
			sT.MulDense(dx, out.grad)
			return
		}
		part := t.Buffer(dx.Rows, dx.Cols)
		sT.MulDense(part, out.grad)
		add(dx, 1, part)
	}
	return out
}

// Propagate returns scale·Σ_{l=0}^{layers} s^l·x for a constant square s: with
// scale 1 the sum, with 1/(layers+1) the mean of the layers of a linear graph
// convolution. sT is as in [Tape.SpMM]. It is evaluated by Horner's rule,
// x + s(x + s(x + …)), in both directions, so that no layer is kept.
func (t *Tape) Propagate(s, sT *tensor.CSR, x *Var, layers int, scale float32) *Var {
	if s.Rows != s.Cols || s.Cols != x.Rows() || sT.Rows != s.Rows || sT.Cols != s.Cols || layers < 0 {
		panic(fmt.Sprintf("autograd: %d layers of %d×%d sparse on %d×%d", layers, s.Rows, s.Cols, x.Rows(), x.Cols()))
	}
	out := t.output(x.Rows(), x.Cols(), x)
	t.horner(out.Value, s, x.Value, layers, scale)
	out.back = func() {
		dx, beta := t.overwrite(x)
		if beta == 0 {
			t.horner(dx, sT, out.grad, layers, scale)
			return
		}
		part := t.Buffer(dx.Rows, dx.Cols)
		t.horner(part, sT, out.grad, layers, scale)
		add(dx, 1, part)
	}
	return out
}

// horner computes dst = scale·Σ_{l=0}^{layers} s^l·x.
func (t *Tape) horner(dst *tensor.Matrix, s *tensor.CSR, x *tensor.Matrix, layers int, scale float32) {
	// The two buffers change places each layer; start so that the last lands in dst.
	next, cur := dst, t.Buffer(x.Rows, x.Cols)
	if layers%2 == 0 {
		next, cur = cur, next
	}
	scaled(cur, scale, x)
	for range layers {
		s.MulDense(next, cur)
		add(next, scale, x)
		next, cur = cur, next
	}
}

// PropagateRows returns the listed rows, which differ, of what [Tape.Propagate] returns:
// row k is that of rows[k]. It computes what these rows depend on, layer by layer, and no
// more, in the same order of summation, so that a loss over them and its gradient are the same;
// to the last bit where the rows are a multiple of eight wide, because the kernels treat
// what is over differently. reach is over s, whose transpose is sT.
func (t *Tape) PropagateRows(reach *tensor.Reach, s, sT *tensor.CSR, x *Var, layers int, scale float32, rows []int32) *Var {
	if s.Rows != s.Cols || s.Cols != x.Rows() || sT.Rows != s.Rows || sT.Cols != s.Cols || layers < 0 {
		panic(fmt.Sprintf("autograd: %d layers of %d×%d sparse on %d×%d", layers, s.Rows, s.Cols, x.Rows(), x.Cols()))
	}
	out := t.output(len(rows), x.Cols(), x)
	if layers == 0 {
		tensor.Gather(out.Value, x.Value, rows)
		tensor.Scale(scale, out.Value.Data)
	} else {
		inner := t.inner(reach, s, x.Value, layers-1, scale, rows)
		s.MulAddRows(out.Value, inner, scale, x.Value, rows)
	}
	out.back = func() {
		dx, beta := t.overwrite(x)
		if beta == 0 {
			t.spread(dx, reach, sT, out.grad, layers, scale, rows)
			return
		}
		part := t.Buffer(dx.Rows, dx.Cols)
		t.spread(part, reach, sT, out.grad, layers, scale, rows)
		add(dx, 1, part)
	}
	return out
}

// wholeFrom is the share of a matrix's entries from which on the rows that hold them are
// taken to reach every column: finding out would cost more than it saves.
const wholeFrom = 0.25

// inner computes scale·Σ_{l=0}^{layers} s^l·x where the given rows of s read it; other rows are
// unspecified.
func (t *Tape) inner(reach *tensor.Reach, s *tensor.CSR, x *tensor.Matrix, layers int, scale float32, rows []int32) *tensor.Matrix {
	read := make([][]int32, layers+1) // the rows of each layer that the next one reads; nil: all
	for l := range read {
		if rows == nil || float64(s.Entries(rows)) >= wholeFrom*float64(s.NNZ()) {
			break
		}
		rows = reach.Columns(l, rows)
		read[l] = rows
	}
	cur, next := t.Buffer(x.Rows, x.Cols), t.Buffer(x.Rows, x.Cols)
	if last := read[layers]; last != nil {
		for _, i := range last {
			row := cur.Row(int(i))
			for j, v := range x.Row(int(i)) {
				row[j] = scale * v
			}
		}
	} else {
		scaled(cur, scale, x)
	}
	for l := layers - 1; l >= 0; l-- {
		if read[l] != nil {
			s.MulAddInPlace(next, cur, scale, x, read[l])
		} else {
			s.MulAddRows(next, cur, scale, x, nil)
		}
		next, cur = cur, next
	}
	return cur
}

// spread computes dst = scale·Σ_{l=0}^{layers} sT^l·G for the G that has the rows of g at
// the listed places and is zero elsewhere.
func (t *Tape) spread(dst *tensor.Matrix, reach *tensor.Reach, sT *tensor.CSR, g *tensor.Matrix, layers int, scale float32, rows []int32) {
	place := func(m *tensor.Matrix) {
		for k, i := range rows {
			tensor.Axpy(scale, g.Row(k), m.Row(int(i)))
		}
	}
	if layers == 0 {
		clear(dst.Data)
		place(dst)
		return
	}
	next, cur := dst, t.Buffer(dst.Rows, dst.Cols)
	if layers%2 == 0 {
		next, cur = cur, next
	}
	first := t.Buffer(g.Rows, g.Cols)
	scaled(first, scale, g)
	reach.Transposed(rows).MulDense(next, first)
	place(next)
	for range layers - 1 {
		next, cur = cur, next
		sT.MulDense(next, cur)
		place(next)
	}
}

// scaled computes dst = alpha·src.
func scaled(dst *tensor.Matrix, alpha float32, src *tensor.Matrix) {
	tensor.Parallel(len(dst.Data), elementGrain, func(lo, hi int) {
		for i, v := range src.Data[lo:hi] {
			dst.Data[lo+i] = alpha * v
		}
	})
}
