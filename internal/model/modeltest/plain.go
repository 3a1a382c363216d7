package modeltest

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Plain is a matrix in float64 with the few operations in which a test writes a model's definition down a
// second time, slowly.
type Plain [][]float64

// PlainOf copies a matrix.
func PlainOf(m *tensor.Matrix) Plain {
	p := make(Plain, m.Rows)
	for i := range p {
		for _, v := range m.Row(i) {
			p[i] = append(p[i], float64(v))
		}
	}
	return p
}

// PlainParams copies a model's parameters, by name.
func PlainParams(m model.Model) map[string]Plain {
	all := map[string]Plain{}
	for _, p := range m.Params() {
		all[p.Name] = PlainOf(p.Value)
	}
	return all
}

// Linear returns p·wᵀ + b; b, one row, may be nil.
func (p Plain) Linear(w, b Plain) Plain {
	out := make(Plain, len(p))
	for i, x := range p {
		for o, row := range w {
			var sum float64
			for k, v := range row {
				sum += v * x[k]
			}
			if b != nil {
				sum += b[0][o]
			}
			out[i] = append(out[i], sum)
		}
	}
	return out
}

// Leaky returns LeakyReLU with slope 0.01.
func (p Plain) Leaky() Plain {
	out := make(Plain, len(p))
	for i, x := range p {
		for _, v := range x {
			out[i] = append(out[i], max(v, 0.01*v))
		}
	}
	return out
}

// Unit divides rows by their lengths.
func (p Plain) Unit() Plain {
	out := make(Plain, len(p))
	for i, x := range p {
		out[i] = Scaled(1/max(math.Sqrt(PlainDot(x, x)), 1e-12), x)
	}
	return out
}

// Plus adds elements.
func (p Plain) Plus(q Plain) Plain {
	out := make(Plain, len(p))
	for i, x := range p {
		out[i] = make([]float64, len(x))
		AddScaled(out[i], 1, x)
		AddScaled(out[i], 1, q[i])
	}
	return out
}

// Beside puts matrices side by side.
func (p Plain) Beside(qs ...Plain) Plain {
	out := make(Plain, len(p))
	for i, x := range p {
		out[i] = append(out[i], x...)
		for _, q := range qs {
			out[i] = append(out[i], q[i]...)
		}
	}
	return out
}

// Scaled returns alpha·x.
func Scaled(alpha float64, x []float64) []float64 {
	out := make([]float64, len(x))
	AddScaled(out, alpha, x)
	return out
}

// AddScaled adds alpha·x to dst.
func AddScaled(dst []float64, alpha float64, x []float64) {
	for k, v := range x {
		dst[k] += alpha * v
	}
}

// PlainDot is the inner product.
func PlainDot(a, b []float64) (sum float64) {
	for k, v := range a {
		sum += v * b[k]
	}
	return sum
}

// Off returns the largest difference between p and m, as a share of the largest element of p.
func (p Plain) Off(m *tensor.Matrix) float64 {
	if len(p) != m.Rows || len(p) > 0 && len(p[0]) != m.Cols {
		return math.Inf(1)
	}
	var worst, largest float64
	for i, x := range p {
		for k, v := range x {
			worst, largest = max(worst, math.Abs(v-float64(m.Row(i)[k]))), max(largest, math.Abs(v))
		}
	}
	return worst / largest
}
