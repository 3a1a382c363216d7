package offline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/words"
)

// statistics says how common terms are in the catalogue.
type statistics struct {
	docs   int
	df     map[string]int32 // terms of two texts or more; the others have 1
	digest string
}

func newStatistics(corpus []string) statistics {
	s := statistics{docs: len(corpus), df: map[string]int32{}}
	last := map[string]int32{} // the text a term was last seen in, plus one
	for i, text := range corpus {
		words.Terms(text, func(t words.Term) {
			if t.Stop || last[t.Text] == int32(i+1) {
				return
			}
			key := t.Text
			if last[key] == 0 {
				key = strings.Clone(key) // let go of the text
			}
			last[key] = int32(i + 1)
			s.df[key]++
		})
	}
	maps.DeleteFunc(s.df, func(_ string, n int32) bool { return n < 2 })
	h := sha256.New()
	fmt.Fprintln(h, s.docs)
	for _, term := range slices.Sorted(maps.Keys(s.df)) {
		fmt.Fprintln(h, term, s.df[term])
	}
	s.digest = hex.EncodeToString(h.Sum(nil))
	return s
}

// idf is how much a term tells: ln((1+n)/df), never negative; about 0 for one that
// every item has.
func (s *statistics) idf(term string) float64 {
	return math.Log(float64(1+s.docs) / float64(max(s.df[term], 1)))
}
