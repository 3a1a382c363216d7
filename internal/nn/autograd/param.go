package autograd

import "github.com/mllmrec/mllmrec/internal/nn/tensor"

// Param is a trainable matrix with its gradient. A vector of n numbers is a 1×n
// matrix whose Shape is [n].
type Param struct {
	Name   string
	Value  *tensor.Matrix
	Grad   *tensor.Matrix // valid where HasGrad; overwritten by the next step
	Frozen bool           // no gradient is computed, the optimiser leaves it alone

	vector bool
	leaf   Var   // this parameter on the tape that used it last
	tape   *Tape // that tape, and
	step   int   // its step
}

// NewParam returns a zero parameter of the given shape.
func NewParam(name string, rows, cols int) *Param {
	return &Param{Name: name, Value: tensor.New(rows, cols), Grad: tensor.New(rows, cols)}
}

// NewVector returns a zero parameter of shape [n], held as a 1×n matrix.
func NewVector(name string, n int) *Param {
	p := NewParam(name, 1, n)
	p.vector = true
	return p
}

// Shape returns [rows, cols], or [n] for a vector.
func (p *Param) Shape() []int {
	if p.vector {
		return []int{p.Value.Cols}
	}
	return []int{p.Value.Rows, p.Value.Cols}
}

// HasGrad reports whether the last backward pass reached the parameter. Where it is
// false Grad is stale, and an optimiser must skip the parameter as PyTorch does.
func (p *Param) HasGrad() bool { return p.tape != nil && p.step == p.tape.step && p.leaf.seen }

// Param puts p on the tape. Asking twice in one step gives the same variable.
func (t *Tape) Param(p *Param) *Var {
	if p.tape != t || p.step != t.step {
		p.tape, p.step = t, t.step
		p.leaf = Var{Value: p.Value, grad: p.Grad, needs: !p.Frozen}
	}
	return &p.leaf
}
