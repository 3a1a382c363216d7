package tensor

import "fmt"

// Gather copies rows src[idx[r]] into dst row r.
func Gather(dst, src *Matrix, idx []int32) {
	checkRows("Gather", dst, src, idx, dst.Rows, src.Rows)
	Parallel(len(idx), rowGrain(src.Cols), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			copy(dst.Row(r), src.Row(int(idx[r])))
		}
	})
}

// ScatterAdd adds src row r to dst row idx[r], in the order of r. Large calls are
// cut by columns, so each destination element sees the same order.
func ScatterAdd(dst, src *Matrix, idx []int32) {
	checkRows("ScatterAdd", dst, src, idx, src.Rows, dst.Rows)
	grain := src.Cols
	if len(idx)*src.Cols > elementGrain {
		grain = max(32, ceilDiv(ceilDiv(src.Cols, 4), 16)*16)
	}
	Parallel(src.Cols, grain, func(lo, hi int) {
		for r, i := range idx {
			Axpy(1, src.Row(r)[lo:hi], dst.Row(int(i))[lo:hi])
		}
	})
}

// checkRows panics unless a has a row for each index, both have equal columns, and
// every index lies below limit.
func checkRows(what string, dst, src *Matrix, idx []int32, rows, limit int) {
	if dst.Cols != src.Cols || rows != len(idx) {
		panic(fmt.Sprintf("tensor: %s of %d indices between %d×%d and %d×%d matrices", what, len(idx), dst.Rows, dst.Cols, src.Rows, src.Cols))
	}
	if len(idx) == 0 || int64(largestIndex(idx)) < int64(limit) {
		return
	}
	for r, i := range idx {
		if int(i) < 0 || int(i) >= limit {
			panic(fmt.Sprintf("tensor: %s: index %d at position %d, rows %d", what, i, r, limit))
		}
	}
}
