package tensor

// Gemm computes C = alpha·op(A)·op(B) + beta·C, where op transposes when the flag
// is set. beta 0 overwrites C, whatever it held.
func Gemm(transA, transB bool, alpha float32, a, b *Matrix, beta float32, c *Matrix) {
	m, k := a.Rows, a.Cols
	if transA {
		m, k = k, m
	}
	n := b.Cols
	if transB {
		n = b.Rows
	}
	for i := range m {
		row := c.Row(i)
		for j := range n {
			var s float32
			for p := range k {
				var x, y float32
				if transA {
					x = a.Data[p*a.Cols+i]
				} else {
					x = a.Data[i*a.Cols+p]
				}
				if transB {
					y = b.Data[j*b.Cols+p]
				} else {
					y = b.Data[p*b.Cols+j]
				}
				s += x * y
			}
			if beta == 0 {
				row[j] = alpha * s
			} else {
				row[j] = alpha*s + beta*row[j]
			}
		}
	}
}
