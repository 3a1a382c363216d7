package tensor

import (
	"fmt"
	"math"
	"slices"
)

// sameLen panics unless n slices that belong together are equally long.
func sameLen(what string, n int, others ...int) {
	for _, o := range others {
		if o != n {
			panic(fmt.Sprintf("tensor: %s of slices with %d and %d elements", what, n, o))
		}
	}
}

// Dot returns Σ a_i·b_i.
func Dot(a, b []float32) float32 {
	sameLen("Dot", len(a), len(b))
	var s float32
	i := 0
	if n := len(a) &^ 7; active != levelGeneric && n > 0 {
		s = dotVector(&a[0], &b[0], n)
		i = n
	}
	for ; i < len(a); i++ {
		s += a[i] * b[i]
	}
	return s
}

// Axpy computes y += alpha·x; x and y are the same slice or do not overlap.
func Axpy(alpha float32, x, y []float32) {
	sameLen("Axpy", len(x), len(y))
	i := 0
	if n := len(x) &^ 7; active != levelGeneric && n > 0 {
		axpyVector(alpha, &x[0], &y[0], n)
		i = n
	}
	for ; i < len(x); i++ {
		y[i] += alpha * x[i]
	}
}

// Scale computes x *= alpha.
func Scale(alpha float32, x []float32) {
	i := 0
	if n := len(x) &^ 7; active != levelGeneric && n > 0 {
		scaleVector(alpha, &x[0], n)
		i = n
	}
	for ; i < len(x); i++ {
		x[i] *= alpha
	}
}

// Norm2 returns the Euclidean length of x, summed in float64.
func Norm2(x []float32) float64 { return math.Sqrt(SumSquares(x)) }

// SumSquares returns Σ x_i², summed in float64.
func SumSquares(x []float32) float64 { return squaresAbout(x, 0) }

// squaresAbout returns Σ (x_i - mean)², summed in float64.
func squaresAbout(x []float32, mean float64) float64 {
	var s float64
	i := 0
	if n := len(x) &^ 7; active != levelGeneric && n > 0 {
		s = sumSquaresVector(&x[0], mean, n)
		i = n
	}
	for ; i < len(x); i++ {
		d := float64(x[i]) - mean
		s += d * d
	}
	return s
}

// Sum returns Σ x_i, summed in float64.
func Sum(x []float32) float64 {
	var s float64
	i := 0
	if n := len(x) &^ 7; active != levelGeneric && n > 0 {
		s = sumVector(&x[0], n)
		i = n
	}
	for ; i < len(x); i++ {
		s += float64(x[i])
	}
	return s
}

// FirstNaN returns the position of the first NaN in x, or -1 where there is none.
func FirstNaN(x []float32) int {
	if s := Sum(x); s == s { // a NaN would reach the sum, and so would Inf and -Inf together
		return -1
	}
	return slices.IndexFunc(x, func(v float32) bool { return v != v })
}
