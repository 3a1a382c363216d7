package mllmrec

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// slope is LeakyReLU's factor on negative numbers.
const slope = 0.01

// tower is one side's MLP, x ↦ W₂ LeakyReLU(W₁ x + b₁) + b₂ (Eq. 14).
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

// apply returns the tower's output for the rows of x, outside any tape.
func (w *tower) apply(x *tensor.Matrix) *tensor.Matrix { return w.freeze().apply(x) }

// freeze returns the tower under its present parameters.
func (w *tower) freeze() *frozen {
	return newFrozen(w.w1.Value, w.b1.Value.Row(0), w.w2.Value, w.b2.Value.Row(0))
}

// frozen is a tower whose parameters no longer change, with its matrices laid out for
// products. It is safe for concurrent use.
type frozen struct {
	w1, w2             *tensor.Packed
	b1, b2             []float32
	width, hidden, dim int // of what goes in, of the hidden layer, of what comes out
}

func newFrozen(w1 *tensor.Matrix, b1 []float32, w2 *tensor.Matrix, b2 []float32) *frozen {
	return &frozen{
		w1: tensor.Pack(true, w1.Cols, w1.Rows, w1.Data, w1.Cols), b1: b1,
		w2: tensor.Pack(true, w2.Cols, w2.Rows, w2.Data, w2.Cols), b2: b2,
		width: w1.Cols, hidden: w1.Rows, dim: w2.Rows,
	}
}

// apply returns the tower's output for the rows of x. It works on blocks of rows, so that
// the hidden layer of a large catalogue is never held. A packed product gives a row the
// same bits in a batch and alone, and so does apply.
func (f *frozen) apply(x *tensor.Matrix) *tensor.Matrix {
	const block = 4096
	out := tensor.New(x.Rows, f.dim)
	hidden := tensor.New(min(block, x.Rows), f.hidden)
	for lo := 0; lo < x.Rows; lo += block {
		hi := min(lo+block, x.Rows)
		h, y := hidden.RowRange(0, hi-lo), out.RowRange(lo, hi)
		f.w1.Mul(x.RowRange(lo, hi), h)
		tensor.AddBiasLeakyReLU(h, f.b1, slope)
		f.w2.Mul(h, y)
		tensor.AddBiasLeakyReLU(y, f.b2, 1)
	}
	return out
}
