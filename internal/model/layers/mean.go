package layers

import "github.com/mllmrec/mllmrec/internal/nn/autograd"

// Constant returns a constant matrix of one number.
func Constant(t *autograd.Tape, rows, cols int, value float32) *autograd.Var {
	m := t.Buffer(rows, cols)
	for i := range m.Data {
		m.Data[i] = value
	}
	return t.Const(m)
}

// Mean returns alpha times the mean of a column, 1×1.
func Mean(t *autograd.Tape, alpha float32, x *autograd.Var) *autograd.Var {
	return t.MatMul(Constant(t, 1, x.Rows(), alpha/float32(x.Rows())), false, x, false)
}
