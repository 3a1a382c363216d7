package audit

import "github.com/mllmrec/mllmrec/internal/nn/tensor"

// span is an orthonormal basis of the span of some item vectors.
type span struct{ basis [][]float32 }

func newSpan(items *tensor.Matrix, of []int32) *span {
	s := &span{}
	for _, i := range of {
		s.add(items.Row(int(i)))
	}
	return s
}

// add extends the basis by x, unless x lies in the span up to rounding.
func (s *span) add(x []float32) {
	q := append([]float32(nil), x...)
	s.project(q)
	if tensor.Norm2(q) > 1e-3*tensor.Norm2(x) {
		s.project(q) // a second pass restores what rounding lost
		normalize(q)
		s.basis = append(s.basis, q)
	}
}

// project takes the span out of x.
func (s *span) project(x []float32) {
	for _, q := range s.basis {
		tensor.Axpy(-tensor.Dot(q, x), q, x)
	}
}

// residual returns x − guess − bias without its part in the span.
func (s *span) residual(x, guess, bias []float32) []float32 {
	e := make([]float32, len(x))
	for j := range e {
		e[j] = x[j] - guess[j] - bias[j]
	}
	s.project(e)
	s.project(e)
	return e
}

func dot(x, y []float32) float64 { return float64(tensor.Dot(x, y)) }

// normalize scales x to length 1; zero stays zero.
func normalize(x []float32) {
	if l := tensor.Norm2(x); l > 0 {
		for j := range x {
			x[j] = float32(float64(x[j]) / l)
		}
	}
}
