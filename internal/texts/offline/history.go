package offline

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/words"
)

// commonIDF is the idf of a term that half of the items have, which is uninformative.
const commonIDF = 0.69

// maxQuoted is how many of the latest items are quoted; all are counted.
const maxQuoted = 300

// read counts what the items share and cuts their texts into clauses.
func (r *Reasoner) read(items []texts.HistoryItem) *history {
	h := &history{items: items, ages: ages(len(items)), aspects: map[aspect][]counted{}}
	var kinds, brands tally
	aspects := map[aspect]*tally{otherWord: {}, material: {}, colourWord: {}, patternWord: {}}
	for i, it := range items {
		if path := it.Item.Categories; len(path) > 0 {
			if kind := texts.Clean(path[len(path)-1]); kind != "" {
				kinds.add(strings.ToLower(kind), kind, i, h.ages[i])
			}
		}
		if b := texts.Clean(it.Item.Brand); b != "" {
			brands.add(strings.ToLower(b), b, i, h.ages[i])
		}
		title, description := texts.Clean(it.Item.Title), texts.Clean(it.Item.Description)
		for _, text := range []string{title, description, texts.Clean(it.ImageText)} {
			r.tallyWords(aspects, text, i, h.ages[i])
		}
		if len(items)-i <= maxQuoted {
			h.clauses = append(h.clauses, r.stats.clauses(i, true, title)...)
			h.clauses = append(h.clauses, r.stats.clauses(i, false, description)...)
		}
	}
	h.phrases = recurringPhrases(h)
	h.kinds, h.brands = kinds.sorted(), brands.sorted()
	for a, t := range aspects {
		h.aspects[a] = t.sorted()
	}
	h.aspects[otherWord] = slices.DeleteFunc(h.aspects[otherWord], func(c counted) bool { return len(c.items) < 2 })
	return h
}

// tallyWords counts the informative words of a text by what they tell. A stretch of a script
// without blanks is one word: parts of it would be no words that anybody spells.
func (r *Reasoner) tallyWords(aspects map[aspect]*tally, text string, item int, age float64) {
	n := 0
	words.Terms(text, func(t words.Term) {
		if n++; n > maxTerms || t.Stop || t.Part {
			return
		}
		a := lexicon[t.Text]
		idf := r.stats.idf(t.Text)
		if first, _ := utf8.DecodeRuneInString(t.Text); a == filler || idf < commonIDF || a == otherWord && !unicode.IsLetter(first) {
			return
		}
		aspects[a].add(nameOf(t.Text), t.Text, item, age*idf)
	})
}

// recurringPhrases counts the clauses of two telling words or more that stand in the descriptions of several items.
func recurringPhrases(h *history) []counted {
	var t tally
	for _, c := range h.clauses {
		telling, sum := 0, 0.0
		for _, term := range c.terms {
			if term.tale {
				telling++
				sum += term.idf
			}
		}
		if telling > 1 && !c.title {
			t.add(c.key, c.text, c.item, h.ages[c.item]*sum)
		}
	}
	return slices.DeleteFunc(t.sorted(), func(c counted) bool { return len(c.items) < 2 })
}
