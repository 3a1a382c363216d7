package mllmrec

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// slope is LeakyReLU's factor on negative numbers.
const slope = 0.01

// tower is one side's MLP, x ↦ W₂ LeakyReLU(W₁ x + b₁) + b₂ (Eq. 13, 14).
type tower struct{ w1, b1, w2, b2 *autograd.Param }

// newTower draws a tower's parameters. init "pytorch" is U(±1/√in) for weights and
// biases, as the published code has it; "xavier" is Xavier-uniform weights and zero
// biases, as the paper says.
func newTower(name string, in, hidden, out int, init string, seed uint64) *tower {
	w := &tower{
		w1: autograd.NewParam(name+".hidden.weight", hidden, in), b1: autograd.NewVector(name+".hidden.bias", hidden),
		w2: autograd.NewParam(name+".output.weight", out, hidden), b2: autograd.NewVector(name+".output.bias", out),
	}
	if init == "xavier" {
		model.XavierUniform(w.w1, seed)
		model.XavierUniform(w.w2, seed)
	} else {
		model.PyTorchLinear(w.w1, w.b1, seed)
		model.PyTorchLinear(w.w2, w.b2, seed)
	}
	return w
}

func (w *tower) params() []*autograd.Param { return []*autograd.Param{w.w1, w.b1, w.w2, w.b2} }

// forward puts the tower's output for the rows of x on the tape.
func (w *tower) forward(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	h := t.LinearLeakyReLU(x, t.Param(w.w1), t.Param(w.b1), slope)
	return t.Linear(h, t.Param(w.w2), t.Param(w.b2))
}

// apply returns the tower's output for the rows of x, outside any tape. It works on
// blocks of rows, so that the hidden layer of a large catalogue is never held.
func (w *tower) apply(x *tensor.Matrix) *tensor.Matrix {
	const block = 4096
	out := tensor.New(x.Rows, w.w2.Value.Rows)
	hidden := tensor.New(min(block, x.Rows), w.w1.Value.Rows)
	for lo := 0; lo < x.Rows; lo += block {
		hi := min(lo+block, x.Rows)
		h, y := hidden.RowRange(0, hi-lo), out.RowRange(lo, hi)
		tensor.Gemm(false, true, 1, x.RowRange(lo, hi), w.w1.Value, 0, h)
		tensor.AddBiasLeakyReLU(h, w.b1.Value.Row(0), slope)
		tensor.Gemm(false, true, 1, h, w.w2.Value, 0, y)
		tensor.AddBiasLeakyReLU(y, w.b2.Value.Row(0), 1)
	}
	return out
}
