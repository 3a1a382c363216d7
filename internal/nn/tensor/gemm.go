package tensor

import "fmt"

// Gemm computes C = alpha·op(A)·op(B) + beta·C, where op transposes when the flag
// is set. beta 0 overwrites C, whatever it held. C must not share memory with A or B.
func Gemm(transA, transB bool, alpha float32, a, b *Matrix, beta float32, c *Matrix) {
	m, k := a.Rows, a.Cols
	if transA {
		m, k = k, m
	}
	kb, n := b.Rows, b.Cols
	if transB {
		kb, n = n, kb
	}
	if k != kb || c.Rows != m || c.Cols != n {
		panic(fmt.Sprintf("tensor: Gemm of op(A) %d×%d and op(B) %d×%d into C %d×%d", m, k, kb, n, c.Rows, c.Cols))
	}
	Sgemm(transA, transB, m, n, k, alpha, a.Data, a.Cols, b.Data, b.Cols, beta, c.Data, c.Cols)
}

// Sgemm computes C = alpha·op(A)·op(B) + beta·C on row-major blocks of larger
// matrices: op(A) is m×k, op(B) is k×n, C is m×n, and lda, ldb, ldc are the distances
// in elements between consecutive rows as stored. beta 0 overwrites C, whatever it
// held; alpha 0 leaves A and B unread. C must not share memory with A or B.
//
// For k below 1536 a row of C has the same bits whatever other rows are computed with
// it: scores of one user are those of the same user in a batch.
func Sgemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if m < 0 || n < 0 || k < 0 {
		panic(fmt.Sprintf("tensor: Sgemm of m=%d n=%d k=%d", m, n, k))
	}
	checkBlock("A", transA, m, k, a, lda)
	checkBlock("B", transB, k, n, b, ldb)
	checkBlock("C", false, m, n, c, ldc)
	if m == 0 || n == 0 {
		return
	}
	if k == 0 || alpha == 0 {
		scaleBlock(m, n, beta, c, ldc)
		return
	}
	p := product{transA: transA, transB: transB, m: m, n: n, k: k,
		alpha: alpha, a: a, lda: lda, b: b, ldb: ldb, beta: beta, c: c, ldc: ldc, tile: gemmTile}
	if k >= splitMinK && m*n <= splitMaxOutput && (transA || m < splitMaxRows) {
		p.splitReduction()
	} else {
		p.blocked()
	}
}

// checkBlock panics unless a rows×cols block (stored transposed when trans is set)
// with distance ld between stored rows fits in data.
func checkBlock(name string, trans bool, rows, cols int, data []float32, ld int) {
	if trans {
		rows, cols = cols, rows
	}
	if rows == 0 || cols == 0 {
		return
	}
	if ld < cols || (rows-1)*ld+cols > len(data) {
		panic(fmt.Sprintf("tensor: Sgemm operand %s: %d×%d stored with row distance %d in %d elements", name, rows, cols, ld, len(data)))
	}
}

// scaleBlock computes C = beta·C; beta 0 clears, whatever C held.
func scaleBlock(m, n int, beta float32, c []float32, ldc int) {
	for i := range m {
		row := c[i*ldc:][:n]
		if beta == 0 {
			clear(row)
			continue
		}
		for j := range row {
			row[j] *= beta
		}
	}
}

// product is one call of Sgemm with k ≥ 1, m ≥ 1, n ≥ 1.
type product struct {
	transA, transB bool
	m, n, k        int
	alpha, beta    float32
	a, b, c        []float32
	lda, ldb, ldc  int
	tile           tile
}
