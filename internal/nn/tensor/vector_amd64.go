package tensor

// filterAVX512 and filterAVX2 write the positions (from base on) of the elements above
// threshold to out, which has room for n+16, and return their number. NaN is not above.
//
//go:noescape
func filterAVX512(x *float32, n int, base int32, threshold float32, out *int32) int

//go:noescape
func filterAVX2(x *float32, n int, base int32, threshold float32, out *int32) int

// groupMaxAVX512 and groupMaxAVX2 cut x into blocks of 16·depth elements and write for
// each block the largest of the elements i, i+16, i+32, … for i < 16. NaN is passed over.
//
//go:noescape
func groupMaxAVX512(x *float32, blocks, depth int, out *float32)

//go:noescape
func groupMaxAVX2(x *float32, blocks, depth int, out *float32)

//go:noescape
func spmmAVX512(args *spmmArgs)

//go:noescape
func spmmAVX2(args *spmmArgs)

func filterVector(x *float32, n int, base int32, threshold float32, out *int32) int {
	if active >= levelAVX512 {
		return filterAVX512(x, n, base, threshold, out)
	}
	return filterAVX2(x, n, base, threshold, out)
}

func groupMaxVector(x *float32, blocks, depth int, out *float32) {
	if active >= levelAVX512 {
		groupMaxAVX512(x, blocks, depth, out)
	} else {
		groupMaxAVX2(x, blocks, depth, out)
	}
}

func spmmVector(args *spmmArgs) {
	if active >= levelAVX512 {
		spmmAVX512(args)
	} else {
		spmmAVX2(args)
	}
}
