package tensor

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// topkChunk is how many scores are compared with one threshold before it may rise.
const topkChunk = 512

// maxGroups bounds the groups whose largest scores give the first threshold.
const maxGroups = 1024

// topkState is the pooled memory of a selection.
type topkState struct {
	keys []uint64              // candidates
	tops [maxGroups]float32    // largest scores of groups
	hits [topkChunk + 16]int32 // positions above the threshold in a chunk
}

var topkStates = sync.Pool{New: func() any { return new(topkState) }}

// TopK writes the indices and values of the k largest scores, descending, ties to the
// lower index, and returns how many it wrote. Scores of -Inf are never returned
// (masked items); NaN ranks below every number. idx and val need room for
// min(k, len(scores)) entries.
//
// A scan keeps what exceeds the k-th best so far: a later equal score has a higher
// index and so never displaces it.
func TopK(scores []float32, k int, idx []int32, val []float32) int {
	k = min(k, len(scores))
	if k < 0 || len(idx) < k || len(val) < k {
		panic(fmt.Sprintf("tensor: TopK of %d with room for %d indices and %d values", k, len(idx), len(val)))
	}
	if k == 0 {
		return 0
	}
	s := topkStates.Get().(*topkState)
	defer topkStates.Put(s)
	keys, threshold := s.keys[:0], s.firstThreshold(scores, k)
	limit := max(2*k, k+topkChunk/2)
	for lo := 0; lo < len(scores); lo += topkChunk {
		for _, i := range s.filter(scores[lo:min(lo+topkChunk, len(scores))], lo, threshold) {
			keys = append(keys, rankKey(scores[i], i))
		}
		if len(keys) >= limit {
			selectLargest(keys, k)
			keys = keys[:k]
			threshold = scores[^uint32(slices.Min(keys))]
		}
	}
	s.keys = keys
	if len(keys) > k {
		selectLargest(keys, k)
		keys = keys[:k]
	}
	slices.Sort(keys)
	slices.Reverse(keys)
	for r, key := range keys {
		i := ^uint32(key)
		idx[r], val[r] = int32(i), scores[i]
	}
	return appendNaN(scores, k, len(keys), idx, val)
}

// firstThreshold returns a value below the k-th largest score, as near as is cheap to
// find: with scores cut into groups, no fewer than k scores reach the k-th largest of
// the groups' largest. It only saves work; -Inf is always right.
func (s *topkState) firstThreshold(scores []float32, k int) float32 {
	none := float32(math.Inf(-1))
	blocks := ceilDiv(4*k, 16)
	depth := len(scores) / (16 * blocks)
	if active == levelGeneric || 16*blocks > maxGroups || depth < 2 {
		return none
	}
	tops := s.tops[:16*blocks]
	groupMaxVector(&scores[0], blocks, depth, &tops[0])
	// low stays a value that k groups reach; it rises until few more do.
	low, high := ordered(slices.Min(tops)), ordered(largest(tops))
	for range 24 {
		mid := low + (high-low)/2
		n := countAtLeastVector(&tops[0], len(tops), unordered(mid))
		if n < k {
			high = mid
			continue
		}
		if low = mid; n <= k+k/8 {
			break
		}
	}
	return math.Nextafter32(unordered(low), none)
}

// appendNaN fills the places that numbers left free with NaN scores, if there are any.
func appendNaN(scores []float32, k, n int, idx []int32, val []float32) int {
	for i := 0; i < len(scores) && n < k; i++ {
		if scores[i] != scores[i] {
			idx[n], val[n] = int32(i), scores[i]
			n++
		}
	}
	return n
}

// filter returns the positions, counted from base, of the scores above threshold.
func (s *topkState) filter(scores []float32, base int, threshold float32) []int32 {
	i, count := 0, 0
	if n := len(scores) &^ 15; active != levelGeneric && n > 0 {
		count = filterVector(&scores[0], n, int32(base), threshold, &s.hits[0])
		i = n
	}
	for ; i < len(scores); i++ {
		if scores[i] > threshold {
			s.hits[count] = int32(base + i)
			count++
		}
	}
	return s.hits[:count]
}

// rankKey orders by descending score, then by ascending index, when compared as an integer.
func rankKey(score float32, index int32) uint64 {
	return uint64(ordered(score+0))<<32 | uint64(^uint32(index)) // -0+0 is 0: they tie
}

// ordered maps numbers to integers of the same order.
func ordered(x float32) uint32 {
	b := math.Float32bits(x)
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

// unordered is the inverse of ordered.
func unordered(b uint32) float32 {
	return math.Float32frombits(b ^ (^uint32(int32(b)>>31) | 1<<31))
}

// selectLargest moves the k largest of the distinct keys to the front, 0 < k ≤ len(keys).
func selectLargest(keys []uint64, k int) {
	for lo, hi := 0, len(keys); hi-lo > 1; {
		// Median of three as pivot, then Hoare's partition in descending order.
		a, b, c := keys[lo], keys[lo+(hi-lo)/2], keys[hi-1]
		pivot := max(min(a, b), min(max(a, b), c))
		i, j := lo, hi-1
		for i <= j {
			for keys[i] > pivot {
				i++
			}
			for keys[j] < pivot {
				j--
			}
			if i <= j {
				keys[i], keys[j] = keys[j], keys[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j + 1
		case k > i:
			lo = i
		default: // the boundary falls on or beside the pivot
			return
		}
	}
}
