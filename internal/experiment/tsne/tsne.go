// Package tsne lays points of many dimensions out in two, so that near ones stay near: exact t-SNE (van der Maaten and
// Hinton, 2008), for a few hundred points. The same points and seed give the same bits.
package tsne

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/rng"
)

const (
	iterations   = 600
	early        = 100 // iterations in which likenesses count more, so that groups find together
	exaggeration = 4.0
	rate         = 100.0
)

// Layout returns two coordinates for each row of x. Perplexity is about how many neighbours a point has; it must
// be below a third of the number of points and is lowered to that.
func Layout(x *tensor.Matrix, perplexity float64, seed uint64) [][2]float64 {
	n := x.Rows
	if n < 4 {
		return make([][2]float64, n)
	}
	p := joint(distances(x), min(perplexity, float64(n-1)/3))
	r := rng.Stream(seed, "t-sne", 0)
	y, speed, gain := make([][2]float64, n), make([][2]float64, n), make([][2]float64, n)
	for i := range y {
		y[i] = [2]float64{1e-2 * r.NormFloat64(), 1e-2 * r.NormFloat64()}
		gain[i] = [2]float64{1, 1}
	}
	for it := range iterations {
		weight, momentum := 1.0, 0.8
		if it < early {
			weight, momentum = exaggeration, 0.5
		}
		slope := gradient(p, y, weight)
		for i := range y {
			for c := range 2 {
				if (slope[i][c] > 0) == (speed[i][c] > 0) {
					gain[i][c] = max(0.01, gain[i][c]*0.8)
				} else {
					gain[i][c] += 0.2
				}
				speed[i][c] = momentum*speed[i][c] - rate*gain[i][c]*slope[i][c]
				y[i][c] += speed[i][c]
			}
		}
		centre(y)
	}
	return y
}

func centre(y [][2]float64) {
	var m [2]float64
	for _, v := range y {
		m[0] += v[0] / float64(len(y))
		m[1] += v[1] / float64(len(y))
	}
	for i := range y {
		y[i][0] -= m[0]
		y[i][1] -= m[1]
	}
}

// distances are squared ones, n×n.
func distances(x *tensor.Matrix) []float64 {
	n := x.Rows
	d := make([]float64, n*n)
	tensor.Parallel(n, 8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			for j := range n {
				var s float64
				for k, v := range x.Row(i) {
					e := float64(v) - float64(x.Row(j)[k])
					s += e * e
				}
				d[i*n+j] = s
			}
		}
	})
	return d
}

// joint turns distances into likenesses: of each point to the others by a normal curve whose width gives the
// perplexity, made symmetric.
func joint(d []float64, perplexity float64) []float64 {
	n := int(math.Sqrt(float64(len(d))))
	conditional, p := make([]float64, len(d)), make([]float64, len(d))
	tensor.Parallel(n, 8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			calibrate(d[i*n:(i+1)*n], conditional[i*n:(i+1)*n], i, perplexity)
		}
	})
	for i := range n {
		for j := range n {
			p[i*n+j] = max(1e-12, (conditional[i*n+j]+conditional[j*n+i])/(2*float64(n)))
		}
	}
	return p
}

// calibrate finds, by halving, the width at which row i has the entropy of so many neighbours.
func calibrate(d, p []float64, i int, perplexity float64) {
	low, high, beta := 0.0, math.Inf(1), 1.0
	nearest := math.Inf(1)
	for j, v := range d {
		if j != i {
			nearest = min(nearest, v)
		}
	}
	for range 60 {
		var sum, weighted float64
		for j, v := range d {
			p[j] = 0
			if j != i {
				p[j] = math.Exp(-beta * (v - nearest))
				sum += p[j]
				weighted += p[j] * (v - nearest)
			}
		}
		entropy := math.Log(sum) + beta*weighted/sum
		for j := range p {
			p[j] /= sum
		}
		if math.Abs(entropy-math.Log(perplexity)) < 1e-6 {
			return
		}
		if entropy > math.Log(perplexity) {
			low = beta
			if math.IsInf(high, 1) {
				beta *= 2
			} else {
				beta = (beta + high) / 2
			}
		} else {
			high = beta
			beta = (beta + low) / 2
		}
	}
}

// gradient is that of the divergence of the layout's likenesses from p, by a t distribution of one degree of
// freedom.
func gradient(p []float64, y [][2]float64, weight float64) [][2]float64 {
	n := len(y)
	q, sums := make([]float64, n*n), make([]float64, n)
	tensor.Parallel(n, 8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			for j := range n {
				if i != j {
					a, b := y[i][0]-y[j][0], y[i][1]-y[j][1]
					q[i*n+j] = 1 / (1 + a*a + b*b)
					sums[i] += q[i*n+j]
				}
			}
		}
	})
	var total float64
	for _, s := range sums {
		total += s
	}
	slope := make([][2]float64, n)
	tensor.Parallel(n, 8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			for j := range n {
				f := 4 * (weight*p[i*n+j] - q[i*n+j]/total) * q[i*n+j]
				slope[i][0] += f * (y[i][0] - y[j][0])
				slope[i][1] += f * (y[i][1] - y[j][1])
			}
		}
	})
	return slope
}

// Divergence is what the layout minimises: Σ p log(p/q).
func Divergence(x *tensor.Matrix, y [][2]float64, perplexity float64) float64 {
	n := x.Rows
	p := joint(distances(x), min(perplexity, float64(n-1)/3))
	var total, d float64
	q := make([]float64, n*n)
	for i := range n {
		for j := range n {
			if i != j {
				a, b := y[i][0]-y[j][0], y[i][1]-y[j][1]
				q[i*n+j] = 1 / (1 + a*a + b*b)
				total += q[i*n+j]
			}
		}
	}
	for i, v := range p {
		if q[i] > 0 {
			d += v * math.Log(v*total/q[i])
		}
	}
	return d
}

// Uniformity is log of the mean of e^(−2‖a−b‖²) over pairs of different rows of length 1: the lower, the more evenly
// the vectors are spread over the sphere (Wang and Isola, 2020).
func Uniformity(x *tensor.Matrix) float64 {
	unit := x.Clone()
	unit.NormalizeRows(1e-12)
	n, d := x.Rows, distances(unit)
	var sum float64
	for i := range n {
		for j := range n {
			if i != j {
				sum += math.Exp(-2 * d[i*n+j])
			}
		}
	}
	return math.Log(sum / float64(n*(n-1)))
}
