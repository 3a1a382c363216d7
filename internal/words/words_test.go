package words

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func texts(s string) []string {
	var out []string
	Terms(s, func(t Term) {
		if !t.Stop {
			out = append(out, t.Text)
		}
	})
	return out
}

func TestTerms(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"The Bébé-Bottle, 250ml (2-pack)", []string{"bébé", "bottle", "250ml", "2", "pack"}},
		{"#newDrama # Games don't it's kids' toys", []string{"newdrama", "games", "kids", "toys"}},
		{"婴儿奶瓶 x2", []string{"婴儿", "儿奶", "奶瓶", "x2"}},
		{"コーヒーcup 茶", []string{"コー", "ーヒ", "ヒー", "cup", "茶"}},
		{"아기 옷", []string{"아기", "옷"}},
		{"a\xff\xfeb\x00c naïve", []string{"naïve"}},
		{"STRASSE ÄÖÜ ΣΊΣΥΦΟΣ", []string{"strasse", "äöü", "σίσυφοσ"}},
		{"the of and", nil},
		{"", nil},
	} {
		if diff := cmp.Diff(c.want, texts(c.in)); diff != "" {
			t.Errorf("%q: %s", c.in, diff)
		}
	}
}

func TestPartsOfAStretchAreMarked(t *testing.T) {
	for text, want := range map[string]string{"婴儿奶瓶 x2": "婴儿* 儿奶* 奶瓶* x2", "아기 옷": "아기 옷", "漢字abc": "漢字 abc", "blue sky": "blue sky", "天天书": "天天* 天书*"} {
		var got []string
		Terms(text, func(term Term) {
			mark := ""
			if term.Part {
				mark = "*"
			}
			got = append(got, term.Text+mark)
		})
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", text, got, want)
		}
	}
}

func TestTermOffsetsPointAtTheSource(t *testing.T) {
	s := "Don’t buy BLUE Socks 蓝袜"
	Terms(s, func(term Term) {
		src := strings.ToLower(strings.ReplaceAll(s[term.Start:term.End], "’", ""))
		if src != term.Text {
			t.Errorf("%q at %d:%d, source %q", term.Text, term.Start, term.End, src)
		}
	})
}

func FuzzTerms(f *testing.F) {
	for _, s := range []string{"", "plain words", "\xf0\x28", "e\u0301", "漢字かなカナ", "''’’a'b", strings.Repeat("x", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		last := 0
		Terms(s, func(term Term) {
			if term.Text == "" || term.Start < 0 || term.End > len(s) || term.End <= term.Start || term.Start < last {
				t.Fatalf("bad term %+v in %q", term, s)
			}
			if len(term.Text) > 4*maxTermBytes || utf8.ValidString(s) && !utf8.ValidString(term.Text) {
				t.Fatalf("term %q", term.Text)
			}
			last = term.Start
		})
	})
}
