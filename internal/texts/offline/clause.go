package offline

import (
	"strings"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/words"
)

const (
	// maxTerms bounds the terms that are read of one item, whose description may have a megabyte.
	maxTerms = 1000
	// maxClauseWords and maxClauseBytes bound what is quoted in one piece.
	maxClauseWords = 10
	maxClauseBytes = 160
)

// clause is a sentence of an item's text, or a piece of a long one, as it is spelt from its
// first informative word on.
type clause struct {
	item  int
	title bool
	text  string
	key   string       // the text in lower case: nothing is quoted twice
	terms []clauseTerm // informative ones
	words int          // separated by blanks
}

// clauseTerm is a term of a clause with what is looked up of it once.
type clauseTerm struct {
	name string  // under which it is counted and known
	idf  float64 // inverse document frequency
	tale bool    // it tells something: neither common nor shop talk
}

// clauses cuts a clean text, at most maxTerms terms of it.
func (s *statistics) clauses(item int, title bool, text string) []clause {
	var out []clause
	terms := 0
	for text != "" && terms < maxTerms {
		end, next := clauseEnd(text)
		if c, ok := s.newClause(text[:end]); ok {
			c.item, c.title = item, title
			terms += len(c.terms)
			out = append(out, c)
		}
		text = strings.TrimLeft(text[next:], " ,，、")
	}
	return out
}

// clauseEnd finds where the first clause of text ends and where the next begins: at the end
// of a sentence; in a long one at its last comma or, without one, before the word or character that
// makes it too long.
func clauseEnd(text string) (end, next int) {
	blanks, comma := 0, 0
	for i, r := range text {
		size := max(utf8.RuneLen(r), 1)
		ends := i+size >= len(text) || text[i+size] == ' '
		switch {
		case strings.ContainsRune(".;:!?", r) && ends: // 3.5 and 10:30 are whole
			return i, i + 1
		case strings.ContainsRune("。；：！？…·•|()[]{}<>\"“”„«»【】「」『』（）《》#", r):
			return i, i + size
		case r == ',' && ends, r == '，', r == '、':
			comma = i
		case r == ' ':
			if rest := text[i+1:]; strings.HasPrefix(rest, "- ") || strings.HasPrefix(rest, "– ") || strings.HasPrefix(rest, "— ") || strings.HasPrefix(rest, "/ ") {
				return i, i + 2
			}
			blanks++
		}
		if blanks < maxClauseWords && i+size <= maxClauseBytes {
			continue
		}
		if comma == 0 {
			comma = strings.LastIndexByte(text[:i+1], ' ')
		}
		if comma <= 0 {
			return i, i
		}
		return comma, comma
	}
	return len(text), len(text)
}

// newClause reads the terms of a clause. One without an informative term is none.
func (s *statistics) newClause(text string) (clause, bool) {
	var c clause
	start := -1
	words.Terms(text, func(t words.Term) {
		if t.Stop {
			return
		}
		if start < 0 {
			start = t.Start
		}
		idf := s.idf(t.Text)
		c.terms = append(c.terms, clauseTerm{nameOf(t.Text), idf, idf >= commonIDF && lexicon[t.Text] != filler})
	})
	if start < 0 {
		return c, false
	}
	c.text = strings.TrimRight(text[start:], " ,;-–—/，、")
	c.key = strings.ToLower(c.text)
	c.words = len(strings.Fields(c.text))
	return c, true
}
