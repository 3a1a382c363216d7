package tensor

import "unsafe"

//go:generate sh -c "go run ./asmgen avx512 > gemm_avx512_amd64.s"
//go:generate sh -c "go run ./asmgen avx2 > gemm_avx2_amd64.s"
//go:generate sh -c "go run ./asmgen neon > gemm_neon_arm64.s"
//go:generate sh -c "go run ./asmgen neon-vector > vector_neon_arm64.s"

// kernelArgs is what a micro-kernel reads; the assembly addresses it by field name.
// Strides are in bytes, k in elements.
type kernelArgs struct {
	a, b, c               unsafe.Pointer
	lda, ldc              uintptr // lda: between rows of A, "direct" kernels only
	k                     int     // ≥ 1
	mr                    int     // rows, 1 … tile.mr
	np                    int     // packed panels of B, ≥ 1
	mode                  int     // modeStore, modeScale or modeAdd
	alpha, beta           float32
	mask                  uint32 // columns of the last panel, bit by bit (32-column tiles)
	lastFull              int    // 1 when the last panel is whole (tiles of 16 columns and fewer)
	mask8                 [16]int32
	edge                  [edgeTile]float32 //nolint:unused // by arm64's kernels: the tile of a last panel that is not whole, where no masked stores are
	prefetch, prefetchEnd unsafe.Pointer    // lines to fetch for the next rows
}

const (
	modeStore = iota // C = T
	modeScale        // C = alpha·T
	modeAdd          // C = alpha·T + beta·C
)

// tile is the shape of a micro-kernel: mr × nr results stay in registers over a whole sum.
type tile struct {
	level      level
	mr, nr     int
	packStride int // elements between consecutive p of a packed panel of A
}

var tiles = [...]tile{
	levelGeneric: {levelGeneric, 4, 4, 4},
	levelNEON:    {levelNEON, 8, 8, 8},
	levelAVX2:    {levelAVX2, 6, 16, 8},
	levelAVX512:  {levelAVX512, 14, 32, 16},
}

// setColumns records how many columns of the last panel exist.
func (t *kernelArgs) setColumns(last, nr int) {
	t.mask = uint32(1<<uint(last) - 1)
	t.lastFull = 0
	if last == nr {
		t.lastFull = 1
	}
	if nr <= len(t.mask8) {
		for i := range t.mask8 {
			t.mask8[i] = 0
			if i < last {
				t.mask8[i] = -1
			}
		}
	}
}

// setUpdate chooses the store rule for alpha and beta.
func (t *kernelArgs) setUpdate(alpha, beta float32) {
	t.alpha, t.beta = alpha, beta
	switch {
	case beta != 0:
		t.mode = modeAdd
	case alpha != 1:
		t.mode = modeScale
	default:
		t.mode = modeStore
	}
}

// kernelGeneric is the portable micro-kernel.
func kernelGeneric(t *kernelArgs, packed bool) {
	row, step := int(t.lda/4), 1 // elements between rows of A and between consecutive p
	if packed {
		row, step = 1, 4
	}
	const nr = 4
	a := unsafe.Slice((*float32)(t.a), (t.mr-1)*row+(t.k-1)*step+1)
	b := unsafe.Slice((*float32)(t.b), t.np*t.k*nr)
	ldc := int(t.ldc / 4)
	last := nr
	for last > 1 && t.mask&(1<<(last-1)) == 0 {
		last--
	}
	c := unsafe.Slice((*float32)(t.c), (t.mr-1)*ldc+(t.np-1)*nr+last)
	for p := range t.np {
		panel, cols := b[p*t.k*nr:(p+1)*t.k*nr], nr
		if p == t.np-1 {
			cols = last
		}
		for i := range t.mr {
			var s [nr]float32
			ai := i * row
			for q := 0; q < len(panel); q += nr {
				x, w := a[ai], panel[q:q+nr:q+nr]
				s[0] += x * w[0]
				s[1] += x * w[1]
				s[2] += x * w[2]
				s[3] += x * w[3]
				if q+nr < len(panel) {
					ai += step
				}
			}
			out := c[i*ldc+p*nr:][:cols]
			for j := range out {
				switch t.mode {
				case modeStore:
					out[j] = s[j]
				case modeScale:
					out[j] = t.alpha * s[j]
				default:
					out[j] = t.alpha*s[j] + t.beta*out[j]
				}
			}
		}
	}
}
