package bpe

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// slow merges the earliest pair furthest to the left, again and again.
func slow(merges [][2]string, word []string) []string {
	for {
		best, at := len(merges), -1
		for i := range len(word) - 1 {
			if rank := slices.Index(merges, [2]string{word[i], word[i+1]}); rank >= 0 && rank < best {
				best, at = rank, i
			}
		}
		if at < 0 {
			return word
		}
		word = slices.Replace(word, at, at+2, word[at]+word[at+1])
	}
}

func TestJoiningIsMergingOneByOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		vocab, names := map[string]int32{}, []string{}
		add := func(s string) {
			if _, ok := vocab[s]; !ok {
				vocab[s] = int32(len(names))
				names = append(names, s)
			}
		}
		for _, c := range "abc" {
			add(string(c))
		}
		var merges [][2]string
		for range 12 {
			pair := [2]string{names[rng.IntN(len(names))], names[rng.IntN(len(names))]}
			if len(pair[0]+pair[1]) < 7 && !slices.Contains(merges, pair) {
				merges = append(merges, pair)
				add(pair[0] + pair[1])
			}
		}
		m, err := New(vocab, merges, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var word []string
		for range rng.IntN(12) {
			word = append(word, string("abc"[rng.IntN(3)]))
		}
		var got []string
		for _, id := range m.Pieces([]int32{0}, strings.Join(word, ""))[1:] {
			got = append(got, names[id])
		}
		if want := slow(merges, slices.Clone(word)); !slices.Equal(got, want) {
			t.Fatalf("%v by %v: %v, want %v", word, merges, got, want)
		}
	}
}

func TestCharactersThatAreNotInTheVocabulary(t *testing.T) {
	vocab := map[string]int32{"?": 0, "a": 1, "aa": 2, "<0xC3>": 3, "<0xA9>": 4, "a?": 5}
	merges := [][2]string{{"a", "a"}}
	for _, x := range []struct {
		opt  Options
		word string
		want []int32
	}{
		{Options{}, "aéa", []int32{2}}, // dropped before the merges, as in the reference
		{Options{Unknown: "?"}, "éèa", []int32{0, 0, 1}},
		{Options{Unknown: "?", Fuse: true}, "éèaéaè", []int32{0, 1, 0, 1, 0}},
		{Options{Unknown: "?", Bytes: true}, "éèaa", []int32{3, 4, 0, 2}},
		{Options{Whole: true}, "a?", []int32{5}}, {Options{}, "a?", []int32{1, 0}}, {Options{}, "", nil},
	} {
		m, err := New(vocab, merges, x.opt)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Pieces(nil, x.word); !slices.Equal(got, x.want) {
			t.Errorf("%+v %q: %v, want %v", x.opt, x.word, got, x.want)
		}
	}
}

func TestImpossibleVocabularies(t *testing.T) {
	vocab := map[string]int32{"a": 0, "b": 1, "ab": 2}
	for name, x := range map[string]struct {
		merges [][2]string
		opt    Options
	}{
		"left": {[][2]string{{"c", "a"}}, Options{}}, "right": {[][2]string{{"a", "c"}}, Options{}},
		"both": {[][2]string{{"b", "a"}}, Options{}}, "unknown": {nil, Options{Unknown: "?"}},
	} {
		_, err := New(vocab, x.merges, x.opt)
		if _, ok := usererr.Hint(err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
