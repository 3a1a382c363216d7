package tensor

const (
	splitMinK      = 1536    // shortest reduction that is split
	splitMaxOutput = 1 << 19 // largest m·n whose partial results are worth holding
	splitMaxRows   = 256     // of an A that is not transposed: more of them occupy the workers without splitting
	splitParts     = 16      // most parts of a reduction
	splitMinPart   = 512     // shortest part
	splitBlock     = 256     // rows of A and B packed at a time
)

// splitReduction computes a product with a long sum and a small result, as in the
// gradient of a weight matrix: the sum is cut into parts whose number depends on k
// only, each part gives a partial result, and the partial results are added in order.
func (p product) splitReduction() {
	part := max(splitMinPart, ceilDiv(p.k, splitParts))
	part = ceilDiv(part, splitBlock) * splitBlock
	parts := ceilDiv(p.k, part)
	size := p.m * p.n
	partial := getScratch(parts * size)
	defer partial.release()
	// A worker takes a part of the sum for some of the columns: as many as stay in the second-level
	// cache, laid out for the kernel.
	width := panelsBytes / (4 * splitBlock) / p.tile.nr * p.tile.nr
	blocks := ceilDiv(p.n, width)
	Parallel(parts*blocks, 1, func(lo, hi int) {
		for task := lo; task < hi; task++ {
			s, col := task/blocks, task%blocks*width
			p.partial(partial.data[s*size:(s+1)*size], col, min(width, p.n-col), s*part, min((s+1)*part, p.k))
		}
	})
	rows := max(1, (1<<14)/p.n)
	Parallel(p.m, rows, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sum := partial.data[i*p.n:][:p.n]
			for s := 1; s < parts; s++ {
				Axpy(1, partial.data[s*size+i*p.n:][:p.n], sum)
			}
			update(p.c[i*p.ldc:][:p.n], sum, p.alpha, p.beta)
		}
	})
}

// update sets row = alpha·sum + beta·row.
func update(row, sum []float32, alpha, beta float32) {
	switch {
	case beta == 0 && alpha == 1:
		copy(row, sum)
	case beta == 0:
		for j, v := range sum {
			row[j] = alpha * v
		}
	default:
		for j, v := range sum {
			row[j] = alpha*v + beta*row[j]
		}
	}
}

// partial computes columns [col, col+cols) of the product over p in [p0, p1) into out, m×n.
func (p *product) partial(out []float32, col, cols, p0, p1 int) {
	t := p.tile
	panels, rows := ceilDiv(cols, t.nr), ceilDiv(p.m, t.mr)
	bufB := getScratch(panels * t.nr * splitBlock)
	defer bufB.release()
	bufA := getScratch(rows * t.packStride * splitBlock)
	defer bufA.release()
	var args kernelArgs
	args.np = panels
	args.ldc = uintptr(p.n) * 4
	args.setColumns(cols-(panels-1)*t.nr, t.nr)
	for q := p0; q < p1; q += splitBlock {
		kc := min(splitBlock, p1-q)
		p.packB(bufB.data, col, cols, q, kc)
		p.packA(bufA.data, 0, p.m, q, kc)
		args.k = kc
		args.b = at(bufB.data, 0)
		beta := float32(1)
		if q == p0 {
			beta = 0
		}
		args.setUpdate(1, beta)
		for r := range rows {
			i := r * t.mr
			args.mr = min(t.mr, p.m-i)
			args.a = at(bufA.data, r*kc*t.packStride)
			args.prefetch, args.prefetchEnd = args.a, args.a
			args.c = at(out, i*p.n+col)
			run(t.level, true, &args)
		}
	}
}
