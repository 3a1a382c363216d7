package tensor

const edgeTile = 0 //nolint:unused // stores are masked

//go:noescape
func sgemmDirectAVX512(args *kernelArgs)

//go:noescape
func sgemmPackedAVX512(args *kernelArgs)

//go:noescape
func sgemmDirectAVX2(args *kernelArgs)

//go:noescape
func sgemmPackedAVX2(args *kernelArgs)

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
