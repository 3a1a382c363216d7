package split

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ByteLevel splits as GPT-2 and RoBERTa do: runs of letters, of numbers, of other
// characters, each with the space before it, and English contractions. It writes each byte
// of a word as a visible character of its own, see [Byte].
type ByteLevel struct {
	Prefix bool // put a space before a text that does not begin with one
	Words  bool // split; otherwise only bytes are rewritten
}

// Split implements Step.
func (b ByteLevel) Split(s string, word func(string)) {
	if s == "" {
		return
	}
	if b.Prefix && s[0] != ' ' {
		s = " " + s
	}
	if !b.Words {
		word(spell(s))
		return
	}
	for s != "" {
		n := nextWord(s)
		word(spell(s[:n]))
		s = s[n:]
	}
}

// Byte is the character that stands for a byte: itself where that is visible.
func Byte(b byte) rune { return byteRunes[b] }

// byteRunes gives bytes that are no visible Latin-1 characters those from U+0100 on.
var byteRunes = func() (t [256]rune) {
	next := rune(256)
	for b := range t {
		if visible := '!' <= b && b <= '~' || 0xa1 <= b && b <= 0xac || 0xae <= b; visible {
			t[b] = rune(b)
		} else {
			t[b], next = next, next+1
		}
	}
	return t
}()

func spell(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	for i := range len(s) {
		b.WriteRune(byteRunes[s[i]])
	}
	return b.String()
}

type kind uint8

const (
	other kind = iota
	alpha
	digit
	blank
)

func kindOf(s string) (kind, int) {
	if c := s[0]; c < utf8.RuneSelf {
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			return alpha, 1
		case '0' <= c && c <= '9':
			return digit, 1
		case c == ' ' || '\t' <= c && c <= '\r':
			return blank, 1
		}
		return other, 1
	}
	c, width := utf8.DecodeRuneInString(s)
	switch {
	case unicode.Is(letters, c):
		return alpha, width
	case unicode.Is(numbers, c):
		return digit, width
	case unicode.Is(unicode.White_Space, c):
		return blank, width
	}
	return other, width
}

var contractions = []string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}

// nextWord returns the length of the word at the beginning of s, by the rule of GPT-2:
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func nextWord(s string) int {
	if s[0] == '\'' {
		for _, c := range contractions {
			if strings.HasPrefix(s, c) {
				return len(c)
			}
		}
	}
	at := 0
	if s[0] == ' ' && len(s) > 1 {
		at = 1
	}
	first, width := kindOf(s[at:])
	if first != blank {
		for at += width; at < len(s); at += width {
			var k kind
			if k, width = kindOf(s[at:]); k != first {
				break
			}
		}
		return at
	}
	// White space: all of it at the end of the text, else all but its last character, which
	// goes to the word behind it if it is a space.
	last := 0
	for at = 0; at < len(s); at += width {
		var k kind
		if k, width = kindOf(s[at:]); k != blank {
			if last > 0 {
				return last
			}
			return at
		}
		last = at
	}
	return at
}
