package model

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/rng"
)

// XavierUniform draws p from U(±√(6/(rows+cols))).
func XavierUniform(p *autograd.Param, seed uint64) {
	uniform(p, seed, math.Sqrt(6/float64(p.Value.Rows+p.Value.Cols)))
}

// XavierNormal draws p from N(0, 2/(rows+cols)).
func XavierNormal(p *autograd.Param, seed uint64) {
	normal(p, seed, math.Sqrt(2/float64(p.Value.Rows+p.Value.Cols)))
}

// normal draws p from N(0, sd²), from a stream of its own as uniform does.
func normal(p *autograd.Param, seed uint64, sd float64) {
	r := rng.Stream(seed, "init "+p.Name, 0)
	for i := range p.Value.Data {
		p.Value.Data[i] = float32(sd * r.NormFloat64())
	}
}

// NormalRows draws p from N(0, length²/cols): rows of about the given length.
func NormalRows(p *autograd.Param, length float64, seed uint64) {
	normal(p, seed, length/math.Sqrt(float64(p.Value.Cols)))
}

// PyTorchLinear draws a linear layer's weight [out, in] and bias as PyTorch does
// unless told otherwise: both from U(±1/√in).
func PyTorchLinear(weight, bias *autograd.Param, seed uint64) {
	bound := 1 / math.Sqrt(float64(weight.Value.Cols))
	uniform(weight, seed, bound)
	uniform(bias, seed, bound)
}

// uniform draws p from U(±bound). Each parameter has a stream of its own, so that
// adding one to a model leaves the others' initial values alone.
func uniform(p *autograd.Param, seed uint64, bound float64) {
	r := rng.Stream(seed, "init "+p.Name, 0)
	for i := range p.Value.Data {
		p.Value.Data[i] = float32(bound * (2*r.Float64() - 1))
	}
}
