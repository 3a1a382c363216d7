package autograd

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// EdgeSoftmax returns for each entry e^v divided by the sum of e^v over its row: attention of a row to its
// entries. Rows are taken as they stand, so an entry that stands twice counts twice.
func (t *Tape) EdgeSoftmax(e *Edges, values *Var) *Var {
	e.check("softmax", values)
	out := t.output(e.Len(), 1, values)
	rows := func(each func(from, to int64)) {
		indptr := e.places.Indptr
		tensor.Parallel(e.places.Rows, elementGrain/16, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				if indptr[i] < indptr[i+1] {
					each(indptr[i], indptr[i+1])
				}
			}
		})
	}
	rows(func(from, to int64) {
		y, x := out.Value.Data[from:to], values.Value.Data[from:to]
		top := x[0]
		for _, v := range x {
			top = max(top, v)
		}
		var sum float64
		for k, v := range x {
			p := math.Exp(float64(v - top))
			y[k] = float32(p)
			sum += p
		}
		for k, p := range y {
			y[k] = float32(float64(p) / sum)
		}
	})
	out.back = func() {
		dv := t.sum(values).Data
		rows(func(from, to int64) {
			y, g, d := out.Value.Data[from:to], out.grad.Data[from:to], dv[from:to]
			var mean float64
			for k, p := range y {
				mean += float64(p) * float64(g[k])
			}
			for k, p := range y {
				d[k] += p * (g[k] - float32(mean))
			}
		})
	}
	return out
}

// Max returns the largest of variables of one shape, element by element. The gradient goes to the first
// of those that are the largest. With a constant zero it is what networks call ReLU.
func (t *Tape) Max(xs ...*Var) *Var {
	out := t.output(xs[0].Rows(), xs[0].Cols(), xs...)
	for _, x := range xs[1:] {
		mustMatch("largest", xs[0], x)
	}
	copy(out.Value.Data, xs[0].Value.Data)
	for _, x := range xs[1:] {
		for i, v := range x.Value.Data {
			if v > out.Value.Data[i] || v != v {
				out.Value.Data[i] = v
			}
		}
	}
	out.back = func() {
		slopes := make([]*tensor.Matrix, len(xs))
		for k, x := range xs {
			if x.needs {
				slopes[k] = t.sum(x)
			}
		}
		for i, g := range out.grad.Data {
			for k, x := range xs {
				if x.Value.Data[i] == out.Value.Data[i] {
					if slopes[k] != nil {
						slopes[k].Data[i] += g
					}
					break
				}
			}
		}
	}
	return out
}
