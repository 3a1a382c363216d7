package tensor

//go:generate sh -c "go run ./asmgen avx512 > gemm_avx512_amd64.s"
//go:generate sh -c "go run ./asmgen avx2 > gemm_avx2_amd64.s"

//go:noescape
func sgemmDirectAVX512(args *kernelArgs)

//go:noescape
func sgemmPackedAVX512(args *kernelArgs)

//go:noescape
func sgemmDirectAVX2(args *kernelArgs)

//go:noescape
func sgemmPackedAVX2(args *kernelArgs)

// transpose8x8 writes dst[p·ldd+i] = src[i·lds+p] for i < 8 and p < 8·blocks;
// strides are in bytes.
//
//go:noescape
func transpose8x8(dst *float32, ldd uintptr, src *float32, lds uintptr, blocks int)

//go:noescape
func packOneAVX512(args *packArgs)

//go:noescape
func packTwoAVX512(args *packArgs)

//go:noescape
func packOneAVX2(args *packArgs)

//go:noescape
func packTwoAVX2(args *packArgs)

// pack calls the pack kernel for rows of rowStride elements: one vector or two.
func pack(l level, rowStride int, args *packArgs) {
	switch {
	case l == levelAVX512 && rowStride == 16:
		packOneAVX512(args)
	case l == levelAVX512:
		packTwoAVX512(args)
	case rowStride == 8:
		packOneAVX2(args)
	default:
		packTwoAVX2(args)
	}
}

// run calls the micro-kernel of level l. Direct calls, not function values, keep
// args on the stack of the caller.
func run(l level, packed bool, args *kernelArgs) {
	switch {
	case l == levelAVX512 && packed:
		sgemmPackedAVX512(args)
	case l == levelAVX512:
		sgemmDirectAVX512(args)
	case l == levelAVX2 && packed:
		sgemmPackedAVX2(args)
	case l == levelAVX2:
		sgemmDirectAVX2(args)
	default:
		kernelGeneric(args, packed)
	}
}
