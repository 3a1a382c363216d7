package transformer

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func inverseSqrt(d int) float32 { return float32(1 / math.Sqrt(float64(d))) }

// gelu applies GELU in place, row by row: rows are too short to be shared among cores,
// which work on other blocks of rows.
func gelu(x []float32, n int) {
	for ; len(x) > 0; x = x[n:] {
		tensor.GELU(x[:n])
	}
}

// layerNorm normalises rows of length n in place.
func layerNorm(x []float32, n int, a affine, eps float32) {
	for ; len(x) > 0; x = x[n:] {
		tensor.LayerNorm(x[:n], x[:n], a.scale, a.shift, eps)
	}
}
