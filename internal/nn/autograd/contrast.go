package autograd

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// InfoNCE returns the mean over the rows i of −log( e^{â_i·b̂_i/τ} / Σ_j e^{â_i·b̂_j/τ} ), hats being rows
// divided by their lengths: each row of a is to be told from the others by its own row of b. A
// row that occurs twice is its own negative, as in the published models.
func (t *Tape) InfoNCE(a, b *Var, tau float32) *Var {
	mustMatch("InfoNCE", a, b)
	own := t.Indices(a.Rows())
	for i := range own {
		own[i] = int32(i)
	}
	return t.Contrast(a, b, own, tau)
}

// Contrast is InfoNCE against all rows of b, of which own says the right one of each row of a.
func (t *Tape) Contrast(a, b *Var, own []int32, tau float32) *Var {
	const eps = 1e-12
	return t.CrossEntropy(t.Scale(1/tau, t.NormalizeRows(a, eps)), t.NormalizeRows(b, eps), own, nil)
}

// SquaredNorm returns scale·Σ_q ‖X_q‖², the sum of squares of all elements.
func (t *Tape) SquaredNorm(scale float64, xs ...*Var) *Var {
	out := t.output(1, 1, xs...)
	var total float64
	for _, x := range xs {
		total += sumSquares(x.Value.Data)
	}
	out.Value.Data[0] = float32(scale * total)
	out.back = func() {
		g := float32(2 * scale * float64(out.grad.Data[0]))
		for _, x := range xs {
			if x.needs {
				add(t.sum(x), g, x.Value)
			}
		}
	}
	return out
}

// MomentGap returns |Var a − Var b| + |mean a − mean b| over all elements, with the unbiased variance.
func (t *Tape) MomentGap(a, b *Var) *Var {
	out := t.output(1, 1, a, b)
	ma, va := moments(a.Value.Data)
	mb, vb := moments(b.Value.Data)
	out.Value.Data[0] = float32(math.Abs(va-vb) + math.Abs(ma-mb))
	out.back = func() {
		g := float64(out.grad.Data[0])
		for _, s := range []struct {
			x          *Var
			mean, sign float64
		}{{a, ma, 1}, {b, mb, -1}} {
			if !s.x.needs {
				continue
			}
			n := float64(len(s.x.Value.Data))
			slope := s.sign * g * sign(va-vb) * 2 / (n - 1)
			shift := s.sign*g*sign(ma-mb)/n - slope*s.mean
			dst, src := t.sum(s.x).Data, s.x.Value.Data
			tensor.Parallel(len(dst), elementGrain, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					dst[i] += float32(slope*float64(src[i]) + shift)
				}
			})
		}
	}
	return out
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// moments returns mean and unbiased variance, summed by chunks in a fixed order.
func moments(x []float32) (mean, variance float64) {
	const chunk = 1 << 12
	for lo := 0; lo < len(x); lo += chunk {
		mean += tensor.Sum(x[lo:min(lo+chunk, len(x))])
	}
	mean /= float64(len(x))
	for lo := 0; lo < len(x); lo += chunk {
		var s float64
		for _, v := range x[lo:min(lo+chunk, len(x))] {
			d := float64(v) - mean
			s += d * d
		}
		variance += s
	}
	return mean, variance / float64(len(x)-1)
}
