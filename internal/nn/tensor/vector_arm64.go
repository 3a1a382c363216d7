package tensor

// filterVector writes the positions (from base on) of the elements above threshold to
// out, which has room for n+16, and returns their number. n is a multiple of 16; NaN is
// not above.
//
//go:noescape
func filterVector(x *float32, n int, base int32, threshold float32, out *int32) int

// groupMaxVector cuts x into blocks of 16·depth elements and writes for each block the
// largest of the elements i, i+16, i+32, … for i < 16. NaN is passed over.
//
//go:noescape
func groupMaxVector(x *float32, blocks, depth int, out *float32)

//go:noescape
func spmmVector(args *spmmArgs)
