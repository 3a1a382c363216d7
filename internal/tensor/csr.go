package tensor

import "fmt"

// spmmGrain is how many stored entries times columns a chunk of rows is worth.
const spmmGrain = 1 << 17

// MulDense computes dst = s·x (dst is overwritten and must not share memory with x).
func (s *CSR) MulDense(dst, x *Matrix) {
	if s.Cols != x.Rows || dst.Rows != s.Rows || dst.Cols != x.Cols {
		panic(fmt.Sprintf("tensor: MulDense of %d×%d and %d×%d into %d×%d", s.Rows, s.Cols, x.Rows, x.Cols, dst.Rows, dst.Cols))
	}
	if s.Rows == 0 || x.Cols == 0 {
		return
	}
	perRow := x.Cols * (1 + s.NNZ()/s.Rows)
	Parallel(s.Rows, max(1, spmmGrain/perRow), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			cols, vals := s.Row(i)
			out := dst.Row(i)
			clear(out)
			for e, c := range cols {
				Axpy(vals[e], x.Row(int(c)), out)
			}
		}
	})
}

// Transpose returns sᵀ with ascending columns.
func (s *CSR) Transpose() *CSR {
	t := &CSR{Rows: s.Cols, Cols: s.Rows, Indptr: make([]int64, s.Cols+1),
		Indices: make([]int32, s.NNZ()), Values: make([]float32, s.NNZ())}
	for _, c := range s.Indices {
		t.Indptr[c+1]++
	}
	for c := range s.Cols {
		t.Indptr[c+1] += t.Indptr[c]
	}
	next := append([]int64(nil), t.Indptr...)
	for i := range s.Rows {
		cols, vals := s.Row(i)
		for e, c := range cols {
			t.Indices[next[c]], t.Values[next[c]] = int32(i), vals[e]
			next[c]++
		}
	}
	return t
}
