package tensor

import (
	"fmt"
	"slices"
)

// MulAddRows computes dst_r = Σ_e Values_e·x_{Indices_e} + alpha·y_i for the entries e of
// row i = rows[r], in their order; a nil rows stands for all rows in order. dst is
// overwritten and must not share memory with x or y.
func (s *CSR) MulAddRows(dst, x *Matrix, alpha float32, y *Matrix, rows []int32) {
	n := s.Rows
	if rows != nil {
		n = len(rows)
	}
	if s.Cols != x.Rows || dst.Rows != n || y.Rows != s.Rows || dst.Cols != x.Cols || y.Cols != x.Cols {
		panic(fmt.Sprintf("tensor: MulAddRows of %d×%d and %d×%d plus %d×%d, %d rows, into %d×%d",
			s.Rows, s.Cols, x.Rows, x.Cols, y.Rows, y.Cols, n, dst.Rows, dst.Cols))
	}
	if n == 0 || x.Cols == 0 {
		return
	}
	s.checkEntries("MulAddRows")
	if rows != nil {
		s.checkRowList("MulAddRows", rows)
		Parallel(n, listGrain, func(lo, hi int) { s.mulListed(dst.RowRange(lo, hi), x, alpha, y, rows[lo:hi]) })
		return
	}
	Parallel(s.NNZ()+s.Rows, max(1, spmmGrain/x.Cols), func(lo, hi int) {
		if from, to := s.rowAt(lo), s.rowAt(hi); from < to {
			s.mulRows(dst, x, from, to)
			Axpy(alpha, y.RowRange(from, to).Data, dst.RowRange(from, to).Data)
		}
	})
}

// MulAddInPlace is [CSR.MulAddRows] for rows that ascend, with row i of the result in row i of
// dst, whose other rows are left as they are. dst has the rows of s.
func (s *CSR) MulAddInPlace(dst, x *Matrix, alpha float32, y *Matrix, rows []int32) {
	if s.Cols != x.Rows || dst.Rows != s.Rows || y.Rows != s.Rows || dst.Cols != x.Cols || y.Cols != x.Cols {
		panic(fmt.Sprintf("tensor: MulAddInPlace of %d×%d and %d×%d plus %d×%d into %d×%d",
			s.Rows, s.Cols, x.Rows, x.Cols, y.Rows, y.Cols, dst.Rows, dst.Cols))
	}
	if len(rows) == 0 || x.Cols == 0 {
		return
	}
	s.checkEntries("MulAddInPlace")
	s.checkRowList("MulAddInPlace", rows)
	Parallel(len(rows), listGrain, func(lo, hi int) {
		for lo < hi { // neighbours in the list that are neighbours in the matrix go together
			run := 1
			for lo+run < hi && rows[lo+run] == rows[lo]+int32(run) {
				run++
			}
			from, to := int(rows[lo]), int(rows[lo])+run
			s.mulRows(dst, x, from, to)
			Axpy(alpha, y.RowRange(from, to).Data, dst.RowRange(from, to).Data)
			lo += run
		}
	})
}

// listGrain is the number of listed rows that a worker takes at once. A row of a popular
// item has thousands of entries, so it is small.
const listGrain = 32

func (s *CSR) checkRowList(what string, rows []int32) {
	if worst := largestIndex(rows); int64(worst) >= int64(s.Rows) {
		panic(fmt.Sprintf("tensor: %s: row %d of %d", what, int32(worst), s.Rows))
	}
}

// mulListed computes the listed rows into the rows of dst.
func (s *CSR) mulListed(dst, x *Matrix, alpha float32, y *Matrix, rows []int32) {
	for r, i := range rows {
		s.mulRow(dst.Row(r), x, int(i))
		Axpy(alpha, y.Row(int(i)), dst.Row(r))
	}
}

// mulRow computes row i of s·x into out.
func (s *CSR) mulRow(out []float32, x *Matrix, i int) {
	one := CSR{Rows: 1, Cols: s.Cols, Indptr: s.Indptr[i : i+2], Indices: s.Indices, Values: s.Values}
	one.mulRows(&Matrix{Rows: 1, Cols: len(out), Data: out}, x, 0, 1)
}

// Entries returns how many entries the rows hold together.
func (s *CSR) Entries(rows []int32) int {
	n := 0
	for _, i := range rows {
		n += int(s.Indptr[i+1] - s.Indptr[i])
	}
	return n
}

// Reach follows a sparse matrix from some of its rows to where their entries are. Its
// memory is used again by each call, so one is made for a matrix and kept.
type Reach struct {
	s     *CSR
	seen  []uint32 // of each column: the call that saw it last
	now   uint32
	sets  [][]int32
	part  CSR
	next  []int64
	order []int
}

// NewReach returns a Reach over s.
func NewReach(s *CSR) *Reach { return &Reach{s: s, seen: make([]uint32, s.Cols)} }

// Columns returns the columns in which the rows have entries, ascending. The slice is valid
// until Columns is called with the same slot again.
func (r *Reach) Columns(slot int, rows []int32) []int32 {
	if r.now++; r.now == 0 {
		clear(r.seen)
		r.now = 1
	}
	for _, i := range rows {
		for _, c := range r.s.Indices[r.s.Indptr[i]:r.s.Indptr[i+1]] {
			r.seen[c] = r.now
		}
	}
	for len(r.sets) <= slot {
		r.sets = append(r.sets, nil)
	}
	set := r.sets[slot][:0]
	for c, at := range r.seen {
		if at == r.now {
			set = append(set, int32(c))
		}
	}
	r.sets[slot] = set
	return set
}

// Transposed returns the transpose of the listed rows, which differ: Cols(s) × len(rows), with column
// k standing for row rows[k]. Within a row the entries are in the order of the rows of s,
// whatever the order of the list, so that a product sums as one with the whole transpose.
// The result is valid until the next call.
func (r *Reach) Transposed(rows []int32) *CSR {
	n := r.s.Entries(rows)
	t := &r.part
	t.Rows, t.Cols = r.s.Cols, len(rows)
	t.Indptr = resized(t.Indptr, r.s.Cols+1)
	t.Indices, t.Values, r.next = resized(t.Indices, n), resized(t.Values, n), resized(r.next, r.s.Cols)
	clear(t.Indptr)
	for _, i := range rows {
		for _, c := range r.s.Indices[r.s.Indptr[i]:r.s.Indptr[i+1]] {
			t.Indptr[c+1]++
		}
	}
	for c := range r.s.Cols {
		t.Indptr[c+1] += t.Indptr[c]
	}
	copy(r.next, t.Indptr)
	r.order = resized(r.order, len(rows))
	for k := range r.order {
		r.order[k] = k
	}
	slices.SortFunc(r.order, func(a, b int) int { return int(rows[a]) - int(rows[b]) })
	for _, k := range r.order {
		cols, vals := r.s.Row(int(rows[k]))
		for e, c := range cols {
			t.Indices[r.next[c]], t.Values[r.next[c]] = int32(k), vals[e]
			r.next[c]++
		}
	}
	return t
}

// resized returns a slice of n elements, in the memory of x where it is large enough.
func resized[T any](x []T, n int) []T {
	if cap(x) < n {
		return make([]T, n, n+n/8)
	}
	return x[:n]
}
