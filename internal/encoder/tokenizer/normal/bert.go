// Package normal holds what tokenizers do to a text before they split it, each step exactly
// as Hugging Face's library does it, whatever Unicode version that step has there.
package normal

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Step changes a text.
type Step interface{ Apply(s string) string }

// BERT is the normalisation of BERT, in this order.
type BERT struct {
	CleanText    bool // drop control characters, make every white space a space
	SpaceChinese bool // put spaces around CJK ideographs
	StripAccents bool // decompose (NFD) and drop non-spacing marks
	LowerCase    bool
}

// Apply implements Step.
func (n BERT) Apply(s string) string {
	if ascii(s) {
		return n.applyASCII(s)
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for _, c := range s {
		if n.CleanText {
			if unicode.Is(controls, c) {
				continue
			}
			if unicode.Is(unicode.White_Space, c) {
				c = ' '
			}
		}
		if n.SpaceChinese && unicode.Is(chinese, c) {
			b.WriteByte(' ')
			b.WriteRune(c)
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(c)
	}
	s = b.String()
	if n.StripAccents {
		s = stripAccents(s)
	}
	if n.LowerCase {
		s = lower(s)
	}
	return s
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (n BERT) applyASCII(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		if n.CleanText {
			switch {
			case c == '\t' || c == '\n' || c == '\r':
				c = ' '
			case c < ' ' || c == 0x7f:
				continue
			}
		}
		if n.LowerCase && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return string(out)
}

// stripAccents decomposes s canonically and drops non-spacing marks.
func stripAccents(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	keep := func(part string) {
		for _, c := range norm.NFD.String(part) {
			if !unicode.Is(accents, c) {
				b.WriteRune(c)
			}
		}
	}
	start := 0
	for i, c := range s {
		if lateDecomposition(c) {
			keep(s[start:i])
			b.WriteRune(c)
			start = i + utf8.RuneLen(c)
		}
	}
	keep(s[start:])
	return b.String()
}

// lateDecomposition lists the characters that got a canonical decomposition after the
// Unicode version of the reference (13.0 and 16.0 added them): it leaves them whole.
func lateDecomposition(c rune) bool {
	switch {
	case c < 0x105c9:
		return false
	case c == 0x105c9, c == 0x105e4, c == 0x11383, c == 0x11385, c == 0x1138e, c == 0x11391,
		c == 0x113c5, c == 0x113c7, c == 0x113c8, c == 0x11938:
		return true
	}
	return 0x16121 <= c && c <= 0x16128 || 0x16d68 <= c && c <= 0x16d6a
}

// lower maps each character to its full lower case, without context: a final sigma
// stays σ, as in the reference.
func lower(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, c := range s {
		if c == 'İ' {
			b.WriteString("i̇")
			continue
		}
		b.WriteRune(lowerRune(c))
	}
	return b.String()
}

// lowerRune is unicode.ToLower with the case pairs that Unicode 16 and 17 added, so
// that the ids do not depend on the Go release.
func lowerRune(c rune) rune {
	switch {
	case c < 0x1c89:
	case c == 0x1c89, c == 0xa7cc, c == 0xa7ce, c == 0xa7d2, c == 0xa7d4, c == 0xa7da:
		return c + 1
	case c == 0xa7cb:
		return 0x264
	case c == 0xa7dc:
		return 0x19b
	case 0x10d50 <= c && c <= 0x10d65:
		return c + 0x20
	case 0x16ea0 <= c && c <= 0x16eb8:
		return c + 0x1b
	}
	return unicode.ToLower(c)
}
