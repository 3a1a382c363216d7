package tensor

import (
	"fmt"
	"math"
	"sort"
	"unsafe"
)

// spmmGrain is how many multiply-adds a chunk of rows is worth.
const spmmGrain = 1 << 17

// MulDense computes dst = s·x: dst_i = Σ_e Values_e·x_{Indices_e} over the entries of
// row i, in their order. dst is overwritten and must not share memory with x.
func (s *CSR) MulDense(dst, x *Matrix) {
	if s.Cols != x.Rows || dst.Rows != s.Rows || dst.Cols != x.Cols {
		panic(fmt.Sprintf("tensor: MulDense of %d×%d and %d×%d into %d×%d", s.Rows, s.Cols, x.Rows, x.Cols, dst.Rows, dst.Cols))
	}
	if s.Rows == 0 || x.Cols == 0 {
		return
	}
	s.checkEntries("MulDense")
	// A chunk ends where entries plus rows reach a multiple of grain, so that a few
	// heavy rows do not make one goroutine late.
	grain := max(1, spmmGrain/x.Cols)
	total := s.NNZ() + s.Rows
	Parallel(total, grain, func(lo, hi int) {
		s.mulRows(dst, x, s.rowAt(lo), s.rowAt(hi))
	})
}

// rowAt returns the first row i for which the entries and rows before i are at least w.
func (s *CSR) rowAt(w int) int {
	return sort.Search(s.Rows, func(i int) bool { return int(s.Indptr[i])+i >= w })
}

// checkEntries panics when the arrays of s do not fit together, because the vector
// kernels read by them without further checks.
func (s *CSR) checkEntries(what string) {
	n := s.NNZ()
	if len(s.Indptr) != s.Rows+1 || len(s.Values) != n || s.Indptr[0] != 0 || int(s.Indptr[s.Rows]) != n {
		panic(fmt.Sprintf("tensor: %s: CSR of %d rows with %d row pointers, %d indices, %d values", what, s.Rows, len(s.Indptr), n, len(s.Values)))
	}
	for i := range s.Rows {
		if s.Indptr[i] > s.Indptr[i+1] {
			panic(fmt.Sprintf("tensor: %s: CSR row %d from entry %d to %d", what, i, s.Indptr[i], s.Indptr[i+1]))
		}
	}
	if worst := largestIndex(s.Indices); n > 0 && int64(worst) >= int64(s.Cols) {
		panic(fmt.Sprintf("tensor: %s: CSR column %d of %d", what, int32(worst), s.Cols))
	}
}

// largestIndex returns the largest element of idx, negative ones counting as beyond
// all others; 0 when there is none.
func largestIndex(idx []int32) uint32 {
	var top uint32
	i := 0
	if n := len(idx) &^ 7; active != levelGeneric && n > 0 {
		i, top = n, maxUint32Vector(&idx[0], n)
	}
	for _, c := range idx[i:] {
		top = max(top, uint32(c))
	}
	return top
}

// spmmArgs is what the vector kernels read, by field name. Strides are in bytes.
type spmmArgs struct {
	dst, x, indptr, indices, values unsafe.Pointer
	ldx                             uintptr // between rows of x
	rows                            int
	width                           int    // bytes of a row that the kernel computes
	skip                            int    // bytes of a row that it leaves
	last                            int    // last entry of the whole matrix
	mask                            uint64 // columns of the last, partial block of 64
}

// mulRows computes rows lo to hi of s·x.
func (s *CSR) mulRows(dst, x *Matrix, lo, hi int) {
	d := x.Cols
	if lo >= hi {
		return
	}
	if s.NNZ() == 0 {
		clear(dst.Data[lo*d : hi*d])
		return
	}
	args := spmmArgs{dst: at(dst.Data, lo*d), x: at(x.Data, 0), indptr: unsafe.Pointer(&s.Indptr[lo]),
		indices: unsafe.Pointer(&s.Indices[0]), values: at(s.Values, 0),
		ldx: uintptr(d) * 4, rows: hi - lo, last: s.NNZ() - 1}
	done := 0
	switch active {
	case levelGeneric:
	case levelAVX512:
		args.width, args.mask = 4*d, uint64(1)<<uint(d%64)-1
		spmmVector(&args)
		return
	default:
		if done = d &^ 7; done > 0 {
			args.width, args.skip = 4*done, 4*(d-done)
			spmmVector(&args)
		}
	}
	if done == d {
		return
	}
	for i := lo; i < hi; i++ {
		cols, vals := s.Row(i)
		out := dst.Row(i)[done:]
		clear(out)
		for e, c := range cols {
			v := vals[e]
			if active != levelGeneric { // as the kernels of AVX-512 do, which leave no columns
				for j, xv := range x.Row(int(c))[done:] {
					out[j] = fma32(v, xv, out[j])
				}
				continue
			}
			for j, xv := range x.Row(int(c))[done:] {
				out[j] += v * xv
			}
		}
	}
}

// fma32 is a·b + c, rounded once. The product is exact in float64. The sum is rounded to odd there, so that rounding it to float32
// gives what rounding the exact sum would.
func fma32(a, b, c float32) float32 {
	p, q := float64(a)*float64(b), float64(c)
	sum := p + q
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return float32(sum)
	}
	back := sum - p
	lost := (p - (sum - back)) + (q - back)
	if bits := math.Float64bits(sum); lost != 0 && bits&1 == 0 {
		if (lost > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
		sum = math.Float64frombits(bits)
	}
	return float32(sum)
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
