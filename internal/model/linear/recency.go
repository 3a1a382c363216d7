package linear

import "math"

// RecencyWeights returns γ^age for each of n items in the order chosen, the last of age 0.
// γ = 1 leaves the order without effect.
func RecencyWeights(n int, gamma float64) []float32 {
	w := make([]float32, n)
	for p := range w {
		w[p] = float32(math.Pow(gamma, float64(n-1-p)))
	}
	return w
}
