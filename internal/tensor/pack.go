package tensor

import "unsafe"

// packB writes columns [j0, j0+nr) and rows [p0, p0+kc) of op(B) as one panel:
// dst[p·nr+j]. Columns past n are zero, so kernels read whole panels.
func (p *product) packB(dst []float32, j0, p0, kc int) {
	nr := p.tile.nr
	cols := min(nr, p.n-j0)
	dst = dst[:kc*nr]
	if p.transB {
		packTransposed(dst, nr, p.b[j0*p.ldb+p0:], p.ldb, cols, kc)
	} else {
		packRows(dst, nr, p.b[p0*p.ldb+j0:], p.ldb, kc, cols)
	}
	if cols < nr {
		for q := range kc {
			clear(dst[q*nr+cols : (q+1)*nr])
		}
	}
}

// packA writes rows [i0, i0+rows) and columns [p0, p0+kc) of op(A) as one panel:
// dst[p·packStride+i]. What lies past rows is undefined and unread.
func (p *product) packA(dst []float32, i0, rows, p0, kc int) {
	stride := p.tile.packStride
	if p.transA {
		packRows(dst, stride, p.a[p0*p.lda+i0:], p.lda, kc, rows)
	} else {
		packTransposed(dst, stride, p.a[i0*p.lda+p0:], p.lda, rows, kc)
	}
}

// packRows copies rows×cols elements of src into rows of dst that lie ldd apart.
func packRows(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for r := range rows {
		copy(dst[r*ldd:r*ldd+cols], src[r*lds:r*lds+cols])
	}
}

// packTransposed writes dst[c·ldd+r] = src[r·lds+c] for r < rows, c < cols.
func packTransposed(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	r, blocks := 0, cols/8
	if active >= levelAVX2 && blocks > 0 {
		_ = dst[(cols-1)*ldd+rows-1]
		_ = src[(rows-1)*lds+cols-1]
		for ; r+8 <= rows; r += 8 {
			transpose8x8(&dst[r], uintptr(ldd)*4, &src[r*lds], uintptr(lds)*4, blocks)
			for i := r; i < r+8; i++ {
				for c := 8 * blocks; c < cols; c++ {
					dst[c*ldd+i] = src[i*lds+c]
				}
			}
		}
	}
	for ; r < rows; r++ {
		row := src[r*lds:][:cols]
		for c, v := range row {
			dst[c*ldd+r] = v
		}
	}
}

// at returns the address of element i, which may lie one past what is used.
func at(x []float32, i int) unsafe.Pointer { return unsafe.Pointer(&x[i]) }
