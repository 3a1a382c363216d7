package tensor

import (
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	parallelWork   = 1 << 18   // multiply-adds below which a second goroutine costs more than it saves
	kcMax          = 512       // longest sum kept in registers before C is touched
	kcSplit        = 384       // block length when k is longer than kcMax
	panelsBytes    = 512 << 10 // packed B that a task streams from the second-level cache
	superBytes     = 32 << 20  // packed B in memory at a time
	conflictStride = 1024      // rows of A a multiple of this apart fall on the same cache sets
	longRow        = 1024      // rows of A that are copied first, whole: memory is read faster in order than in pieces
	copyPad        = 16        // elements between copied rows, which keeps them off the same cache sets
)

// blocked computes the product by packed panels of B (and of A where its rows cannot
// be read in place): B is packed once, then tasks of mc rows × nc columns are taken
// by the workers. Which task computes an element, and how, depends on the shapes only.
func (p product) blocked() {
	t := p.tile
	kBlocks := 1
	if p.k > kcMax {
		kBlocks = ceilDiv(p.k, kcSplit)
	}
	kc := ceilDiv(p.k, kBlocks)
	super := p.n
	if limit := superBytes / (4 * p.k); super > limit {
		super = max(t.nr, limit/t.nr*t.nr)
	}
	for j0 := 0; j0 < p.n; j0 += super {
		j := jobs.Get().(*job)
		j.prepare(p, j0, min(j0+super, p.n), kc, kBlocks)
		j.packed = getScratch(p.k * j.panels * t.nr)
		j.execute()
		j.packed.release()
		j.free()
	}
}

// execute runs the job, on one goroutine when it is small.
func (j *job) execute() {
	if j.m*(j.j1-j.j0)*j.k > 2*parallelWork {
		j.crew.work(max(j.mBlocks*j.nBlocks, j.panels*j.kBlocks), j.body)
	} else {
		j.run()
	}
}

// free gives the job back to the pool.
func (j *job) free() {
	j.product, j.packed = product{}, nil
	jobs.Put(j)
}

var jobs = sync.Pool{New: func() any {
	j := new(job)
	j.body = j.run
	return j
}}

// job is the product of A with columns [j0, j1) of B.
type job struct {
	product
	j0, j1      int
	kc, kBlocks int
	panels      int // panels of B
	blockPanels int // panels a task covers
	nBlocks     int
	mc, mBlocks int
	packA       bool // A is transposed: laid out for the kernel
	copyA       bool // rows of A are copied side by side
	packed      *scratch

	packNext, packDone, next atomic.Int64
	body                     func() // run, bound once
	crew                     crew
}

func (j *job) prepare(p product, j0, j1, kc, kBlocks int) {
	t := p.tile
	j.product, j.j0, j.j1, j.kc, j.kBlocks = p, j0, j1, kc, kBlocks
	j.panels = ceilDiv(j1-j0, t.nr)
	j.nBlocks = ceilDiv(j.panels, max(1, panelsBytes/(4*kc*t.nr)))
	j.blockPanels = ceilDiv(j.panels, j.nBlocks)
	j.nBlocks = ceilDiv(j.panels, j.blockPanels)
	j.packA = p.transA
	j.copyA = !p.transA && (p.lda%conflictStride == 0 || p.k >= longRow)
	j.mc = 4 * t.mr
	if j.copyA {
		j.mc = min(j.mc, max(1, panelsBytes/(4*p.k*t.mr))*t.mr)
	}
	j.mBlocks = ceilDiv(p.m, j.mc)
	j.packNext.Store(0)
	j.packDone.Store(0)
	j.next.Store(0)
}

// run packs panels of B until none is left, waits for those that others are still
// packing, then computes blocks of C.
func (j *job) run() {
	packs, nr := int64(j.panels*j.kBlocks), j.tile.nr
	for i := j.packNext.Add(1) - 1; i < packs; i = j.packNext.Add(1) - 1 {
		kb, panel := int(i)/j.panels, int(i)%j.panels
		p0 := kb * j.kc
		kc := min(j.kc, j.k-p0)
		col := j.j0 + panel*nr
		j.packB(j.panelB(kb, panel, kc), col, min(nr, j.j1-col), p0, kc)
		j.packDone.Add(1)
	}
	for j.packDone.Load() < packs {
		runtime.Gosched()
	}
	bufA := j.scratchA()
	defer bufA.release()
	var args kernelArgs
	tasks := int64(j.mBlocks * j.nBlocks)
	for i := j.next.Add(1) - 1; i < tasks; i = j.next.Add(1) - 1 {
		j.block(&args, bufA, int(i)%j.mBlocks*j.mc, int(i)/j.mBlocks*j.blockPanels)
	}
}

// scratchA returns memory for the part of A that a task lays out or copies; nil where it reads A in place.
func (j *job) scratchA() *scratch {
	switch {
	case j.packA:
		return getScratch(ceilDiv(j.mc, j.tile.mr) * j.kc * j.tile.packStride)
	case j.copyA:
		return getScratch(j.mc * (j.k + copyPad))
	}
	return nil
}

// panelB is the place of a packed panel: all panels of the first block of k come
// first, each kc×nr.
func (j *job) panelB(kb, panel, kc int) []float32 {
	nr := j.tile.nr
	return j.packed.data[kb*j.kc*j.panels*nr+panel*kc*nr:]
}

// block computes rows [i0, i0+mc) of the panels from panel on.
func (j *job) block(args *kernelArgs, bufA *scratch, i0, panel int) {
	t := j.tile
	i1 := min(i0+j.mc, j.m)
	args.np = min(j.blockPanels, j.panels-panel)
	col := j.j0 + panel*t.nr
	args.setColumns(min(j.j1-col, args.np*t.nr)-(args.np-1)*t.nr, t.nr)
	args.lda, args.ldc = uintptr(j.lda)*4, uintptr(j.ldc)*4
	copied := j.k + copyPad // distance of the rows once they are copied
	if j.copyA {
		args.lda = uintptr(copied) * 4
		for i := i0; i < i1; i++ {
			copy(bufA.data[(i-i0)*copied:][:j.k], j.a[i*j.lda:])
		}
	}
	for kb := range j.kBlocks {
		p0 := kb * j.kc
		args.k = min(j.kc, j.k-p0)
		args.b = at(j.panelB(kb, panel, args.k), 0)
		beta := j.beta
		if kb > 0 {
			beta = 1
		}
		args.setUpdate(j.alpha, beta)
		for i := i0; i < i1; i += t.mr {
			args.mr = min(t.mr, i1-i)
			args.c = at(j.c, i*j.ldc+col)
			switch {
			case j.packA:
				buf := bufA.data[(i-i0)/t.mr*args.k*t.packStride:]
				j.product.packA(buf, i, args.mr, p0, args.k)
				args.a = at(buf, 0)
				args.prefetch, args.prefetchEnd = args.a, args.a
			case j.copyA:
				args.a = at(bufA.data, (i-i0)*copied+p0)
				args.prefetch, args.prefetchEnd = args.a, args.a
			default:
				j.readInPlace(args, i, p0)
			}
			run(t.level, j.packA, args)
		}
	}
	args.a, args.b, args.c, args.prefetch, args.prefetchEnd = nil, nil, nil, nil, nil
}

// readInPlace sets the kernel on rows of A from i on, where they are, and on the ones behind to fetch.
func (j *job) readInPlace(args *kernelArgs, i, p0 int) {
	args.a = at(j.a, i*j.lda+p0)
	args.prefetch = args.a
	args.prefetchEnd = args.a
	if next := i + j.tile.mr; next < j.m {
		args.prefetch = at(j.a, next*j.lda+p0)
		args.prefetchEnd = at(j.a, (min(next+j.tile.mr, j.m)-1)*j.lda+p0+args.k-1)
	}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
