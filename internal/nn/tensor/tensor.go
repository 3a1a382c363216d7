// Package tensor holds the dense and sparse float32 kernels under the models:
// GEMM, gather and scatter of rows, CSR × dense, top-k, elementwise functions.
// Matrices are row-major and contiguous. All kernels run on up to GOMAXPROCS
// goroutines and give bit-identical results whatever GOMAXPROCS is: the partition
// of the work and the order of every reduction are fixed by the shapes alone.
//
// On amd64 the kernels are assembly for AVX-512 or for AVX2 with FMA, chosen when the
// program starts; on arm64 they are assembly for NEON; elsewhere they are plain Go.
// Those in assembly add in one order. The last bits differ where Go computes: what is
// over of lengths that are no multiple of eight, and everything in plain Go.
// Functions panic when shapes do not fit. Unless a function says otherwise its results
// must not share memory with its operands, and NaN and Inf propagate as in IEEE 754.
package tensor

import "fmt"

// Matrix is a dense row-major float32 matrix; element (i,j) is Data[i*Cols+j].
type Matrix struct {
	Rows, Cols int
	Data       []float32
}

// New returns a zero matrix.
func New(rows, cols int) *Matrix {
	return &Matrix{Rows: rows, Cols: cols, Data: make([]float32, rows*cols)}
}

// FromSlice wraps data, which must have rows·cols elements.
func FromSlice(rows, cols int, data []float32) *Matrix {
	if len(data) != rows*cols {
		panic(fmt.Sprintf("tensor: %d elements for a %d×%d matrix", len(data), rows, cols))
	}
	return &Matrix{Rows: rows, Cols: cols, Data: data}
}

// Row returns row i without copying.
func (m *Matrix) Row(i int) []float32 { return m.Data[i*m.Cols : (i+1)*m.Cols : (i+1)*m.Cols] }

// RowRange returns rows lo to hi (exclusive) without copying.
func (m *Matrix) RowRange(lo, hi int) *Matrix {
	return &Matrix{Rows: hi - lo, Cols: m.Cols, Data: m.Data[lo*m.Cols : hi*m.Cols : hi*m.Cols]}
}

// Clone returns a copy.
func (m *Matrix) Clone() *Matrix {
	c := New(m.Rows, m.Cols)
	copy(c.Data, m.Data)
	return c
}

// CSR is a sparse matrix in compressed sparse rows: row i has the columns
// Indices[Indptr[i]:Indptr[i+1]], ascending, with Values parallel to them.
type CSR struct {
	Rows, Cols int
	Indptr     []int64
	Indices    []int32
	Values     []float32
}

// NNZ returns the number of stored entries.
func (s *CSR) NNZ() int { return len(s.Indices) }

// Row returns the columns and values of row i without copying.
func (s *CSR) Row(i int) ([]int32, []float32) {
	lo, hi := s.Indptr[i], s.Indptr[i+1]
	return s.Indices[lo:hi], s.Values[lo:hi]
}
