package bert

import "math"

func inverseSqrt(d int) float32 { return float32(1 / math.Sqrt(float64(d))) }

// gelu applies x·Φ(x), Φ by the error function, in place.
func gelu(x []float32) {
	for i, v := range x {
		x[i] = float32(0.5 * float64(v) * (1 + math.Erf(float64(v)/math.Sqrt2)))
	}
}

// softmaxRows normalises each of the rows of length n.
func softmaxRows(x []float32, rows, n int) {
	for i := range rows {
		row := x[i*n : (i+1)*n]
		top := row[0]
		for _, v := range row {
			top = max(top, v)
		}
		var sum float32
		for j, v := range row {
			e := float32(math.Exp(float64(v - top)))
			row[j] = e
			sum += e
		}
		for j := range row {
			row[j] /= sum
		}
	}
}

// layerNorm normalises rows of length n to mean 0 and variance 1, then scales and shifts.
func layerNorm(x []float32, n int, a affine, eps float32) {
	for ; len(x) > 0; x = x[n:] {
		row := x[:n]
		var sum, square float64
		for _, v := range row {
			sum += float64(v)
		}
		mean := sum / float64(n)
		for _, v := range row {
			d := float64(v) - mean
			square += d * d
		}
		scale := 1 / math.Sqrt(square/float64(n)+float64(eps))
		for j, v := range row {
			row[j] = float32((float64(v)-mean)*scale)*a.scale[j] + a.shift[j]
		}
	}
}
