package autograd

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Reshape returns the elements of x, in their order, as a rows×cols matrix.
func (t *Tape) Reshape(x *Var, rows, cols int) *Var {
	if rows*cols != len(x.Value.Data) {
		panic(fmt.Sprintf("autograd: %d×%d as %d×%d", x.Rows(), x.Cols(), rows, cols))
	}
	out := t.output(rows, cols, x)
	copy(out.Value.Data, x.Value.Data)
	out.back = func() {
		tensor.Axpy(1, out.grad.Data, t.sum(x).Data)
	}
	return out
}

// Convolve returns the circular convolution of the rows of a and b: out_j = Σ_i a_i·b_{(j−i) mod d}.
func (t *Tape) Convolve(a, b *Var) *Var {
	mustMatch("convolution", a, b)
	out := t.output(a.Rows(), a.Cols(), a, b)
	d := a.Cols()
	clear(out.Value.Data)
	tensor.Parallel(a.Rows(), max(1, rowGrain(d)/max(d, 1)), func(lo, hi int) {
		twice := make([]float32, 2*d)
		for r := lo; r < hi; r++ {
			copy(twice, b.Value.Row(r))
			copy(twice[d:], b.Value.Row(r))
			for i, v := range a.Value.Row(r) {
				tensor.Axpy(v, twice[d-i:2*d-i], out.Value.Row(r))
			}
		}
	})
	out.back = func() {
		// The same sum over i and j, with the roles of the rows exchanged: both sides alike.
		for _, s := range [2][2]*Var{{a, b}, {b, a}} {
			if !s[0].needs {
				continue
			}
			dst, other := t.sum(s[0]), s[1].Value
			tensor.Parallel(a.Rows(), max(1, rowGrain(d)/max(d, 1)), func(lo, hi int) {
				twice := make([]float32, 2*d)
				for r := lo; r < hi; r++ {
					copy(twice, out.grad.Row(r))
					copy(twice[d:], out.grad.Row(r))
					for i, v := range other.Row(r) {
						tensor.Axpy(v, twice[i:i+d], dst.Row(r))
					}
				}
			})
		}
	}
	return out
}
