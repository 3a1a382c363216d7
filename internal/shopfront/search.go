package shopfront

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/words"
)

// index finds items by the words of their fields, ranked by BM25.
type index struct {
	terms  map[string][]posting
	length map[int32]int32 // terms of a row
	total  int64
	sorted []string // all terms, for those whose beginning is asked
	shared bool     // older indexes read the same lists
}

type posting struct{ row, count int32 }

const (
	bm25K = 1.2
	bm25B = 0.75
)

func newIndex() *index {
	return &index{terms: map[string][]posting{}, length: map[int32]int32{}}
}

// settle sorts the terms.
func (x *index) settle() { x.sorted = slices.Sorted(maps.Keys(x.terms)) }

func (x *index) clone() *index {
	return &index{terms: maps.Clone(x.terms), length: maps.Clone(x.length), total: x.total, sorted: x.sorted, shared: true}
}

// counted returns how often each term occurs in an item's fields; a word of the title counts three times.
func counted(it *dataset.Item) map[string]int32 {
	n := map[string]int32{}
	count := func(text string, weight int32) {
		words.Terms(text, func(t words.Term) {
			if !t.Stop {
				n[t.Text] += weight
			}
		})
	}
	count(it.Title, 3)
	count(it.Brand, 2)
	count(strings.Join(it.Categories, " "), 1)
	count(it.Description, 1)
	return n
}

func (x *index) add(row int32, it *dataset.Item) {
	fresh := false
	for term, n := range counted(it) {
		fresh = fresh || x.terms[term] == nil
		list := x.terms[term]
		if x.shared {
			list = slices.Clip(list)
		}
		x.terms[term] = append(list, posting{row, n})
		x.length[row] += n
		x.total += int64(n)
	}
	if fresh && x.sorted != nil {
		x.settle()
	}
}

func (x *index) remove(row int32, it *dataset.Item) {
	for term := range counted(it) {
		x.terms[term] = slices.DeleteFunc(slices.Clone(x.terms[term]), func(p posting) bool { return p.row == row })
	}
	x.total -= int64(x.length[row])
	delete(x.length, row)
}

// find returns the rows of the items whose words match, the best first. All words must occur; of the last, its beginning may.
func (x *index) find(query string, allowed func(int32) bool) []int32 {
	var asked []string
	words.Terms(query, func(t words.Term) {
		if !t.Stop && !slices.Contains(asked, t.Text) {
			asked = append(asked, t.Text)
		}
	})
	if len(asked) == 0 {
		return nil
	}
	mean := float64(x.total) / float64(max(len(x.length), 1))
	score := map[int32]float64{}
	for n, term := range asked {
		lists := [][]posting{x.terms[term]}
		if n == len(asked)-1 {
			lists = x.beginning(term)
		}
		here := map[int32]float64{}
		for _, list := range lists {
			idf := math.Log(1 + (float64(len(x.length))-float64(len(list))+0.5)/(float64(len(list))+0.5))
			for _, p := range list {
				f := float64(p.count)
				here[p.row] = max(here[p.row], idf*f*(bm25K+1)/(f+bm25K*(1-bm25B+bm25B*float64(x.length[p.row])/mean)))
			}
		}
		if n == 0 {
			score = here
			continue
		}
		for row := range score {
			if more, ok := here[row]; ok {
				score[row] += more
			} else {
				delete(score, row)
			}
		}
	}
	var rows []int32
	for row := range score {
		if allowed(row) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b int32) int { return cmp.Or(cmp.Compare(score[b], score[a]), cmp.Compare(a, b)) })
	return rows
}

// mostTerms bounds how many terms the beginning of a word stands for.
const mostTerms = 50

// beginning returns the lists of the terms that begin so.
func (x *index) beginning(prefix string) (lists [][]posting) {
	at, _ := slices.BinarySearch(x.sorted, prefix)
	for ; at < len(x.sorted) && strings.HasPrefix(x.sorted[at], prefix) && len(lists) < mostTerms; at++ {
		lists = append(lists, x.terms[x.sorted[at]])
	}
	return lists
}
