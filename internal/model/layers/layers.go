// Package layers holds the parts that multimodal models are put together from: linear layers, and the
// items' vectors as a model's input, trainable or not.
package layers

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Linear is x ↦ x·Wᵀ + b.
type Linear struct{ Weight, Bias *autograd.Param } // Bias nil: none

// NewLinear returns a layer with weight and bias drawn as PyTorch draws them unless told otherwise.
func NewLinear(name string, in, out int, seed uint64) Linear {
	l := Linear{autograd.NewParam(name+".weight", out, in), autograd.NewVector(name+".bias", out)}
	model.PyTorchLinear(l.Weight, l.Bias, seed)
	return l
}

// NewUnbiased returns a layer without bias, its weight drawn in the same way.
func NewUnbiased(name string, in, out int, seed uint64) Linear {
	l := NewLinear(name, in, out, seed)
	l.Bias = nil
	return l
}

// Apply puts the layer on the tape.
func (l Linear) Apply(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	if l.Bias == nil {
		return t.Linear(x, t.Param(l.Weight), nil)
	}
	return t.Linear(x, t.Param(l.Weight), t.Param(l.Bias))
}

// Gate is σ(x·Wᵀ + b).
func (l Linear) Gate(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	return t.Sigmoid(l.Apply(t, x))
}

// Params returns the layer's parameters.
func (l Linear) Params() []*autograd.Param {
	if l.Bias == nil {
		return []*autograd.Param{l.Weight}
	}
	return []*autograd.Param{l.Weight, l.Bias}
}

// Params joins the parameters of layers.
func Params(layers ...Linear) (all []*autograd.Param) {
	for _, l := range layers {
		all = append(all, l.Params()...)
	}
	return all
}

// Embedding returns a table drawn by Xavier's uniform rule.
func Embedding(name string, rows, cols int, seed uint64) *autograd.Param {
	p := autograd.NewParam(name, rows, cols)
	model.XavierUniform(p, seed)
	return p
}

// Features are the items' vectors of one modality as an input of a model.
type Features struct {
	param *autograd.Param // nil: the vectors are constant
	value *tensor.Matrix
}

// Frozen returns constant features.
func Frozen(x *tensor.Matrix) Features { return Features{value: x} }

// Trainable returns features that training moves, from where they are.
func Trainable(name string, x *tensor.Matrix) Features {
	p := autograd.NewParam(name, x.Rows, x.Cols)
	copy(p.Value.Data, x.Data)
	return Features{p, p.Value}
}

// TrainableByRows returns features that training moves, of which a step reads the rows of its batch alone, by
// [Features.Rows].
func TrainableByRows(name string, x *tensor.Matrix) Features {
	p := autograd.NewTable(name, x.Rows, x.Cols)
	copy(p.Value.Data, x.Data)
	return Features{p, p.Value}
}

// Rows puts rows of features that are trained by rows on the tape; they differ.
func (f Features) Rows(t *autograd.Tape, rows []int32) *autograd.Var {
	return t.ParamRows(f.param, rows)
}

// Width is that of the vectors.
func (f Features) Width() int { return f.value.Cols }

// On puts the features on the tape.
func (f Features) On(t *autograd.Tape) *autograd.Var {
	if f.param != nil {
		return t.Param(f.param)
	}
	return t.Const(f.value)
}

// Params returns the parameter of trainable features.
func (f Features) Params() []*autograd.Param {
	if f.param == nil {
		return nil
	}
	return []*autograd.Param{f.param}
}
