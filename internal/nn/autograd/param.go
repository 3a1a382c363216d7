package autograd

import "github.com/mllmrec/mllmrec/internal/nn/tensor"

// Param is a trainable matrix with its gradient. A vector of n numbers is a 1×n
// matrix whose Shape is [n].
type Param struct {
	Name   string
	Value  *tensor.Matrix
	Grad   *tensor.Matrix // valid where HasGrad; overwritten by the next step
	Frozen bool           // no gradient is computed, the optimiser leaves it alone

	// GradRows are the rows that the rows of Grad belong to, for a table (see [NewTable]): elsewhere the
	// gradient is zero. They differ, and are valid as Grad is.
	GradRows []int32

	table  bool
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

// NewTable returns a zero parameter of which a step reads a few rows, by [Tape.ParamRows], such as
// the vectors of the items of a batch. The gradient is held for these rows alone, so that a step over a large
// table neither clears nor reads a gradient of its size.
func NewTable(name string, rows, cols int) *Param {
	return &Param{Name: name, Value: tensor.New(rows, cols), table: true}
}

// Table reports whether the parameter was made by [NewTable].
func (p *Param) Table() bool { return p.table }

// DenseGrad returns the gradient of every element, zeros included.
func (p *Param) DenseGrad() []float32 {
	if !p.table {
		return p.Grad.Data
	}
	all := tensor.New(p.Value.Rows, p.Value.Cols)
	for k, r := range p.GradRows {
		copy(all.Row(int(r)), p.Grad.Row(k))
	}
	return all.Data
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
	if p.table {
		panic("autograd: the whole of table " + p.Name + " in a step")
	}
	if p.tape != t || p.step != t.step {
		p.tape, p.step = t, t.step
		p.leaf = Var{Value: p.Value, grad: p.Grad, needs: !p.Frozen}
	}
	return &p.leaf
}

// ParamRows puts the listed rows of a table, which differ, on the tape. A step does so once; rows are kept until
// Reset and must not change.
func (t *Tape) ParamRows(p *Param, rows []int32) *Var {
	if !p.table || p.tape == t && p.step == t.step {
		panic("autograd: rows of " + p.Name + ", which is no table, or twice in a step")
	}
	p.tape, p.step, p.GradRows = t, t.step, rows
	p.leaf = Var{Value: t.Buffer(len(rows), p.Value.Cols), needs: !p.Frozen}
	tensor.Gather(p.leaf.Value, p.Value, rows)
	if p.leaf.needs {
		p.Grad = t.Buffer(len(rows), p.Value.Cols)
		p.leaf.grad = p.Grad
	}
	return &p.leaf
}
