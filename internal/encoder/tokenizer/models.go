package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/bpe"
	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/unigram"
	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/wordpiece"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// jsonModel is the vocabulary, with the fields of all kinds.
type jsonModel struct {
	Type      string
	Vocab     json.RawMessage
	Unknown   *string         `json:"unk_token"`                 // WordPiece, BPE
	Marker    *string         `json:"continuing_subword_prefix"` // WordPiece, BPE
	WordChars *int            `json:"max_input_chars_per_word"`  // WordPiece
	Merges    json.RawMessage // BPE
	Suffix    *string         `json:"end_of_word_suffix"`
	Dropout   *float64        `json:"dropout"`
	Fuse      bool            `json:"fuse_unk"`
	Whole     bool            `json:"ignore_merges"`
	Bytes     bool            `json:"byte_fallback"` // BPE, Unigram
	UnknownID *int            `json:"unk_id"`        // Unigram
}

// kind is the type of the model. Files from before 2021 leave it out.
func (m *jsonModel) kind() string {
	switch {
	case m.Type != "":
		return m.Type
	case bytes.HasPrefix(m.Vocab, []byte("[")):
		return "Unigram"
	case len(m.Merges) > 0:
		return "BPE"
	}
	return "WordPiece"
}

func (m *jsonModel) parse() (*Tokenizer, error) {
	switch m.kind() {
	case "WordPiece":
		return m.wordPiece()
	case "Unigram":
		return m.unigram()
	case "BPE":
		return m.bpe()
	}
	return nil, unsupported("model type %q", m.Type)
}

func or(s *string, def string) string {
	if s == nil {
		return def
	}
	return *s
}

// vocabulary reads the ids by piece.
func (m *jsonModel) vocabulary() (map[string]int32, error) {
	vocab := map[string]int32{}
	if err := json.Unmarshal(m.Vocab, &vocab); err != nil {
		return nil, usererr.Wrap(fmt.Errorf("the vocabulary: %w", err), "Pull the model again.")
	}
	for piece, id := range vocab {
		if id < 0 {
			return nil, usererr.New("", "the vocabulary gives %q the negative id %d", piece, id)
		}
	}
	return vocab, nil
}

// newTokenizer knows the size of a vocabulary.
func newTokenizer(vocab map[string]int32) *Tokenizer {
	t := &Tokenizer{unknown: -1}
	for _, id := range vocab {
		t.size = max(t.size, int(id)+1)
	}
	t.setMedian(len(vocab), maps.Keys(vocab))
	return t
}

func (t *Tokenizer) setMedian(n int, pieces iter.Seq[string]) {
	lengths := make([]int, 0, n)
	for p := range pieces {
		lengths = append(lengths, utf8.RuneCountInString(p))
	}
	slices.Sort(lengths)
	if n = len(lengths); n > 0 {
		t.median = (lengths[(n-1)/2] + lengths[n/2]) / 2
	}
}

func (m *jsonModel) wordPiece() (*Tokenizer, error) {
	vocab, err := m.vocabulary()
	if err != nil {
		return nil, err
	}
	chars := bertWordChars
	if m.WordChars != nil {
		chars = max(*m.WordChars, 0)
	}
	t := newTokenizer(vocab)
	return t, t.setWordPiece(vocab, or(m.Marker, "##"), or(m.Unknown, "[UNK]"), chars)
}

func (t *Tokenizer) setWordPiece(vocab map[string]int32, marker, unknown string, chars int) error {
	model, err := wordpiece.New(vocab, marker, unknown, chars)
	if err != nil {
		return err
	}
	t.model, t.unknown, t.wordChars = model, vocab[unknown], chars
	return nil
}

// pieces reads [["▁the", -3.2], …].
func (m *jsonModel) pieces() ([]unigram.Piece, error) {
	var rows [][]any // in place of a type of their own: some have a quarter of a million
	if err := json.Unmarshal(m.Vocab, &rows); err != nil {
		return nil, usererr.Wrap(fmt.Errorf("the vocabulary: %w", err), "Pull the model again.")
	}
	list := make([]unigram.Piece, len(rows))
	for i, row := range rows {
		var text, score bool
		if len(row) == 2 {
			list[i].Text, text = row[0].(string)
			list[i].Score, score = row[1].(float64)
		}
		if !text || !score {
			return nil, usererr.New("Pull the model again.", "the vocabulary: piece %d is not a string and a number", i)
		}
	}
	return list, nil
}

func (m *jsonModel) unigram() (*Tokenizer, error) {
	if m.UnknownID == nil {
		return nil, unsupported("a Unigram model without an unknown token (unk_id)")
	}
	list, err := m.pieces()
	if err != nil {
		return nil, err
	}
	model, err := unigram.New(list, *m.UnknownID, m.Bytes)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{unknown: int32(*m.UnknownID), model: model, size: len(list)}
	t.setMedian(len(list), func(yield func(string) bool) {
		for _, p := range list {
			if !yield(p.Text) {
				return
			}
		}
	})
	return t, nil
}

func (m *jsonModel) bpe() (*Tokenizer, error) {
	switch {
	case or(m.Marker, "") != "":
		return nil, unsupported("BPE with the continuing_subword_prefix %q", *m.Marker)
	case or(m.Suffix, "") != "":
		return nil, unsupported("BPE with the end_of_word_suffix %q", *m.Suffix)
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, unsupported("BPE with dropout")
	}
	vocab, err := m.vocabulary()
	if err != nil {
		return nil, err
	}
	merges, err := m.mergeList()
	if err != nil {
		return nil, err
	}
	unknown := or(m.Unknown, "")
	model, err := bpe.New(vocab, merges, bpe.Options{Unknown: unknown, Fuse: m.Fuse, Bytes: m.Bytes, Whole: m.Whole})
	if err != nil {
		return nil, err
	}
	t := newTokenizer(vocab)
	t.model = model
	if unknown != "" {
		t.unknown = vocab[unknown]
	}
	return t, nil
}

// mergeList reads ["a b", …] or [["a", "b"], …].
func (m *jsonModel) mergeList() ([][2]string, error) {
	var pairs [][2]string
	if err := json.Unmarshal(m.Merges, &pairs); err == nil {
		return pairs, nil
	}
	pairs = nil // what was read before the error
	var lines []string
	if err := json.Unmarshal(m.Merges, &lines); err != nil {
		return nil, usererr.Wrap(fmt.Errorf("the merges: %w", err), "Pull the model again.")
	}
	for i, line := range lines {
		a, b, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(b, " ") {
			return nil, usererr.New("Pull the model again.", "merge %d is %q, not two pieces", i, line)
		}
		pairs = append(pairs, [2]string{a, b})
	}
	return pairs, nil
}
