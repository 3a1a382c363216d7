// Package split holds how tokenizers split a normalised text into words, each exactly as
// Hugging Face's library does it.
package split

import (
	"strings"
	"unicode"
)

// Step splits a text into words and calls word for each, in order. No word is empty.
type Step interface {
	Split(s string, word func(string))
}

// Steps splits the words of each step by the next one.
type Steps []Step

// Split implements Step.
func (all Steps) Split(s string, word func(string)) {
	switch len(all) {
	case 0:
		if s != "" {
			word(s)
		}
	case 1:
		all[0].Split(s, word)
	default:
		all[0].Split(s, func(part string) { all[1:].Split(part, word) })
	}
}

// WhiteSpace splits at white space, which it drops.
type WhiteSpace struct{}

// Split implements Step.
func (WhiteSpace) Split(s string, word func(string)) {
	start := 0
	for i, c := range s {
		if unicode.Is(unicode.White_Space, c) {
			if i > start {
				word(s[start:i])
			}
			start = i + len(string(c))
		}
	}
	if start < len(s) {
		word(s[start:])
	}
}

// Metaspace writes spaces as a visible mark, as SentencePiece does.
type Metaspace struct {
	Mark    string // "▁"
	Prepend bool   // put the mark before a text that does not begin with it
	Words   bool   // each mark begins a word
}

// Split implements Step.
func (m Metaspace) Split(s string, word func(string)) {
	if s == "" {
		return
	}
	if strings.Contains(s, " ") {
		s = strings.ReplaceAll(s, " ", m.Mark)
	}
	if m.Prepend && !strings.HasPrefix(s, m.Mark) {
		s = m.Mark + s
	}
	if !m.Words {
		word(s)
		return
	}
	for s != "" {
		end := len(s)
		if i := strings.Index(s[1:], m.Mark); i >= 0 {
			end = i + 1
		}
		word(s[:end])
		s = s[end:]
	}
}
