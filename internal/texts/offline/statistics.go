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

// statistics counts how many texts of the catalogue have a term.
type statistics struct {
	docs   int
	df     map[string]int32 // document frequency of terms in two texts or more; of others it is 1
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
				key = strings.Clone(key) // do not keep the whole text in memory
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

// idf is the inverse document frequency of a term, ln((1+n)/df), never negative; about 0 for
// a term that every item has.
func (s *statistics) idf(term string) float64 {
	return math.Log(float64(1+s.docs) / float64(max(s.df[term], 1)))
}
