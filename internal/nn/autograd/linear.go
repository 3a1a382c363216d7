package autograd

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Linear returns x·Wᵀ + b, for x [n, in], w [out, in] and b [1, out] or nil.
func (t *Tape) Linear(x, w, b *Var) *Var { return t.linear(x, w, b, 1) }

// LinearLeakyReLU returns LeakyReLU(x·Wᵀ + b) in one pass over the product; slope is
// the factor on negative numbers and must be positive.
func (t *Tape) LinearLeakyReLU(x, w, b *Var, slope float32) *Var { return t.linear(x, w, b, slope) }

// linear: slope 1 is the identity. The gradient needs the output only, for a
// positive slope keeps the sign.
func (t *Tape) linear(x, w, b *Var, slope float32) *Var {
	if x.Cols() != w.Cols() || slope <= 0 {
		panic(fmt.Sprintf("autograd: linear of %d×%d with weight %d×%d, slope %g", x.Rows(), x.Cols(), w.Rows(), w.Cols(), slope))
	}
	var out *Var
	if b == nil {
		out = t.output(x.Rows(), w.Rows(), x, w)
	} else {
		out = t.output(x.Rows(), w.Rows(), x, w, b)
	}
	tensor.Gemm(false, true, 1, x.Value, w.Value, 0, out.Value)
	if b != nil {
		tensor.AddBiasLeakyReLU(out.Value, b.Value.Row(0), slope)
	} else if slope != 1 {
		tensor.AddBiasLeakyReLU(out.Value, nil, slope)
	}
	out.back = func() {
		g := out.grad
		if slope != 1 {
			tensor.LeakyReLUGrad(g, out.Value, g, slope)
		}
		if b != nil && b.needs {
			t.addColumnSums(b, g)
		}
		if w.needs {
			dw, beta := t.overwrite(w)
			tensor.Gemm(true, false, 1, g, x.Value, beta, dw)
		}
		if x.needs {
			dx, beta := t.overwrite(x)
			tensor.Gemm(false, false, 1, g, w.Value, beta, dx)
		}
	}
	return out
}

// addColumnSums adds the column sums of g to the gradient of the 1×n variable b.
func (t *Tape) addColumnSums(b *Var, g *tensor.Matrix) {
	db, beta := t.overwrite(b)
	if beta == 0 {
		tensor.ColumnSums(db.Data, g)
		return
	}
	sums := t.Buffer(1, g.Cols)
	tensor.ColumnSums(sums.Data, g)
	tensor.Axpy(1, sums.Data, db.Data)
}

// LeakyReLU returns x where positive and slope·x elsewhere; slope must be positive.
func (t *Tape) LeakyReLU(x *Var, slope float32) *Var {
	out := t.output(x.Rows(), x.Cols(), x)
	copy(out.Value.Data, x.Value.Data)
	tensor.AddBiasLeakyReLU(out.Value, nil, slope)
	out.back = func() {
		tensor.LeakyReLUGrad(out.grad, out.Value, out.grad, slope)
		add(t.sum(x), 1, out.grad)
	}
	return out
}
