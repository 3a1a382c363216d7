package unigram

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// bestScore tries every way to cut a word.
func bestScore(pieces map[string]float64, word string) float64 {
	if word == "" {
		return 0
	}
	best := math.Inf(-1)
	for n := 1; n <= len(word); n++ {
		if s, ok := pieces[word[:n]]; ok {
			best = max(best, s+bestScore(pieces, word[n:]))
		}
	}
	return best
}

// TestPiecesAreTheLikeliest compares the score of the pieces with that of the best of all
// ways, and the pieces joined with the word.
func TestPiecesAreTheLikeliest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcd"[rng.IntN(4)]
		}
		return string(b)
	}
	for range 200 {
		list := []Piece{{"?", 0}, {"a", -3 * rng.Float64()}, {"b", -3 * rng.Float64()}, {"c", -3 * rng.Float64()}, {"d", -9 * rng.Float64()}}
		m, err := New(list, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		scores := map[string]float64{}
		for _, p := range list {
			scores[p.Text] = p.Score // of equal pieces the last
		}
		word := text(1 + rng.IntN(9))
		ids := m.Pieces([]int32{7}, word)
		if ids[0] != 7 {
			t.Fatal("the ids that were there are gone")
		}
		got, joined := 0.0, ""
		for _, id := range ids[1:] {
			got, joined = got+list[id].Score, joined+list[id].Text
		}
		if want := bestScore(scores, word); joined != word || math.Abs(got-want) > 1e-9 {
			t.Fatalf("%q by %v: ids %v with score %v, want %v", word, list, ids, got, want)
		}
	}
}

func TestPieces(t *testing.T) {
	m, err := New([]Piece{{"<unk>", 0}, {"a", -1}, {"ab", -1.5}, {"b", -0.5}, {"é", -2}, {"xy", -40}, {"a", -0.9}}, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string][]int32{
		"": nil, "a": {6}, "ab": {6, 3}, // equal pieces: the last; 1.4 beats 1.5
		"é": {4}, "zé": {0, 4}, "zzz": {0}, "zaz": {0, 6, 0}, "\U00010348é": {0, 4}, "<unk>": {0},
	} {
		if got := m.Pieces(nil, word); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", word, got, want)
		}
	}
}

// TestUnknownBytes writes unknown characters as the tokens of their bytes if all are there.
func TestUnknownBytes(t *testing.T) {
	list := []Piece{{"<unk>", 0}, {"a", -1}, {"<0xC3>", -2}, {"<0xA9>", -2}, {"<0x7A>", -2}}
	m, err := New(list, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string][]int32{"aé": {1, 2, 3}, "éza": {2, 3, 4, 1}, "aè": {1, 0}, "éè": {0}} {
		if got := m.Pieces(nil, word); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", word, got, want)
		}
	}
}

func TestImpossibleVocabularies(t *testing.T) {
	for name, x := range map[string]struct {
		list    []Piece
		unknown int
	}{
		"none": {nil, 0}, "unknown outside": {[]Piece{{"a", 0}}, 1}, "negative": {[]Piece{{"a", 0}}, -1},
		"not a number": {[]Piece{{"a", math.NaN()}}, 0}, "infinite": {[]Piece{{"a", math.Inf(-1)}}, 0},
	} {
		_, err := New(x.list, x.unknown, false)
		if _, ok := usererr.Hint(err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := New([]Piece{{"", 0}, {"", 0}}, 0, true)
	if err != nil || !slices.Equal(m.Pieces(nil, "xy"), []int32{0}) {
		t.Errorf("a vocabulary of the empty piece: %v", err)
	}
}
