package wordpiece

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
)

// words returns the words the splitter sees in s.
func words(t *testing.T, s string) []string {
	t.Helper()
	var list []string
	start := 0
	for i := 0; i < len(s); {
		kind, width := classify(s[i:])
		if kind != letter {
			if i > start {
				list = append(list, s[start:i])
			}
			if kind == punct {
				list = append(list, s[i:i+width])
			}
			start = i + width
		}
		i += width
	}
	if start < len(s) {
		list = append(list, s[start:])
	}
	return list
}

// TestEveryCodePoint compares cleaning, spacing, stripping, lower-casing and splitting of
// each of the 1,112,064 characters with the reference, by a digest a block of 4,096.
func TestEveryCodePoint(t *testing.T) {
	data, err := os.ReadFile("testdata/classes.txt")
	if err != nil {
		t.Fatal(err)
	}
	step := func(o normalization) func(rune) string {
		tok := Tokenizer{opt: o}
		return func(c rune) string { return tok.normalize(string(c)) }
	}
	clean, cjk := step(normalization{CleanText: true}), step(normalization{SpaceChinese: true})
	strip, lower := step(normalization{StripAccents: true}), step(normalization{LowerCase: true})
	for line := range strings.Lines(string(data)) {
		var start rune
		var want string
		if _, err := fmt.Sscanf(line, "%x %s", &start, &want); err != nil {
			t.Fatal(err)
		}
		digest := sha256.New()
		for c := start; c < start+0x1000; c++ {
			if 0xd800 <= c && c < 0xe000 {
				continue
			}
			spaced := 0
			if cjk(c) != string(c) {
				spaced = 1
			}
			fmt.Fprintf(digest, "%x|%s|%d|%s|%s|%s\n", c, clean(c), spaced, strip(c), lower(c),
				strings.Join(words(t, "a"+string(c)+"b"), " "))
		}
		if got := fmt.Sprintf("%x", digest.Sum(nil))[:16]; got != want {
			t.Errorf("block %06x: treated otherwise than the reference does", start)
		}
	}
}
