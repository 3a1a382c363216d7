// Package wordpiece matches words greedily against a vocabulary, longest piece first
// (Wu et al. 2016, arXiv:1609.08144, as in BERT, arXiv:1810.04805 §3).
package wordpiece

import (
	"strings"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Model is a vocabulary. It is safe for concurrent use.
type Model struct {
	first    map[string]int32 // pieces that can start a word, and whole words
	rest     map[string]int32 // pieces inside a word, without their marker
	longest  int              // bytes of the longest piece
	unknown  int32
	maxChars int
}

// New indexes a vocabulary. marker begins the pieces inside words, as "##"; unknown is the
// token of words that cannot be written in pieces; so are words of more than maxChars
// characters. No id may be negative.
func New(vocab map[string]int32, marker, unknown string, maxChars int) (*Model, error) {
	m := &Model{first: vocab, rest: map[string]int32{}, maxChars: maxChars}
	id, ok := vocab[unknown]
	if !ok {
		return nil, usererr.New("", "the vocabulary lacks the unknown token %q", unknown)
	}
	m.unknown = id
	for piece, id := range vocab {
		m.longest = max(m.longest, len(piece))
		if rest, ok := strings.CutPrefix(piece, marker); ok {
			m.rest[rest] = id
		}
	}
	return m, nil
}

// Pieces appends the pieces of one word: the longest known piece at each position, or
// the unknown token for the whole word when a position has none.
func (m *Model) Pieces(ids []int32, word string) []int32 {
	if len(word) > m.maxChars && utf8.RuneCountInString(word) > m.maxChars {
		return append(ids, m.unknown)
	}
	known, mark := m.first, len(ids)
	for start := 0; start < len(word); {
		end := min(len(word), start+m.longest)
		for end < len(word) && !utf8.RuneStart(word[end]) {
			end--
		}
		found := false
		for end > start {
			if id, ok := known[word[start:end]]; ok {
				ids, found = append(ids, id), true
				break
			}
			_, width := utf8.DecodeLastRuneInString(word[start:end])
			end -= width
		}
		if !found {
			return append(ids[:mark], m.unknown)
		}
		start, known = end, m.rest
	}
	return ids
}
