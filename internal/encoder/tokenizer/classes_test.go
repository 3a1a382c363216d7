package tokenizer

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/normal"
	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/split"
)

func words(by split.Step, s string) (list []string) {
	by.Split(s, func(word string) { list = append(list, word) })
	return list
}

// TestEveryCodePoint compares cleaning, spacing, stripping, lower-casing and splitting of
// each of the 1,112,064 characters with the reference, by a digest a block of 4,096.
func TestEveryCodePoint(t *testing.T) {
	data, err := os.ReadFile("testdata/classes.txt")
	if err != nil {
		t.Fatal(err)
	}
	step := func(o normal.BERT) func(rune) string {
		return func(c rune) string { return o.Apply(string(c)) }
	}
	clean, cjk := step(normal.BERT{CleanText: true}), step(normal.BERT{SpaceChinese: true})
	strip, lower := step(normal.BERT{StripAccents: true}), step(normal.BERT{LowerCase: true})
	for line := range strings.Lines(string(data)) {
		var start rune
		var want string
		if _, err := fmt.Sscanf(line, "%x %s", &start, &want); err != nil {
			t.Fatal(err)
		}
		if testing.Short() && start%0x4000 != 0 {
			continue
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
				strings.Join(words(split.BERT{}, "a"+string(c)+"b"), " "))
		}
		if got := fmt.Sprintf("%x", digest.Sum(nil))[:16]; got != want {
			t.Errorf("block %06x: treated otherwise than the reference does", start)
		}
	}
}
