package offline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/words"
)

// Shares of the limit, in words, that the counting sentences may take; what they leave goes
// to the items' own words, which tell items apart best.
const (
	kindWords   = 18
	brandWords  = 12
	aspectWords = 12 // each of materials, colours and patterns
	phraseWords = 22
	recurWords  = 16
	latelyWords = 10
	latestItems = 3
)

// history is what the sentences are written from.
type history struct {
	items   []texts.HistoryItem
	ages    []float64
	kinds   []counted // the most specific category of each item
	brands  []counted
	aspects map[aspect][]counted
	clauses []clause
	phrases []counted // clauses of descriptions that recur
}

// paragraph collects sentences up to a number of words, and knows what has been said.
type paragraph struct {
	left      int
	sentences []string
	said      map[string]bool // words, by the names under which they are counted
	quotes    map[string]bool
}

// add says a sentence if there is room for it.
func (p *paragraph) add(sentence string) {
	n := len(strings.Fields(sentence))
	if n == 0 || n > p.left {
		return
	}
	p.left -= n
	p.sentences = append(p.sentences, sentence)
	p.note(sentence)
}

func (p *paragraph) note(text string) {
	words.Terms(text, func(t words.Term) { p.said[nameOf(t.Text)] = true })
}

// fitting takes names in their order as far as limit words allow, and puts those first that
// most items have.
func fitting(names []counted, limit int) []counted {
	var kept []counted
	for _, c := range names {
		if n := len(strings.Fields(c.withCount())); n <= limit {
			kept = append(kept, c)
			limit -= n
		}
	}
	slices.SortStableFunc(kept, func(a, b counted) int { return cmp.Compare(len(b.items), len(a.items)) })
	return kept
}

func withCounts(names []counted) []string {
	out := make([]string, len(names))
	for i, c := range names {
		out[i] = c.withCount()
	}
	return out
}

func (r *Reasoner) write(items []texts.HistoryItem) string {
	h := r.read(items)
	p := &paragraph{left: r.limit, said: map[string]bool{}, quotes: map[string]bool{}}
	p.add(kindsSentence(h))
	p.addNames("The brand is", "Brands are", h.brands, brandWords)
	p.addNames("The material is", "Materials are", h.aspects[material], aspectWords)
	p.addNames("The colour is", "Colours are", h.aspects[colourWord], aspectWords)
	p.addNames("The pattern is", "Patterns are", h.aspects[patternWord], aspectWords)
	latest(p, h)
	p.add(latelySentence(h))
	addPhrases(p, h)
	addRecurring(p, h)
	telling(p, h)
	if len(p.sentences) == 0 {
		return plainWords(items, r.limit)
	}
	return strings.Join(p.sentences, " ")
}

// kindsSentence says how many items are of which kind: "Of 17 choices, 5 are Sneakers, 4
// Cushions and 3 Backpacks; also Umbrellas and Clocks."
func kindsSentence(h *history) string {
	if len(h.kinds) == 0 {
		return ""
	}
	if len(h.items) == 1 {
		return "One choice so far: " + h.kinds[0].text + "."
	}
	var often, once []string
	for _, c := range fitting(h.kinds, kindWords-4) {
		switch {
		case len(c.items) < 2:
			once = append(once, c.text)
		case len(often) == 0:
			often = append(often, fmt.Sprintf("%d are %s", len(c.items), c.text))
		default:
			often = append(often, fmt.Sprintf("%d %s", len(c.items), c.text))
		}
	}
	switch {
	case len(often) == 0:
		return fmt.Sprintf("%d choices: %s.", len(h.items), and(once))
	case len(once) == 0:
		return fmt.Sprintf("Of %d choices, %s.", len(h.items), and(often))
	}
	return fmt.Sprintf("Of %d choices, %s; also %s.", len(h.items), and(often), and(once))
}

// addNames lists names with their counts, as many as limit words and the room left allow:
// "Brands are Oakmoss (5), Fieldgate (3) and Nordlys."
func (p *paragraph) addNames(one, many string, names []counted, limit int) {
	names = fitting(names, min(limit, p.left)-len(strings.Fields(many))-1)
	switch len(names) {
	case 0:
	case 1:
		p.add(one + " " + names[0].withCount() + ".")
	default:
		p.add(many + " " + and(withCounts(names)) + ".")
	}
}
