package tensor

import "unsafe"

// packArgs describes the cutting of rows×cols elements into panels of width columns:
// element (r, c) goes to dst[c/width·panelStride + r·rowStride + c%width]. The strides
// are in bytes; the assembly reads the fields by name.
type packArgs struct {
	dst, src               unsafe.Pointer
	lds                    uintptr // between rows of src
	rows, panels           int
	step                   uintptr // between panels within a row of src
	panelStride, rowStride uintptr
	mask, lastMask         uint32 // columns of a panel, and of the last panel
	mask8, lastMask8       [16]int32
}

// packPanels cuts rows×cols elements of src (distance lds) into panels of width
// columns, each row of a panel taking rowStride elements and each panel
// rows·rowStride. The last panel is filled up with zeros as far as kernels read it.
func packPanels(l level, dst []float32, src []float32, lds, rows, cols, width, rowStride int) {
	panels := ceilDiv(cols, width)
	last := cols - (panels-1)*width
	_ = dst[panels*rows*rowStride-1]
	_ = src[(rows-1)*lds+cols-1]
	done := 0 // panels that a kernel has written
	if l != levelGeneric {
		args := packArgs{dst: at(dst, 0), src: at(src, 0), lds: uintptr(lds) * 4, rows: rows, panels: panels,
			step: uintptr(width) * 4, panelStride: uintptr(rows*rowStride) * 4, rowStride: uintptr(rowStride) * 4,
			mask: uint32(1<<uint(width) - 1), lastMask: uint32(1<<uint(last) - 1)}
		switch l {
		case levelNEON:
			args.panels = cols / width // it has no masks: whole panels only
		case levelAVX2:
			laneMask(&args.mask8, width)
			laneMask(&args.lastMask8, last)
		}
		if args.panels > 0 {
			pack(l, rowStride, &args)
		}
		done = args.panels
	}
	for p := done; p < panels; p++ {
		n := width
		if p == panels-1 {
			n = last
		}
		for r := range rows {
			to := dst[(p*rows+r)*rowStride:][:rowStride]
			clear(to[copy(to, src[r*lds+p*width:][:n]):])
		}
	}
}

// laneMask sets the first n lanes to all ones.
func laneMask(m *[16]int32, n int) {
	for i := range min(n, len(m)) {
		m[i] = -1
	}
}

// packB writes columns [j0, j0+cols) and rows [p0, p0+kc) of op(B) as panels of nr
// columns: dst[panel·kc·nr + p·nr + j], filled up with zeros.
func (p *product) packB(dst []float32, j0, cols, p0, kc int) {
	nr := p.tile.nr
	if !p.transB {
		packPanels(p.tile.level, dst, p.b[p0*p.ldb+j0:], p.ldb, kc, cols, nr, nr)
		return
	}
	for j := 0; j < cols; j += nr {
		panel, n := dst[j*kc:][:kc*nr], min(nr, cols-j)
		packTransposed(p.tile.level, panel, nr, p.b[(j0+j)*p.ldb+p0:], p.ldb, n, kc)
		if n < nr {
			for q := range kc {
				clear(panel[q*nr+n : (q+1)*nr])
			}
		}
	}
}

// packA writes rows [i0, i0+rows) and columns [p0, p0+kc) of op(A) as panels of mr
// rows: dst[panel·kc·packStride + p·packStride + i]. Lanes past rows are unread.
func (p *product) packA(dst []float32, i0, rows, p0, kc int) {
	mr, stride := p.tile.mr, p.tile.packStride
	if p.transA {
		packPanels(p.tile.level, dst, p.a[p0*p.lda+i0:], p.lda, kc, rows, mr, stride)
		return
	}
	for i := 0; i < rows; i += mr {
		packTransposed(p.tile.level, dst[i/mr*kc*stride:], stride, p.a[(i0+i)*p.lda+p0:], p.lda, min(mr, rows-i), kc)
	}
}

// packTransposed writes dst[c·ldd+r] = src[r·lds+c] for r < rows, c < cols.
func packTransposed(l level, dst []float32, ldd int, src []float32, lds, rows, cols int) {
	r, blocks := 0, cols/8
	if l != levelGeneric && blocks > 0 {
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

// at returns the address of element i.
func at(x []float32, i int) unsafe.Pointer { return unsafe.Pointer(&x[i]) }
