package tensor

import (
	"fmt"
	"math"
)

// Softmax replaces x by exp(x - max x) / Σ exp(x - max x). -Inf elements become 0; with
// nothing but -Inf, or with NaN or +Inf among them, the result is NaN.
func Softmax(x []float32) {
	if len(x) == 0 {
		return
	}
	expShifted(x, largest(x))
	Scale(float32(1/Sum(x)), x)
}

// SoftmaxRows applies Softmax to each row of m.
func SoftmaxRows(m *Matrix) {
	Parallel(m.Rows, rowGrain(4*m.Cols), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			Softmax(m.Row(i))
		}
	})
}

// Exp replaces each x by e^x.
func Exp(x []float32) {
	Parallel(len(x), elementGrain/4, func(lo, hi int) { expShifted(x[lo:hi], 0) })
}

// GELU replaces each x by x·Φ(x), Φ the normal distribution function: the form with
// erf, not the tanh approximation, to an absolute error below 1e-6.
func GELU(x []float32) {
	Parallel(len(x), elementGrain/4, func(lo, hi int) { gelu(x[lo:hi]) })
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

// LayerNorm is LayerNormRows for one row, on the calling goroutine.
func LayerNorm(dst, x, gamma, beta []float32, eps float32) {
	sameLen("LayerNorm", len(x), len(dst), len(gamma), len(beta))
	layerNorm(dst, x, gamma, beta, eps)
}

func layerNorm(dst, x, gamma, beta []float32, eps float32) {
	if len(x) == 0 {
		return
	}
	size := float64(len(x))
	mean := Sum(x) / size
	scale := float32(1 / math.Sqrt(squaresAbout(x, mean)/size+float64(eps)))
	i := 0
	if n := len(x) &^ 7; active != levelGeneric && n > 0 {
		layerNormVector(&dst[0], &x[0], &gamma[0], &beta[0], float32(mean), scale, n)
		i = n
	}
	for ; i < len(x); i++ {
		dst[i] = (x[i]-float32(mean))*scale*gamma[i] + beta[i]
	}
}
