package offline

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/words"
)

// maxTerms bounds the informative terms that are read of one item, whose description may
// have a megabyte.
const maxTerms = 1000

// titleWeight is the weight of a word of the title relative to one of the description.
const titleWeight = 2

// occurrence is the first occurrence of an informative term in an item's text.
type occurrence struct {
	item, order int // order within the item
	text        string
	start, end  int // bytes in the item's text
	weight      float64
	rank        float64 // terms are chosen by descending rank
}

// phrases writes the most informative words of the items' titles and descriptions, at most
// limit of them, in the order of the texts, newest item first, with a semicolon between
// items. A word's weight is TF-IDF within its item, scaled so that each item
// counts the same, times the item's recency; words that recur over the history
// weigh more.
func (r *Reasoner) phrases(items []texts.HistoryItem, ages []float64, limit int) string {
	var all []occurrence
	words := make([]string, len(items))
	total := map[string]float64{}
	for i, it := range items {
		title := texts.Clean(it.Item.Title)
		words[i] = title
		if it.Item.Description != "" {
			words[i] = texts.Clean(title + " " + it.Item.Description)
		}
		occ := r.occurrences(i, words[i], len(title), ages[i])
		for _, o := range occ {
			total[o.text] += o.weight
		}
		all = append(all, occ...)
	}
	inOrder := func(a, b *occurrence) int {
		return cmp.Or(cmp.Compare(b.item, a.item), cmp.Compare(a.order, b.order))
	}
	chosen := make([]*occurrence, len(all))
	for i := range all {
		all[i].rank = all[i].weight + total[all[i].text]
		chosen[i] = &all[i]
	}
	if limit = max(limit, 0); len(chosen) > limit {
		slices.SortFunc(chosen, func(a, b *occurrence) int {
			return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(b.weight, a.weight), inOrder(a, b))
		})
		chosen = chosen[:limit]
	}
	slices.SortFunc(chosen, inOrder)
	return join(chosen, words)
}

func (r *Reasoner) occurrences(item int, text string, title int, age float64) []occurrence {
	var occ []occurrence
	at := map[string]int{}
	words.Terms(text, func(t words.Term) {
		if t.Stop {
			return
		}
		w := 1.0
		if t.Start < title {
			w = titleWeight
		}
		if i, seen := at[t.Text]; seen {
			occ[i].weight += w
			return
		}
		if len(occ) < maxTerms {
			at[t.Text] = len(occ)
			occ = append(occ, occurrence{item: item, order: len(occ), text: t.Text, start: t.Start, end: t.End, weight: w})
		}
	})
	var norm float64
	for i := range occ {
		occ[i].weight = (1 + math.Log(occ[i].weight)) * r.stats.idf(occ[i].text)
		norm += occ[i].weight * occ[i].weight
	}
	if norm > 0 {
		for i := range occ {
			occ[i].weight *= age / math.Sqrt(norm)
		}
	}
	return occ
}

// join writes the occurrences as they are spelt in their texts. Overlapping ones (bigrams of
// scripts without spaces) are joined.
func join(occ []*occurrence, texts []string) string {
	var b strings.Builder
	item := -1
	for i := 0; i < len(occ); i++ {
		o := occ[i]
		end := o.end
		for i+1 < len(occ) && occ[i+1].item == o.item && occ[i+1].start < end {
			i++
			end = occ[i].end
		}
		switch {
		case b.Len() == 0:
		case o.item != item:
			b.WriteString("; ")
		default:
			b.WriteByte(' ')
		}
		item = o.item
		b.WriteString(texts[o.item][o.start:end])
	}
	return b.String()
}
