package pool

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// decay gives the weights of a history's items by age. It is safe for concurrent use.
type decay struct {
	gamma float64
	mu    sync.Mutex
	known []float32
}

func newDecay(gamma float64) *decay { return &decay{gamma: gamma} }

// weights returns γ^0 … γ^(n−1), or fewer where the others are too small for a float32.
func (d *decay) weights(n int) []float32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.known) < n {
		w := math.Pow(d.gamma, float64(len(d.known)))
		if w < 0x1p-126 {
			break
		}
		d.known = append(d.known, float32(w))
	}
	return d.known[:min(n, len(d.known)):min(n, len(d.known))]
}

// ragged is a sparse matrix under construction, one row a history.
type ragged struct {
	m     tensor.CSR
	items []weighted
}

type weighted struct {
	item   int32
	weight float32
}

func newRagged(items int) *ragged { return &ragged{m: tensor.CSR{Cols: items, Indptr: []int64{0}}} }

// add appends a row with the weights of a history, oldest first, without the item that is left
// out; ages count what remains. A history of which nothing remains adds no row, and add reports
// false.
func (r *ragged) add(history []int32, leftOut int32, d *decay) bool {
	weights := d.weights(len(history))
	r.items = r.items[:0]
	for _, i := range slices.Backward(history) {
		if i == leftOut {
			continue
		}
		if len(r.items) == len(weights) {
			break
		}
		r.items = append(r.items, weighted{i, weights[len(r.items)]})
	}
	if len(r.items) == 0 {
		return false
	}
	r.end()
	return true
}

// end appends the collected items as a row, in the order that a sparse matrix has.
func (r *ragged) end() {
	slices.SortStableFunc(r.items, func(a, b weighted) int { return cmp.Compare(a.item, b.item) })
	for _, x := range r.items {
		r.m.Indices, r.m.Values = append(r.m.Indices, x.item), append(r.m.Values, x.weight)
	}
	r.m.Indptr = append(r.m.Indptr, int64(len(r.m.Indices)))
}

// csr returns the rows so far.
func (r *ragged) csr() *tensor.CSR {
	r.m.Rows = len(r.m.Indptr) - 1
	return &r.m
}

// nobody is left out.
const nobody = -1

// pooled returns the user vectors of histories, each at unit length; that of an empty history is
// zero. A vector does not depend on the other histories.
func pooled(input *tensor.Matrix, histories [][]int32, d *decay) *tensor.Matrix {
	r := newRagged(input.Rows)
	for _, h := range histories {
		if !r.add(h, nobody, d) {
			r.items = r.items[:0]
			r.end()
		}
	}
	users := tensor.New(len(histories), input.Cols)
	r.csr().MulDense(users, input)
	users.NormalizeRows(tiny)
	return users
}
