package autograd

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Sigmoid returns 1/(1+e^-x), element by element.
func (t *Tape) Sigmoid(x *Var) *Var {
	return t.activation(x, func(y []float32) { logistic(y, 1) }, func(y float32) float32 { return y * (1 - y) })
}

// Tanh returns the hyperbolic tangent, element by element, to an absolute error of about 1e-7.
func (t *Tape) Tanh(x *Var) *Var {
	f := func(y []float32) {
		logistic(y, 2)
		for i, v := range y {
			y[i] = 2*v - 1
		}
	}
	return t.activation(x, f, func(y float32) float32 { return 1 - y*y })
}

// logistic replaces each y by 1/(1+e^(-scale·y)).
func logistic(y []float32, scale float32) {
	tensor.Scale(-scale, y)
	tensor.Exp(y)
	for i, v := range y {
		y[i] = 1 / (1 + v)
	}
}

// activation applies f in place to chunks of a copy of x; slope is the derivative as a function of
// the result.
func (t *Tape) activation(x *Var, f func(y []float32), slope func(y float32) float32) *Var {
	out := t.output(x.Rows(), x.Cols(), x)
	tensor.Parallel(len(out.Value.Data), elementGrain, func(lo, hi int) {
		copy(out.Value.Data[lo:hi], x.Value.Data[lo:hi])
		f(out.Value.Data[lo:hi])
	})
	out.back = func() {
		dx := t.sum(x).Data
		tensor.Parallel(len(dx), elementGrain, func(lo, hi int) {
			g, y := out.grad.Data[lo:hi], out.Value.Data[lo:hi]
			for i, d := range dx[lo:hi] {
				dx[lo+i] = d + g[i]*slope(y[i])
			}
		})
	}
	return out
}

// Mul returns a ⊙ b, the product element by element. Dropout is a product with a constant mask.
func (t *Tape) Mul(a, b *Var) *Var {
	mustMatch("product", a, b)
	out := t.output(a.Rows(), a.Cols(), a, b)
	multiply(out.Value.Data, a.Value.Data, b.Value.Data, 0)
	out.back = func() {
		for _, s := range [2][2]*Var{{a, b}, {b, a}} {
			if s[0].needs {
				dst, beta := t.overwrite(s[0])
				multiply(dst.Data, out.grad.Data, s[1].Value.Data, beta)
			}
		}
	}
	return out
}

// multiply computes dst = beta·dst + a⊙b for beta 0 or 1.
func multiply(dst, a, b []float32, beta float32) {
	tensor.Parallel(len(dst), elementGrain, func(lo, hi int) {
		x, y, z := a[lo:hi], b[lo:hi], dst[lo:hi]
		if beta == 0 {
			for i, v := range x {
				z[i] = v * y[i]
			}
			return
		}
		for i, v := range x {
			z[i] += v * y[i]
		}
	})
}

// SoftmaxRows returns the softmax of each row.
func (t *Tape) SoftmaxRows(x *Var) *Var {
	out := t.output(x.Rows(), x.Cols(), x)
	copy(out.Value.Data, x.Value.Data)
	tensor.SoftmaxRows(out.Value)
	out.back = func() {
		dx := t.sum(x)
		tensor.Parallel(x.Rows(), rowGrain(x.Cols()), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				y, g, d := out.Value.Row(r), out.grad.Row(r), dx.Row(r)
				mean := tensor.Dot(y, g)
				for i, v := range y {
					d[i] += v * (g[i] - mean)
				}
			}
		})
	}
	return out
}

// ScaleRows returns x with row r multiplied by w[r, column]: how attention weighs one of its inputs.
func (t *Tape) ScaleRows(x, w *Var, column int) *Var {
	if w.Rows() != x.Rows() || column < 0 || column >= w.Cols() {
		panic(fmt.Sprintf("autograd: rows of %d×%d scaled by column %d of %d×%d", x.Rows(), x.Cols(), column, w.Rows(), w.Cols()))
	}
	out := t.output(x.Rows(), x.Cols(), x, w)
	tensor.Parallel(x.Rows(), rowGrain(x.Cols()), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			f, y := w.Value.Row(r)[column], out.Value.Row(r)
			for i, v := range x.Value.Row(r) {
				y[i] = f * v
			}
		}
	})
	out.back = func() {
		var dx, dw *tensor.Matrix
		if x.needs {
			dx = t.sum(x)
		}
		if w.needs {
			dw = t.sum(w)
		}
		tensor.Parallel(x.Rows(), rowGrain(x.Cols()), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				if dx != nil {
					tensor.Axpy(w.Value.Row(r)[column], out.grad.Row(r), dx.Row(r))
				}
				if dw != nil {
					dw.Row(r)[column] += tensor.Dot(out.grad.Row(r), x.Value.Row(r))
				}
			}
		})
	}
	return out
}
