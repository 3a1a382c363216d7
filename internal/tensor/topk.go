package tensor

import (
	"fmt"
	"math"
	"slices"
)

// TopK writes the indices and values of the k largest scores, descending, ties to the
// lower index, and returns how many it wrote: min(k, number of scores above -Inf).
// Scores of -Inf are never returned (masked items); NaN ranks below every number.
// idx and val need room for k entries.
func TopK(scores []float32, k int, idx []int32, val []float32) int {
	if k < 0 || k > 0 && (len(idx) < min(k, len(scores)) || len(val) < min(k, len(scores))) {
		panic(fmt.Sprintf("tensor: TopK of %d with room for %d indices and %d values", k, len(idx), len(val)))
	}
	k = min(k, len(scores))
	if k == 0 {
		return 0
	}
	keys := make([]uint64, 0, len(scores))
	for i, s := range scores {
		if s > float32(math.Inf(-1)) {
			keys = append(keys, rankKey(s, i))
		}
	}
	slices.SortFunc(keys, func(a, b uint64) int {
		if a > b {
			return -1
		}
		return 1
	})
	n := min(k, len(keys))
	for r, key := range keys[:n] {
		i := ^uint32(key)
		idx[r], val[r] = int32(i), scores[i]
	}
	for i := 0; i < len(scores) && n < k; i++ {
		if scores[i] != scores[i] {
			idx[n], val[n] = int32(i), scores[i]
			n++
		}
	}
	return n
}

// rankKey orders by descending score, then by ascending index, when compared as integers.
func rankKey(score float32, index int) uint64 {
	b := math.Float32bits(score + 0) // -0 ranks with 0
	if b>>31 != 0 {
		b = ^b
	} else {
		b |= 1 << 31
	}
	return uint64(b)<<32 | uint64(^uint32(index))
}
