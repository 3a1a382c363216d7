package tensor

// Gather copies rows src[idx[r]] into dst row r.
func Gather(dst, src *Matrix, idx []int32) {
	for r, i := range idx {
		copy(dst.Row(r), src.Row(int(i)))
	}
}

// ScatterAdd adds src row r to dst row idx[r], in the order of r.
func ScatterAdd(dst, src *Matrix, idx []int32) {
	for r, i := range idx {
		d := dst.Row(int(i))
		for j, v := range src.Row(r) {
			d[j] += v
		}
	}
}

// MulDense computes dst = s·x (dst is overwritten).
func (s *CSR) MulDense(dst, x *Matrix) {
	Parallel(s.Rows, 256, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out := dst.Row(i)
			clear(out)
			cols, vals := s.Row(i)
			for e, c := range cols {
				v := vals[e]
				for j, xv := range x.Row(int(c)) {
					out[j] += v * xv
				}
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
