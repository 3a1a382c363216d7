package tensor

import "fmt"

// Packed is a k×n matrix B laid out once for the micro-kernels, for products with many
// A: the weights of a frozen network.
type Packed struct {
	k, n                int
	tile                tile
	kc, kBlocks, panels int
	data                *scratch
}

// Pack lays out op(B), k×n; ldb is the distance between rows of B as stored.
func Pack(transB bool, k, n int, b []float32, ldb int) *Packed {
	return PackInto(make([]float32, PackedLen(k, n)), transB, k, n, b, ldb)
}

// PackedLen returns how many elements a packed k×n matrix takes.
func PackedLen(k, n int) int { return k * ceilDiv(n, gemmTile.nr) * gemmTile.nr }

// PackInto is Pack into memory of the caller's, [PackedLen] elements that the result keeps: a
// loop that packs a matrix anew in each step makes no garbage of its size.
func PackInto(buf []float32, transB bool, k, n int, b []float32, ldb int) *Packed {
	if k <= 0 || n <= 0 {
		panic(fmt.Sprintf("tensor: Pack of k=%d n=%d", k, n))
	}
	sameLen("PackInto", PackedLen(k, n), len(buf))
	checkBlock("B", transB, k, n, b, ldb)
	t := gemmTile
	w := &Packed{k: k, n: n, tile: t, kBlocks: 1, panels: ceilDiv(n, t.nr)}
	if k > kcMax {
		w.kBlocks = ceilDiv(k, kcSplit)
	}
	w.kc = ceilDiv(k, w.kBlocks)
	w.data = &scratch{data: buf}
	j := w.job(product{transB: transB, n: n, k: k, b: b, ldb: ldb})
	Parallel(w.kBlocks*w.panels, max(1, elementGrain/(w.kc*t.nr)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			kb, panel := i/w.panels, i%w.panels
			p0, col := kb*w.kc, panel*t.nr
			kc := min(w.kc, k-p0)
			j.packB(j.panelB(kb, panel, kc), col, min(t.nr, n-col), p0, kc)
		}
	})
	return w
}

// job describes a product with w.
func (w *Packed) job(p product) job {
	p.tile = w.tile
	return job{product: p, j1: w.n, kc: w.kc, kBlocks: w.kBlocks, panels: w.panels, packed: w.data}
}

// MulAdd computes C += A·B on the calling goroutine; A is m×k with row distance lda, C
// is m×n with row distance ldc and shares no memory with A. The sum of an element runs
// over k in the same order whatever m is.
func (w *Packed) MulAdd(m int, a []float32, lda int, c []float32, ldc int) {
	checkBlock("A", false, m, w.k, a, lda)
	checkBlock("C", false, m, w.n, c, ldc)
	if m == 0 {
		return
	}
	j := w.job(product{m: m, n: w.n, k: w.k, alpha: 1, beta: 1, a: a, lda: lda, c: c, ldc: ldc})
	nr := w.tile.nr
	nBlocks := ceilDiv(w.panels, max(1, panelsBytes/(4*w.kc*nr)))
	j.blockPanels = ceilDiv(w.panels, nBlocks)
	j.mc = m
	j.copyA = lda%conflictStride == 0 || w.k >= longRow
	bufA := j.scratchA()
	defer bufA.release()
	var args kernelArgs
	for panel := 0; panel < w.panels; panel += j.blockPanels {
		j.block(&args, bufA, 0, panel)
	}
}

// Mul computes C = A·B on up to GOMAXPROCS goroutines: A is m×k, C is m×n and shares
// no memory with A. It gives the bits that Gemm gives for k below 1536; for any k a row
// of C has the same bits whatever other rows are computed with it.
func (w *Packed) Mul(a, c *Matrix) {
	if a.Cols != w.k || c.Rows != a.Rows || c.Cols != w.n {
		panic(fmt.Sprintf("tensor: Mul of %d×%d and packed %d×%d into %d×%d", a.Rows, a.Cols, w.k, w.n, c.Rows, c.Cols))
	}
	if a.Rows == 0 {
		return
	}
	j := jobs.Get().(*job)
	p := product{m: a.Rows, n: w.n, k: w.k, alpha: 1, a: a.Data, lda: a.Cols, c: c.Data, ldc: c.Cols, tile: w.tile}
	j.prepare(p, 0, w.n, w.kc, w.kBlocks)
	j.packed = w.data
	packs := int64(j.panels * j.kBlocks) // nothing left to pack
	j.packNext.Store(packs)
	j.packDone.Store(packs)
	j.execute()
	j.free()
}
