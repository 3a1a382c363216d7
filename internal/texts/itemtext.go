package texts

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/dataset"
)

// ItemText makes the text of an item (Eq. 2): the metadata (title, brand, first category
// path, description), a space (which the published code leaves out), and the description
// of the picture. The result is one line without control characters.
func ItemText(item dataset.Item, imageText string) string {
	return Clean(item.Text() + " " + imageText)
}

// Clean makes s one line of printable text: runs of white space become one blank;
// control and formatting characters (among them those that reorder or hide text) and
// bytes that are not UTF-8 are dropped.
func Clean(s string) string {
	if isClean(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	blank := false
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case unicode.IsSpace(r):
			blank = b.Len() > 0
		case r == utf8.RuneError && size <= 1, hidden(r):
		default:
			if blank {
				b.WriteByte(' ')
				blank = false
			}
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// hidden reports whether r is invisible and may be dropped. The two joiners are kept:
// some scripts and emoji need them.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d'
}

func isClean(s string) bool {
	prev := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= 0x7f || c == ' ' && prev == ' ' {
			return false
		}
		prev = c
	}
	return prev != ' ' || s == ""
}
