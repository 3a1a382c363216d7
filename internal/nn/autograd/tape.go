// Package autograd is a reverse-mode tape over the kernels of package tensor: what the
// models' losses are written in.
//
// A step calls [Tape.Reset], builds the loss from [Tape.Param] and [Tape.Const]
// variables with the operations in this package, and calls [Tape.Backward], which
// leaves the gradients in the parameters. The matrices of a step are handed out by
// the tape and taken back by the next Reset, so that a training loop makes no
// garbage but a few hundred bytes of bookkeeping.
//
// Every operation reduces in a fixed order: results are bit-identical whatever
// GOMAXPROCS is. Gradients of a row that was gathered more than once are summed in
// the order of the gathering.
package autograd

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Var is a matrix on a tape, valid until the tape's next Reset.
type Var struct {
	Value *tensor.Matrix

	grad  *tensor.Matrix // handed out when the backward pass first reaches the variable
	needs bool           // a trainable parameter is upstream
	seen  bool           // grad holds something
	back  func()         // adds this variable's gradient to its inputs' gradients
}

// Rows returns the number of rows.
func (v *Var) Rows() int { return v.Value.Rows }

// Cols returns the number of columns.
func (v *Var) Cols() int { return v.Value.Cols }

// Scalar returns the value of a 1×1 variable.
func (v *Var) Scalar() float32 {
	if len(v.Value.Data) != 1 {
		panic(fmt.Sprintf("autograd: scalar of a %d×%d variable", v.Value.Rows, v.Value.Cols))
	}
	return v.Value.Data[0]
}

// Tape records the operations of one step. It is not safe for concurrent use.
type Tape struct {
	step    int
	nodes   []*Var           // in order of creation, which is a topological order
	vars    []*Var           // every Var ever made; the first usedVars belong to this step
	slots   []*tensor.Matrix // reusable buffers
	indices [][]int32

	usedVars, usedSlots, usedIndices int
}

// NewTape returns an empty tape.
func NewTape() *Tape { return &Tape{} }

// Reset forgets the step and takes its matrices back. Parameters keep their
// gradients until a new backward pass.
func (t *Tape) Reset() {
	t.step++
	t.nodes = t.nodes[:0]
	t.usedVars, t.usedSlots, t.usedIndices = 0, 0, 0
}

// Buffer hands out a rows×cols matrix that lives until the next Reset. Its contents
// are unspecified. A training loop asks for the same sequence of matrices each step,
// so the n-th request finds the n-th buffer large enough.
func (t *Tape) Buffer(rows, cols int) *tensor.Matrix {
	if t.usedSlots == len(t.slots) {
		t.slots = append(t.slots, new(tensor.Matrix))
	}
	m := t.slots[t.usedSlots]
	t.usedSlots++
	n := rows * cols
	if cap(m.Data) < n {
		// Distinct rows differ a little from batch to batch: leave room.
		m.Data = make([]float32, n+n/8)
	}
	m.Rows, m.Cols, m.Data = rows, cols, m.Data[:n]
	return m
}

// Indices hands out a slice of n row indices that lives until the next Reset. Its
// contents are unspecified.
func (t *Tape) Indices(n int) []int32 {
	if t.usedIndices == len(t.indices) {
		t.indices = append(t.indices, nil)
	}
	s := t.indices[t.usedIndices]
	if cap(s) < n {
		s = make([]int32, n+n/8)
		t.indices[t.usedIndices] = s
	}
	t.usedIndices++
	return s[:n:n]
}

// Const puts a matrix that has no gradient on the tape.
func (t *Tape) Const(m *tensor.Matrix) *Var {
	v := t.newVar()
	v.Value = m
	return v
}

func (t *Tape) newVar() *Var {
	if t.usedVars == len(t.vars) {
		t.vars = append(t.vars, new(Var))
	}
	v := t.vars[t.usedVars]
	t.usedVars++
	*v = Var{}
	return v
}

// output makes the result variable of an operation on the given inputs.
func (t *Tape) output(rows, cols int, inputs ...*Var) *Var {
	v := t.newVar()
	v.Value = t.Buffer(rows, cols)
	for _, in := range inputs {
		v.needs = v.needs || in.needs
	}
	if v.needs {
		t.nodes = append(t.nodes, v)
	}
	return v
}

// Backward computes the gradient of the 1×1 variable loss with respect to every
// parameter that it depends on.
func (t *Tape) Backward(loss *Var) {
	loss.Scalar() // panics unless 1×1
	if !loss.needs {
		return
	}
	t.sum(loss).Data[0] = 1
	t.run()
}

// run propagates the gradients that were seeded back through the tape.
func (t *Tape) run() {
	for i := len(t.nodes) - 1; i >= 0; i-- {
		if v := t.nodes[i]; v.seen {
			v.back()
		}
	}
}

// overwrite returns v's gradient buffer and the beta with which a GEMM adds to it:
// 0 the first time, when the buffer holds nothing yet.
func (t *Tape) overwrite(v *Var) (*tensor.Matrix, float32) {
	if v.grad == nil {
		v.grad = t.Buffer(v.Value.Rows, v.Value.Cols)
	}
	if !v.seen {
		v.seen = true
		return v.grad, 0
	}
	return v.grad, 1
}

// sum returns v's gradient buffer to add to; it is zero the first time.
func (t *Tape) sum(v *Var) *tensor.Matrix {
	g, beta := t.overwrite(v)
	if beta == 0 {
		clear(g.Data)
	}
	return g
}

func mustMatch(op string, a, b *Var) {
	if a.Rows() != b.Rows() || a.Cols() != b.Cols() {
		panic(fmt.Sprintf("autograd: %s of %d×%d and %d×%d", op, a.Rows(), a.Cols(), b.Rows(), b.Cols()))
	}
}
