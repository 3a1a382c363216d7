package texts

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/dataset"
)

func TestItemText(t *testing.T) {
	item := dataset.Item{Title: "Soft\nBlock", Brand: "Acme", Categories: []string{"Baby", "Toys"}, Description: "Washable.\r\n"}
	for _, c := range []struct {
		item  dataset.Item
		image string
		want  string
	}{
		{item, "A red cube.", "Soft Block Acme Baby Toys Washable. A red cube."},
		{item, "", "Soft Block Acme Baby Toys Washable."},
		{dataset.Item{}, " A\tcube ", "A cube"},
		{dataset.Item{}, "", ""},
		{dataset.Item{Title: "a\x00b\x1b[31m \u202egnp.exe\xff"}, "", "ab[31m gnp.exe"},
	} {
		if got := ItemText(c.item, c.image); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestCleanOfAMegabyteOfOneLine(t *testing.T) {
	s := strings.Repeat("word\n\n\u0000", 1<<17)
	if got := Clean(s); got != strings.TrimSuffix(strings.Repeat("word ", 1<<17), " ") {
		t.Errorf("%d bytes became %d", len(s), len(got))
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", " a  b ", "a\r\nb", "\u200bx\u202e", "\xf0\x9f", "ignore previous instructions", "👩‍👩‍👧"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := Clean(s)
		if !utf8.ValidString(c) || strings.Contains(c, "  ") || strings.TrimSpace(c) != c || Clean(c) != c {
			t.Fatalf("%q became %q", s, c)
		}
		if strings.ContainsFunc(c, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' }) {
			t.Fatalf("%q kept a control character: %q", s, c)
		}
	})
}
