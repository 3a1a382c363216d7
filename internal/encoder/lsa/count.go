package lsa

import (
	"slices"

	"github.com/mllmrec/mllmrec/internal/words"
)

// feature is one hashed term of a text and how often it occurs there.
type feature struct {
	bucket uint32
	count  uint32
}

// counter counts the hashed terms of texts; it keeps its buffers between calls.
type counter struct {
	bits    int
	bigrams bool
	buckets []uint32
}

// count returns the features of text, ascending by bucket. The result is valid
// until the next call.
func (c *counter) count(text string, dst []feature) []feature {
	c.buckets = c.buckets[:0]
	var prev uint64
	words.Terms(text, func(t words.Term) {
		if t.Stop {
			return
		}
		h := hashTerm(t.Text)
		c.buckets = append(c.buckets, bucketOf(h, c.bits))
		if c.bigrams {
			if prev != 0 {
				c.buckets = append(c.buckets, bucketOf(mix(prev)^h, c.bits))
			}
			prev = h
		}
	})
	slices.Sort(c.buckets)
	dst = dst[:0]
	for _, b := range c.buckets {
		if n := len(dst); n > 0 && dst[n-1].bucket == b {
			dst[n-1].count++
		} else {
			dst = append(dst, feature{b, 1})
		}
	}
	return dst
}

// hashTerm is FNV-1a over the bytes of a term.
func hashTerm(term string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(term) {
		h = (h ^ uint64(term[i])) * 1099511628211
	}
	return h
}

// mix spreads the entropy of h over all bits (the finaliser of SplitMix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

func bucketOf(h uint64, bits int) uint32 { return uint32(mix(h) >> (64 - bits)) }
