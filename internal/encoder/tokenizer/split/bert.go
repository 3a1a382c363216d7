package split

import (
	"unicode"
	"unicode/utf8"
)

// BERT splits at white space, which it drops, and makes each punctuation character a word.
type BERT struct{}

// Split implements Step.
func (BERT) Split(s string, word func(string)) {
	start := 0
	for i := 0; i < len(s); {
		kind, width := classify(s[i:])
		if kind != letter {
			if i > start {
				word(s[start:i])
			}
			if kind == punct {
				word(s[i : i+width])
			}
			start = i + width
		}
		i += width
	}
	if start < len(s) {
		word(s[start:])
	}
}

type class uint8

const (
	letter class = iota
	space
	punct
)

// classify returns the class of the first character of s for the word splitter.
func classify(s string) (class, int) {
	if c := s[0]; c < utf8.RuneSelf {
		return asciiClass[c], 1
	}
	c, width := utf8.DecodeRuneInString(s)
	switch {
	case unicode.Is(unicode.White_Space, c):
		return space, width
	case unicode.Is(punctuation, c):
		return punct, width
	}
	return letter, width
}

var asciiClass = func() (t [utf8.RuneSelf]class) {
	for c := range t {
		switch {
		case unicode.Is(unicode.White_Space, rune(c)):
			t[c] = space
		case unicode.Is(punctuation, rune(c)):
			t[c] = punct
		}
	}
	return t
}()
