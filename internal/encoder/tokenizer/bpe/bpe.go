// Package bpe joins the characters of a word pair by pair, the pair that was merged first
// in training first (Sennrich et al. 2016, arXiv:1508.07909), as Hugging Face's library does.
package bpe

import (
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Options are the settings of a model beside its vocabulary and merges.
type Options struct {
	Unknown string // the token of characters that are not in the vocabulary; "": they are dropped
	Fuse    bool   // unknown characters side by side are one unknown token
	Bytes   bool   // they are written as the tokens <0x00> to <0xFF> of their bytes, if all are there
	Whole   bool   // a word that is in the vocabulary is taken as it is, without merges
}

// Model is a vocabulary with its merges. It is safe for concurrent use.
type Model struct {
	vocab   map[string]int32
	merges  map[[2]int32]merge
	unknown int32 // -1: none
	opt     Options

	scratches sync.Pool // of *scratch
}

type merge struct{ rank, id int32 }

// New indexes a vocabulary and the merges, the first to be done first.
func New(vocab map[string]int32, merges [][2]string, opt Options) (*Model, error) {
	m := &Model{vocab: vocab, merges: make(map[[2]int32]merge, len(merges)), unknown: -1, opt: opt}
	m.scratches.New = func() any { return new(scratch) }
	if opt.Unknown != "" {
		id, ok := vocab[opt.Unknown]
		if !ok {
			return nil, usererr.New("", "the vocabulary lacks the unknown token %q", opt.Unknown)
		}
		m.unknown = id
	}
	for rank, pair := range merges {
		left, hasLeft := vocab[pair[0]]
		right, hasRight := vocab[pair[1]]
		id, ok := vocab[pair[0]+pair[1]]
		if !hasLeft || !hasRight || !ok {
			return nil, usererr.New("The merges belong to another vocabulary. Pull the model again.", "merge %d of %q and %q is not in the vocabulary", rank, pair[0], pair[1])
		}
		m.merges[[2]int32{left, right}] = merge{int32(rank), id}
	}
	return m, nil
}

// Pieces appends the ids of a word.
func (m *Model) Pieces(ids []int32, word string) []int32 {
	if m.opt.Whole {
		if id, ok := m.vocab[word]; ok {
			return append(ids, id)
		}
	}
	mark := len(ids)
	ids = m.characters(ids, word)
	return ids[:mark+m.join(ids[mark:])]
}

// characters appends the ids of the characters of a word.
func (m *Model) characters(ids []int32, word string) []int32 {
	fused := false // the last id is an unknown one that others may join
	for len(word) > 0 {
		_, width := utf8.DecodeRuneInString(word)
		char := word[:width]
		word = word[width:]
		if id, ok := m.vocab[char]; ok {
			ids, fused = append(ids, id), false
			continue
		}
		if m.opt.Bytes {
			if all, ok := m.bytes(ids, char); ok {
				ids, fused = all, false
				continue
			}
		}
		if m.unknown >= 0 && !fused {
			ids = append(ids, m.unknown)
			fused = m.opt.Fuse
		}
	}
	return ids
}

func (m *Model) bytes(ids []int32, char string) ([]int32, bool) {
	for i := range len(char) {
		id, ok := m.vocab[fmt.Sprintf("<0x%02X>", char[i])]
		if !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}
