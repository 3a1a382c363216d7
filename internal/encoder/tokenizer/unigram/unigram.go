// Package unigram cuts words into the pieces whose probabilities have the largest product
// (Kudo 2018, arXiv:1804.10959), as SentencePiece and Hugging Face's library do: the same
// sums in float64, the same choice among equals.
package unigram

import (
	"fmt"
	"math"
	"sync"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Piece is a piece and the logarithm of its probability.
type Piece struct {
	Text  string
	Score float64
}

// unknownPenalty is how much less likely than the least likely piece an unknown character is.
const unknownPenalty = 10

// Model is a vocabulary, whose ids are the places of the pieces. It is safe for
// concurrent use.
type Model struct {
	pieces       *trie
	ids          map[string]int32
	scores       []float64
	unknown      int32
	unknownScore float64
	bytes        *[256]int32 // the tokens of bytes, where unknown characters are written so

	paths sync.Pool // of *[]step
}

// New indexes pieces. unknown is the id of the token for characters that no piece has;
// with bytes they are written as the tokens <0x00> to <0xFF> of their bytes, if all are there.
func New(pieces []Piece, unknown int, bytes bool) (*Model, error) {
	if unknown < 0 || unknown >= len(pieces) {
		return nil, usererr.New("Pull the model again.", "the unknown token is number %d of %d pieces", unknown, len(pieces))
	}
	m := &Model{ids: make(map[string]int32, len(pieces)), scores: make([]float64, len(pieces)), unknown: int32(unknown)}
	m.paths.New = func() any { return new([]step) }
	least := math.Inf(1)
	for id, p := range pieces {
		if math.IsNaN(p.Score) || math.IsInf(p.Score, 0) {
			return nil, usererr.New("Pull the model again.", "piece %q has the score %v", p.Text, p.Score)
		}
		m.ids[p.Text], m.scores[id] = int32(id), p.Score // the last of equal pieces counts
		least = min(least, p.Score)
	}
	m.unknownScore = least - unknownPenalty
	m.pieces = newTrie(m.ids)
	if bytes {
		m.bytes = new([256]int32)
		for b := range m.bytes {
			id, ok := m.ids[fmt.Sprintf("<0x%02X>", b)]
			if !ok {
				id = -1
			}
			m.bytes[b] = id
		}
	}
	return m, nil
}

// step is the best way to an end of a piece: the piece that ends there and where it begins.
type step struct {
	score float64
	start int32 // -1: no way is known
	id    int32
}

// Pieces appends the ids of the likeliest pieces of a word.
func (m *Model) Pieces(ids []int32, word string) []int32 {
	if word == "" {
		return ids
	}
	if id, ok := m.ids[word]; ok && len(word) <= 4 && utf8.RuneCountInString(word) == 1 {
		return append(ids, id)
	}
	buf := m.paths.Get().(*[]step)
	defer m.paths.Put(buf)
	if cap(*buf) <= len(word) {
		*buf = make([]step, len(word)+1)
	}
	best := (*buf)[:len(word)+1]
	m.search(best, word)
	return m.read(ids, best, word)
}

// search fills in the best way to each character's end.
func (m *Model) search(best []step, word string) {
	for i := range best {
		best[i].start = -1
	}
	best[0] = step{}
	reach := func(end, start int, score float64, id int32) {
		if s := &best[end]; s.start < 0 || score > s.score {
			*s = step{score, int32(start), id}
		}
	}
	for at := 0; at < len(word); {
		_, width := utf8.DecodeRuneInString(word[at:])
		here, single := best[at].score, false
		for node, i := m.pieces.root(word[at]), at+1; node >= 0; i++ {
			if id := m.pieces.id(node); id >= 0 {
				reach(i, at, m.scores[id]+here, id)
				single = single || i-at == width
			}
			if i == len(word) {
				break
			}
			node = m.pieces.child(node, word[i])
		}
		if !single {
			reach(at+width, at, m.unknownScore+here, m.unknown)
		}
		at += width
	}
}

// read follows the ways back from the end. Unknown characters side by side are one unknown
// token.
func (m *Model) read(ids []int32, best []step, word string) []int32 {
	first := len(ids)
	for end := len(word); end > 0; {
		s := best[end]
		start := int(s.start)
		if s.id != m.unknown {
			ids = append(ids, s.id)
			end = start
			continue
		}
		for start > 0 && best[start].id == m.unknown {
			start = int(best[start].start)
		}
		ids = m.appendUnknown(ids, word[start:end])
		end = start
	}
	for i, j := first, len(ids)-1; i < j; i, j = i+1, j-1 {
		ids[i], ids[j] = ids[j], ids[i]
	}
	return ids
}

// appendUnknown appends the tokens of a stretch of unknown characters, from the last to the
// first.
func (m *Model) appendUnknown(ids []int32, s string) []int32 {
	if id, ok := m.ids[s]; ok { // in the vocabulary after all, and less likely than unknown
		return append(ids, id)
	}
	if m.bytes != nil {
		mark := len(ids)
		for i := len(s) - 1; i >= 0 && m.bytes[s[i]] >= 0; i-- {
			ids = append(ids, m.bytes[s[i]])
		}
		if len(ids)-mark == len(s) {
			return ids
		}
		ids = ids[:mark]
	}
	return append(ids, m.unknown)
}
