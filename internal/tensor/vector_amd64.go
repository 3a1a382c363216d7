package tensor

// The kernels below handle n elements, a multiple of 8.

//go:noescape
func dotAVX2(a, b *float32, n int) float32

//go:noescape
func axpyAVX2(alpha float32, x, y *float32, n int)

//go:noescape
func scaleAVX2(alpha float32, x *float32, n int)

// sumSquaresAVX2 returns Σ (x_i - shift)².
//
//go:noescape
func sumSquaresAVX2(x *float32, shift float64, n int) float64

//go:noescape
func sumAVX2(x *float32, n int) float64

//go:noescape
func biasLeakyAVX2(row, bias *float32, slope float32, n int)

//go:noescape
func leakyGradAVX2(dst, y, dy *float32, slope float32, n int)

//go:noescape
func adamAVX2(param, grad, m, v *float32, k *adamConstants, n int)
