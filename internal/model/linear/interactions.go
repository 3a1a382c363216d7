package linear

import (
	"context"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Interactions is the train matrix X ∈ {0,1}, users × items, by user and by item.
type Interactions struct {
	byUser, byItem *dataset.Lists // ascending, without repeats
}

// NewInteractions reads each user's items; an item that a user chose again counts once.
func NewInteractions(lists *dataset.Lists) *Interactions {
	sorted := lists.Sorted()
	x := &dataset.Lists{Offsets: make([]int, 1, sorted.Len()+1), Columns: sorted.Columns}
	for u := range sorted.Len() {
		x.Items = append(x.Items, slices.Compact(sorted.Of(u))...)
		x.Offsets = append(x.Offsets, len(x.Items))
	}
	return &Interactions{byUser: x, byItem: x.Transpose()}
}

// Users returns the number of users, those without items included.
func (x *Interactions) Users() int { return x.byUser.Len() }

// Items returns the size of the catalogue.
func (x *Interactions) Items() int { return x.byUser.Columns }

// Popularity returns how many users chose item i.
func (x *Interactions) Popularity(i int) int { return len(x.byItem.Of(i)) }

// gramGrain is how many rows of XᵀX one chunk of work makes.
const gramGrain = 32

// Cooccurrence returns XᵀX: how many users chose both items, on the diagonal how many
// chose the item.
func (x *Interactions) Cooccurrence() *tensor.Matrix {
	g := tensor.New(x.Items(), x.Items())
	tensor.Parallel(g.Rows, gramGrain, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			row := g.Row(j)
			for _, u := range x.byItem.Of(j) {
				for _, i := range x.byUser.Of(int(u)) {
					row[i]++
				}
			}
		}
	})
	return g
}

// SparseCooccurrence returns the entries of XᵀX that are not zero.
func (x *Interactions) SparseCooccurrence(ctx context.Context) (*tensor.CSR, error) {
	return x.products(ctx, weighting{}, func(_ int, cols []int32, sums []float64, out *line) {
		for _, c := range cols {
			out.add(c, float32(sums[c]))
		}
	})
}

// line is a row of a sparse matrix under construction.
type line struct {
	cols []int32
	vals []float32
}

func (l *line) add(col int32, val float32) {
	l.cols, l.vals = append(l.cols, col), append(l.vals, val)
}

// keepTop leaves the k entries of largest value, ties to the lower column, columns
// ascending as before; k = 0 leaves all.
func (l *line) keepTop(k int) {
	if k == 0 || len(l.cols) <= k {
		return
	}
	at, vals := make([]int32, k), make([]float32, k)
	at = at[:tensor.TopK(l.vals, k, at, vals)]
	slices.Sort(at)
	for n, e := range at { // e ≥ n: nothing is overwritten before it is read
		l.cols[n], l.vals[n] = l.cols[e], l.vals[e]
	}
	l.cols, l.vals = l.cols[:len(at)], l.vals[:len(at)]
}

// weighting gives the entries of two items × users matrices with the pattern of Xᵀ; nil is 1
// everywhere.
type weighting struct {
	left, right func(item, user int32) float64
}

// products computes left·rightᵀ row by row and hands finish the columns of row j that are
// not empty, ascending, with their sums; finish writes the row that is kept.
func (x *Interactions) products(ctx context.Context, weight weighting, finish func(j int, cols []int32, sums []float64, out *line)) (*tensor.CSR, error) {
	lines := make([]line, x.Items())
	pool := sync.Pool{New: func() any { return &accumulator{sums: make([]float64, x.Items()), met: make([]bool, x.Items())} }}
	tensor.Parallel(x.Items(), gramGrain, func(lo, hi int) {
		acc := pool.Get().(*accumulator)
		defer pool.Put(acc)
		for j := lo; j < hi && ctx.Err() == nil; j++ {
			acc.fill(x, int32(j), weight)
			finish(j, acc.cols, acc.sums, &lines[j])
			lines[j].cols, lines[j].vals = slices.Clip(lines[j].cols), slices.Clip(lines[j].vals)
			acc.empty()
		}
	})
	return assemble(lines, x.Items()), ctx.Err()
}

// accumulator is a row of a sparse product.
type accumulator struct {
	sums []float64
	met  []bool
	cols []int32
}

func (a *accumulator) fill(x *Interactions, j int32, weight weighting) {
	for _, u := range x.byItem.Of(int(j)) {
		wj := 1.0
		if weight.left != nil {
			wj = weight.left(j, u)
		}
		for _, i := range x.byUser.Of(int(u)) {
			if !a.met[i] {
				a.met[i] = true
				a.cols = append(a.cols, i)
			}
			if weight.right != nil {
				a.sums[i] += wj * weight.right(i, u)
			} else {
				a.sums[i] += wj
			}
		}
	}
	slices.Sort(a.cols)
}

func (a *accumulator) empty() {
	for _, c := range a.cols {
		a.met[c], a.sums[c] = false, 0
	}
	a.cols = a.cols[:0]
}

// assemble joins rows to a matrix.
func assemble(lines []line, cols int) *tensor.CSR {
	s := &tensor.CSR{Rows: len(lines), Cols: cols, Indptr: make([]int64, len(lines)+1)}
	for i, l := range lines {
		s.Indptr[i+1] = s.Indptr[i] + int64(len(l.cols))
	}
	n := s.Indptr[len(lines)]
	s.Indices, s.Values = make([]int32, 0, n), make([]float32, 0, n)
	for i, l := range lines {
		s.Indices, s.Values = append(s.Indices, l.cols...), append(s.Values, l.vals...)
		lines[i] = line{}
	}
	return s
}

// entry returns element (i, c) of s.
func entry(s *tensor.CSR, i int, c int32) float32 {
	cols, vals := s.Row(i)
	if e, ok := slices.BinarySearch(cols, c); ok {
		return vals[e]
	}
	return 0
}
