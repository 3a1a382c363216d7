package offline

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/words"
)

// weighted is a name or term with its weight in a history.
type weighted struct {
	text   string
	weight float64
	items  int // in how many items of the history
}

// tally sums weights by a case-folded key, keeps the first spelling, and returns the names
// by descending weight, ties in the order of their first addition.
type tally struct {
	at   map[string]int
	list []weighted
}

func (t *tally) add(key, text string, weight float64) {
	if t.at == nil {
		t.at = map[string]int{}
	}
	i, known := t.at[key]
	if !known {
		i = len(t.list)
		t.at[key] = i
		t.list = append(t.list, weighted{text: text})
	}
	t.list[i].weight += weight
	t.list[i].items++
}

func (t *tally) sorted() []weighted {
	slices.SortStableFunc(t.list, func(a, b weighted) int { return cmp.Compare(b.weight, a.weight) })
	return t.list
}

func brands(items []texts.HistoryItem, ages []float64) []weighted {
	var t tally
	for i, it := range items {
		if b := texts.Clean(it.Item.Brand); b != "" {
			t.add(strings.ToLower(b), b, ages[i])
		}
	}
	return t.sorted()
}

// categories weighs the specific ends of category paths more than their general beginnings.
// It leaves out the beginning that all paths of the history share, unless nothing else is
// left: "Baby" says nothing in a shop of baby products.
func categories(items []texts.HistoryItem, ages []float64) []weighted {
	var t tally
	for i, it := range items {
		path := it.Item.Categories
		for level, c := range path {
			if c = texts.Clean(c); c != "" && (level > 0 || len(path) == 1) {
				t.add(strings.ToLower(c), c, ages[i]*float64(level+1)/float64(len(path)))
			}
		}
	}
	return t.sorted()
}

// looks returns the informative words of the pictures' descriptions; in a history of several
// pictures only those that recur.
func (r *Reasoner) looks(items []texts.HistoryItem, ages []float64) []weighted {
	var t tally
	pictures := 0
	for i, it := range items {
		if it.ImageText == "" {
			continue
		}
		pictures++
		seen := map[string]bool{}
		words.Terms(it.ImageText, func(term words.Term) {
			if term.Stop || seen[term.Text] {
				return
			}
			seen[term.Text] = true
			if idf := r.stats.idf(term.Text); idf > commonIDF {
				t.add(term.Text, term.Text, ages[i]*idf)
			}
		})
	}
	names := t.sorted()
	if pictures > 2 {
		names = slices.DeleteFunc(names, func(w weighted) bool { return w.items < 2 })
	}
	return names
}

// commonIDF is the idf of a term that half of the items have, which is uninformative.
const commonIDF = 0.69

// list writes "Lead: a, b, c." with at most limit words, the lead included, and returns the
// number of words. If no name fits it returns an empty text.
func list(lead string, names []weighted, limit int) (string, int) {
	var kept []string
	used := 1
	for _, w := range names {
		if n := len(strings.Fields(w.text)); used+n <= limit {
			kept = append(kept, w.text)
			used += n
		}
	}
	if kept == nil {
		return "", 0
	}
	return lead + ": " + strings.Join(kept, ", ") + ".", used
}
