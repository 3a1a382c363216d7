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

// scaled computes dst = alpha·src.
func scaled(dst *tensor.Matrix, alpha float32, src *tensor.Matrix) {
	tensor.Parallel(len(dst.Data), elementGrain, func(lo, hi int) {
		for i, v := range src.Data[lo:hi] {
			dst.Data[lo+i] = alpha * v
		}
	})
}
