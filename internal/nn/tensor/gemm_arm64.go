package tensor

import (
	"math/bits"
	"unsafe"
)

const edgeTile = 8 * 8 // the whole tile: NEON has no masked stores

//go:noescape
func sgemmDirectNEON(args *kernelArgs)

//go:noescape
func sgemmPackedNEON(args *kernelArgs)

//go:noescape
func packNEON(args *packArgs)

// pack calls the pack kernel, for whole panels of 8 columns.
func pack(_ level, _ int, args *packArgs) { packNEON(args) }

// run calls the micro-kernel of level l. The kernel writes a last panel that is not
// whole to args.edge, all of its columns, by the same rules as to C.
func run(l level, packed bool, args *kernelArgs) {
	if l == levelGeneric {
		kernelGeneric(args, packed)
		return
	}
	partial := args.lastFull == 0
	if partial && args.mode == modeAdd {
		args.copyEdge(false)
	}
	if packed {
		sgemmPackedNEON(args)
	} else {
		sgemmDirectNEON(args)
	}
	if partial {
		args.copyEdge(true)
	}
}

// copyEdge copies the columns of C that the last panel has from C to edge, or back.
func (t *kernelArgs) copyEdge(back bool) {
	const nr = 8
	cols, ldc := bits.OnesCount32(t.mask), int(t.ldc/4)
	c := unsafe.Slice((*float32)(unsafe.Add(t.c, 4*nr*(t.np-1))), (t.mr-1)*ldc+cols)
	for i := range t.mr {
		row, edge := c[i*ldc:][:cols], t.edge[i*nr:][:cols]
		if back {
			copy(row, edge)
		} else {
			copy(edge, row)
		}
	}
}
