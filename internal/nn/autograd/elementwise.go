package autograd

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// elementGrain is the number of elements an elementwise kernel gives to a worker at once:
// enough to outweigh handing it over.
const elementGrain = 1 << 15

// add computes dst += alpha·src, elementwise and in parallel.
func add(dst *tensor.Matrix, alpha float32, src *tensor.Matrix) {
	tensor.Parallel(len(dst.Data), elementGrain, func(lo, hi int) {
		tensor.Axpy(alpha, src.Data[lo:hi], dst.Data[lo:hi])
	})
}

// Add returns the sum of variables of one shape.
func (t *Tape) Add(xs ...*Var) *Var { return t.combine(1, xs) }

// Mean returns the mean of variables of one shape, such as the layers of a
// propagation.
func (t *Tape) Mean(xs ...*Var) *Var { return t.combine(1/float32(len(xs)), xs) }

// Scale returns alpha·x.
func (t *Tape) Scale(alpha float32, x *Var) *Var { return t.combine(alpha, []*Var{x}) }

// combine returns alpha·Σ xs.
func (t *Tape) combine(alpha float32, xs []*Var) *Var {
	out := t.output(xs[0].Rows(), xs[0].Cols(), xs...)
	for _, x := range xs[1:] {
		mustMatch("sum", xs[0], x)
	}
	dst := out.Value.Data
	tensor.Parallel(len(dst), elementGrain, func(lo, hi int) {
		for i, v := range xs[0].Value.Data[lo:hi] {
			dst[lo+i] = alpha * v
		}
		for _, x := range xs[1:] {
			tensor.Axpy(alpha, x.Value.Data[lo:hi], dst[lo:hi])
		}
	})
	out.back = func() {
		for _, x := range xs {
			if x.needs {
				add(t.sum(x), alpha, out.grad)
			}
		}
	}
	return out
}

// NormalizeRows returns x with each row divided by max(‖row‖₂, eps).
func (t *Tape) NormalizeRows(x *Var, eps float64) *Var {
	out := t.output(x.Rows(), x.Cols(), x)
	scale := t.Buffer(1, x.Rows()).Data
	tensor.Parallel(x.Rows(), rowGrain(x.Cols()), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			s := float32(1 / max(tensor.Norm2(x.Value.Row(r)), eps))
			scale[r] = s
			y := out.Value.Row(r)
			for j, v := range x.Value.Row(r) {
				y[j] = s * v
			}
		}
	})
	out.back = func() {
		dx := t.sum(x)
		tensor.Parallel(x.Rows(), rowGrain(x.Cols()), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				s, g, y := scale[r], out.grad.Row(r), out.Value.Row(r)
				tensor.Axpy(s, g, dx.Row(r))
				// Below eps the divisor is a constant and this part vanishes.
				if s < float32(1/eps) {
					tensor.Axpy(-s*tensor.Dot(g, y), y, dx.Row(r))
				}
			}
		})
	}
	return out
}

func rowGrain(cols int) int { return max(1, elementGrain/max(cols, 1)) }

// sumSquares returns Σ x² in float64: per chunk, then over chunks in order.
func sumSquares(x []float32) float64 {
	const chunk = 1 << 12
	var total float64
	for lo := 0; lo < len(x); lo += chunk {
		n := tensor.Norm2(x[lo:min(lo+chunk, len(x))])
		total += n * n
	}
	return total
}

// EmbNorm returns the embedding-norm penalty of the reference framework,
// (Σ_q ‖X_q‖_F) / b: unsquared Frobenius norms of the batch matrices X_q, with b the
// number of rows of the last one. A row that occurs twice counts twice.
func (t *Tape) EmbNorm(xs ...*Var) *Var {
	out := t.output(1, 1, xs...)
	norms := make([]float64, len(xs))
	var total float64
	for q, x := range xs {
		norms[q] = math.Sqrt(sumSquares(x.Value.Data))
		total += norms[q]
	}
	b := float64(xs[len(xs)-1].Rows())
	out.Value.Data[0] = float32(total / b)
	out.back = func() {
		g := float64(out.grad.Data[0])
		for q, x := range xs {
			if x.needs && norms[q] > 0 {
				add(t.sum(x), float32(g/(norms[q]*b)), x.Value)
			}
		}
	}
	return out
}
