package autograd

import (
	"fmt"
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Edges are the places of the entries of a sparse matrix whose values are variables: a graph whose
// weights are learnt. An entry may stand twice; its values add up. They are made once for a graph and
// used by one tape.
type Edges struct {
	places *tensor.CSR // Values are overwritten
	rowOf  []int32     // of an entry
	turned *tensor.CSR // the transpose
	from   []int32     // entry of places that an entry of turned is
}

// NewEdges returns the entries of a rows × cols matrix, by rows.
func NewEdges(rows, cols int, indptr []int64, indices []int32) *Edges {
	e := &Edges{places: &tensor.CSR{Rows: rows, Cols: cols, Indptr: indptr, Indices: indices, Values: make([]float32, len(indices))}}
	e.rowOf = make([]int32, len(indices))
	for i := range rows {
		for at := indptr[i]; at < indptr[i+1]; at++ {
			e.rowOf[at] = int32(i)
		}
	}
	e.turned = &tensor.CSR{Rows: cols, Cols: rows, Indptr: make([]int64, cols+1), Indices: make([]int32, len(indices)), Values: make([]float32, len(indices))}
	for _, c := range indices {
		e.turned.Indptr[c+1]++
	}
	for c := range cols {
		e.turned.Indptr[c+1] += e.turned.Indptr[c]
	}
	next := append([]int64(nil), e.turned.Indptr...)
	e.from = make([]int32, len(indices))
	for at, c := range indices {
		e.turned.Indices[next[c]], e.from[next[c]] = e.rowOf[at], int32(at)
		next[c]++
	}
	return e
}

// Len is the number of entries.
func (e *Edges) Len() int { return len(e.rowOf) }

// Ends returns the row and the column of every entry.
func (e *Edges) Ends() (rows, cols []int32) { return e.rowOf, e.places.Indices }

func (e *Edges) check(op string, values *Var) {
	if values.Rows() != e.Len() || values.Cols() != 1 {
		panic(fmt.Sprintf("autograd: %s of %d entries with %d×%d values", op, e.Len(), values.Rows(), values.Cols()))
	}
}

// EdgeMul returns S·x for the matrix S with the given values, an entry a row.
func (t *Tape) EdgeMul(e *Edges, values, x *Var) *Var {
	e.check("a product", values)
	out := t.output(e.places.Rows, x.Cols(), values, x)
	copy(e.places.Values, values.Value.Data)
	e.places.MulDense(out.Value, x.Value)
	out.back = func() {
		if x.needs {
			for at, from := range e.from {
				e.turned.Values[at] = values.Value.Data[from]
			}
			part := t.Buffer(x.Rows(), x.Cols())
			e.turned.MulDense(part, out.grad)
			add(t.sum(x), 1, part)
		}
		if values.needs {
			dv := t.sum(values).Data
			tensor.Parallel(e.Len(), rowGrain(x.Cols()), func(lo, hi int) {
				for at := lo; at < hi; at++ {
					dv[at] += tensor.Dot(out.grad.Row(int(e.rowOf[at])), x.Value.Row(int(e.places.Indices[at])))
				}
			})
		}
	}
	return out
}

// EdgeNormalize returns w_ij/√(δ_i δ_j) for values w, δ being the sums of w by rows. An entry at a row
// whose sum is not positive becomes 0.
func (t *Tape) EdgeNormalize(e *Edges, values *Var) *Var {
	e.check("normalising", values)
	if e.places.Rows != e.places.Cols {
		panic("autograd: normalising the entries of a matrix that is not square")
	}
	out := t.output(e.Len(), 1, values)
	n := e.places.Rows
	root := make([]float64, n) // 1/√δ
	for at, v := range values.Value.Data {
		root[e.rowOf[at]] += float64(v)
	}
	for i, sum := range root {
		root[i] = 0
		if sum > 0 {
			root[i] = 1 / math.Sqrt(sum)
		}
	}
	for at, v := range values.Value.Data {
		out.Value.Data[at] = float32(float64(v) * root[e.rowOf[at]] * root[e.places.Indices[at]])
	}
	out.back = func() {
		slope := make([]float64, n) // of the loss in δ
		for at, g := range out.grad.Data {
			half := -0.5 * float64(g) * float64(out.Value.Data[at])
			i, j := e.rowOf[at], e.places.Indices[at]
			slope[i] += half * root[i] * root[i]
			slope[j] += half * root[j] * root[j]
		}
		dv := t.sum(values).Data
		for at, g := range out.grad.Data {
			i := e.rowOf[at]
			dv[at] += float32(float64(g)*root[i]*root[e.places.Indices[at]] + slope[i])
		}
	}
	return out
}
