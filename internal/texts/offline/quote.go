package offline

import (
	"fmt"
	"slices"
	"strings"
)

// saidBefore is what a word is worth that another sentence has said already.
const saidBefore = 0.9

// latest names the latest items by the beginnings of their titles.
func latest(p *paragraph, h *history) {
	lead := "The latest are"
	if len(h.kinds) == 0 && len(h.items) > 1 {
		lead = fmt.Sprintf("The latest of %d choices are", len(h.items))
	}
	room := p.left - len(strings.Fields(lead))
	var names []string
	for j := len(h.clauses) - 1; j >= 0 && len(names) < latestItems; j-- {
		c := h.clauses[j]
		if begins := c.title && (j == 0 || h.clauses[j-1].item != c.item); begins && c.words <= room {
			names, room = append(names, p.quote(c.text)), room-c.words
		}
	}
	switch len(names) {
	case 0:
	case 1:
		p.add("The latest is " + names[0] + ".")
	default:
		p.add(lead + " " + and(names) + ".")
	}
}

// quote writes a text in quotation marks and remembers it: nothing is quoted twice.
func (p *paragraph) quote(text string) string {
	p.quotes[strings.ToLower(text)] = true
	return "“" + text + "”"
}

// addPhrases quotes what descriptions say several times.
func addPhrases(p *paragraph, h *history) {
	names := slices.Clone(h.phrases)
	for i := range names {
		names[i].text = "“" + names[i].text + "”"
	}
	p.addNames("Several say", "Several say", names, phraseWords)
	said := strings.Join(p.sentences, " ")
	for i, c := range names {
		if strings.Contains(said, c.text) {
			p.quote(h.phrases[i].text)
		}
	}
}

// addRecurring names words that recur and that no sentence has said.
func addRecurring(p *paragraph, h *history) {
	var names []counted
	for _, c := range h.aspects[otherWord] {
		if !p.said[c.key] {
			names = append(names, c)
		}
	}
	p.addNames("A word that recurs is", "Words that recur are", names, recurWords)
}

// telling quotes the pieces of the items' texts that tell most for their length, titles
// and descriptions apart and newest first, until the paragraph is full.
func telling(p *paragraph, h *history) {
	titles, descriptions := "Earlier:", "Also:"
	room := p.left - 2
	chosen := make([]bool, len(h.clauses))
	for {
		best, at := 0.0, -1
		for i, c := range h.clauses {
			if chosen[i] || c.words > room || !c.title && c.words < 2 || p.quotes[c.key] {
				continue
			}
			if g := gain(p, h, c); g > best {
				best, at = g, i
			}
		}
		if at < 0 {
			break
		}
		chosen[at] = true
		room -= h.clauses[at].words
		p.quotes[h.clauses[at].key] = true
		p.note(h.clauses[at].text)
	}
	for _, part := range []struct {
		lead  string
		title bool
	}{{titles, true}, {descriptions, false}} {
		var quotes []string
		for j := len(h.clauses) - 1; j >= 0; j-- {
			if c := h.clauses[j]; chosen[j] && c.title == part.title {
				quotes = append(quotes, p.quote(c.text))
			}
		}
		if len(quotes) > 0 {
			p.add(part.lead + " " + strings.Join(quotes, ", ") + ".")
		}
	}
}

// gain is what a clause tells: the idf of its words, less of those said before, by its
// length and its item's age.
func gain(p *paragraph, h *history, c clause) float64 {
	var sum float64
	for _, t := range c.terms {
		w := t.idf
		if p.said[t.name] {
			w *= saidBefore
		}
		sum += w
	}
	return h.ages[c.item] * sum / (float64(c.words) + 0.3)
}
