package tensor

import (
	"fmt"
	"math"
)

// SoftmaxRows replaces each row by exp(x - max) / Σ exp(x - max). -Inf entries become 0;
// a row of nothing but -Inf becomes NaN.
func SoftmaxRows(m *Matrix) {
	Parallel(m.Rows, rowGrain(8*m.Cols), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			Softmax(m.Row(i))
		}
	})
}

// Softmax replaces x by exp(x - max x) / Σ exp(x - max x).
func Softmax(x []float32) {
	if len(x) == 0 {
		return
	}
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - top)))
	}
	Scale(float32(1/Sum(x)), x)
}

// Exp replaces each x by e^x.
func Exp(x []float32) {
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v)))
	}
}

// GELU replaces each x by x·Φ(x), Φ the normal distribution function: the exact
// form with erf, not the tanh approximation.
func GELU(x []float32) {
	Parallel(len(x), elementGrain/8, func(lo, hi int) {
		for i, v := range x[lo:hi] {
			x[lo+i] = float32(float64(v) * 0.5 * math.Erfc(-float64(v)/math.Sqrt2))
		}
	})
}

// Sigmoid returns 1/(1+e^-x).
func Sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

// LogSigmoid returns ln(1/(1+e^-x)) without overflow at either end.
func LogSigmoid(x float32) float64 {
	v := float64(x)
	return min(v, 0) - math.Log1p(math.Exp(-math.Abs(v)))
}

// LayerNormRows writes to each row of dst gamma ⊙ (x - mean)/√(var + eps) + beta, mean
// and (biased) variance over the row of x in float64. dst may be x.
func LayerNormRows(dst, x *Matrix, gamma, beta []float32, eps float32) {
	sameShape("LayerNormRows", dst, x)
	if len(gamma) != x.Cols || len(beta) != x.Cols {
		panic(fmt.Sprintf("tensor: LayerNormRows of %d columns with %d gammas and %d betas", x.Cols, len(gamma), len(beta)))
	}
	Parallel(x.Rows, rowGrain(2*x.Cols), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			layerNorm(dst.Row(i), x.Row(i), gamma, beta, eps)
		}
	})
}

func layerNorm(dst, x, gamma, beta []float32, eps float32) {
	n := float64(len(x))
	mean := Sum(x) / n
	var ss float64
	for _, v := range x {
		d := float64(v) - mean
		ss += d * d
	}
	scale := float32(1 / math.Sqrt(ss/n+float64(eps)))
	for i, v := range x {
		dst[i] = (v-float32(mean))*scale*gamma[i] + beta[i]
	}
}
