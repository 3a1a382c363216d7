package tensor

// level is an instruction set that the kernels are written for.
type level int

const (
	levelGeneric level = iota
	levelNEON          // Advanced SIMD: on every arm64
	levelAVX2          // AVX2 and FMA
	levelAVX512        // AVX-512 F, BW, DQ, VL besides
)

func (l level) String() string {
	return [...]string{"generic", "neon", "avx2", "avx512"}[l]
}

var (
	detected = detectLevel()
	active   level
	gemmTile tile
)

func init() { setLevel(detected) }

// setLevel chooses the kernels for the process; tests force each level in turn.
// It is not safe while kernels run.
func setLevel(l level) {
	active, gemmTile = l, tiles[l]
}

// Kernels names the instruction set that the kernels use: "avx512", "avx2", "neon" or "generic".
func Kernels() string { return active.String() }
