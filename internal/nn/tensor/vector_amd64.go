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

// expAVX2 replaces x by e^(x-shift).
//
//go:noescape
func expAVX2(x *float32, shift float32, n int, t *mathTable)

//go:noescape
func geluAVX2(x *float32, n int, t *mathTable)

//go:noescape
func maxAVX2(x *float32, n int) float32

// maxUint32AVX2 returns the largest element, read as unsigned.
//
//go:noescape
func maxUint32AVX2(x *int32, n int) uint32

//go:noescape
func layerNormAVX2(dst, x, gamma, beta *float32, mean, scale float32, n int)

// filterAVX512 and filterAVX2 write the positions (from base on) of the elements above
// threshold to out, which has room for n+16, and return their number. NaN is not above.
//
//go:noescape
func filterAVX512(x *float32, n int, base int32, threshold float32, out *int32) int

//go:noescape
func filterAVX2(x *float32, n int, base int32, threshold float32, out *int32) int

// groupMaxAVX512 and groupMaxAVX2 cut x into blocks of 16·depth elements and write for
// each block the largest of the elements i, i+16, i+32, … for i < 16. NaN is passed over.
//
//go:noescape
func groupMaxAVX512(x *float32, blocks, depth int, out *float32)

//go:noescape
func groupMaxAVX2(x *float32, blocks, depth int, out *float32)

//go:noescape
func countAtLeastAVX2(x *float32, n int, threshold float32) int

//go:noescape
func spmmAVX512(args *spmmArgs)

//go:noescape
func spmmAVX2(args *spmmArgs)
