//go:build amd64 || arm64

package tensor

// The kernels below handle n elements, a multiple of 8.

//go:noescape
func dotVector(a, b *float32, n int) float32

//go:noescape
func axpyVector(alpha float32, x, y *float32, n int)

//go:noescape
func scaleVector(alpha float32, x *float32, n int)

// sumSquaresVector returns Σ (x_i - shift)².
//
//go:noescape
func sumSquaresVector(x *float32, shift float64, n int) float64

//go:noescape
func sumVector(x *float32, n int) float64

//go:noescape
func biasLeakyVector(row, bias *float32, slope float32, n int)

//go:noescape
func leakyGradVector(dst, y, dy *float32, slope float32, n int)

//go:noescape
func adamVector(param, grad, m, v *float32, k *adamConstants, n int)

// expVector replaces x by e^(x-shift).
//
//go:noescape
func expVector(x *float32, shift float32, n int, t *mathTable)

//go:noescape
func geluVector(x *float32, n int, t *mathTable)

//go:noescape
func maxVector(x *float32, n int) float32

// maxUint32Vector returns the largest element, read as unsigned.
//
//go:noescape
func maxUint32Vector(x *int32, n int) uint32

//go:noescape
func layerNormVector(dst, x, gamma, beta *float32, mean, scale float32, n int)

//go:noescape
func countAtLeastVector(x *float32, n int, threshold float32) int

// transpose8x8 writes dst[p·ldd+i] = src[i·lds+p] for i < 8 and p < 8·blocks;
// strides are in bytes.
//
//go:noescape
func transpose8x8(dst *float32, ldd uintptr, src *float32, lds uintptr, blocks int)
