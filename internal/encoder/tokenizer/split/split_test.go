package split

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func words(by Step, s string) (list []string) {
	by.Split(s, func(word string) { list = append(list, word) })
	return list
}

func TestSplit(t *testing.T) {
	mark := Metaspace{Mark: "▁", Prepend: true, Words: true}
	for _, x := range []struct {
		by   Step
		in   string
		want []string
	}{
		{Steps{}, "", nil}, {Steps{}, "a b", []string{"a b"}},
		{Steps{WhiteSpace{}, mark}, " a\u3000b▁c ", []string{"▁a", "▁b", "▁c"}},
		{mark, "a  b", []string{"▁a", "▁", "▁b"}}, {mark, "▁a", []string{"▁a"}}, {mark, " a", []string{"▁a"}}, {mark, "", nil},
		{Metaspace{Mark: "▁"}, "a b", []string{"a▁b"}},
		{BERT{}, "it's, a-b。", []string{"it", "'", "s", ",", "a", "-", "b", "。"}},
		{ByteLevel{Words: true}, "it's  they'LL x1  \n", []string{"it", "'s", "Ġ", "Ġthey", "'", "LL", "Ġx", "1", "ĠĠĊ"}},
		{ByteLevel{Words: true}, " 's\u00a0\u00a0é", []string{"Ġ'", "s", "Âł", "Âł", "Ã©"}},
		{ByteLevel{Words: true, Prefix: true}, "a", []string{"Ġa"}}, {ByteLevel{Prefix: true}, " a b", []string{"ĠaĠb"}}, {ByteLevel{}, "", nil},
	} {
		if got := words(x.by, x.in); !slices.Equal(got, x.want) {
			t.Errorf("%#v of %q: %q, want %q", x.by, x.in, got, x.want)
		}
	}
}

// FuzzSplit checks that splitters lose nothing but what they say.
func FuzzSplit(f *testing.F) {
	f.Add("it's  a\u3000b ▁c\x00\xff 1٣é")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		if got, want := strings.Join(words(ByteLevel{Words: true}, s), ""), strings.Join(words(ByteLevel{}, s), ""); got != want {
			t.Fatalf("byte level: %q, want %q", got, want)
		}
		if got, want := strings.Join(words(Metaspace{Mark: "▁", Words: true}, s), ""), strings.ReplaceAll(s, " ", "▁"); got != want {
			t.Fatalf("metaspace: %q, want %q", got, want)
		}
		fields := strings.Join(strings.Fields(s), "")
		for _, by := range []Step{BERT{}, WhiteSpace{}} {
			if got := strings.Join(words(by, s), ""); got != fields {
				t.Fatalf("%T: %q, want %q", by, got, fields)
			}
		}
		for _, by := range []Step{BERT{}, WhiteSpace{}, ByteLevel{Words: true}, Metaspace{Mark: "▁", Words: true, Prepend: true}} {
			if slices.Contains(words(by, s), "") {
				t.Fatalf("%T of %q has an empty word", by, s)
			}
		}
	})
}
