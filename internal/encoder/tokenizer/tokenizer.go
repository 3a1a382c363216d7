// Package tokenizer turns text into token ids exactly as Hugging Face's library does, from
// the tokenizer.json of a model: a normaliser (package normal), a splitter into words
// (package split), and a vocabulary of pieces (packages wordpiece, unigram and bpe), with
// added tokens that are looked for first.
package tokenizer

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/normal"
	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/split"
)

// Model cuts words into pieces.
type Model interface {
	// Pieces appends the ids of the pieces of one word.
	Pieces(ids []int32, word string) []int32
}

// Tokenizer is safe for concurrent use.
type Tokenizer struct {
	normal   normal.Step
	split    split.Step
	model    Model
	prefix   []int32 // special tokens before the text, as [CLS]
	suffix   []int32 // and after it, as [SEP]
	raw      matcher // added tokens looked for in the text as written
	cleaned  matcher // added tokens looked for in the normalised text
	size     int
	unknown  int32 // -1: none
	median   int
	limit    int
	settings string

	wordChars int // of WordPiece: longer words are unknown
}

// Settings writes out the settings of the text normalisation that do not stand in
// tokenizer.json. The ids of encoders are made from it, so its form must not change.
func (t *Tokenizer) Settings() string { return t.settings }

// bertSettings is the form that Settings has for BERT's normaliser.
func bertSettings(n normal.BERT, maxWordChars int) string {
	return fmt.Sprintf("{CleanText:%t SpaceChinese:%t StripAccents:%t LowerCase:%t MaxWordChars:%d}",
		n.CleanText, n.SpaceChinese, n.StripAccents, n.LowerCase, maxWordChars)
}

// Size returns the number of rows an embedding table needs: the largest id plus one.
func (t *Tokenizer) Size() int { return t.size }

// Unknown returns the id of the unknown token, -1 if the tokenizer has none.
func (t *Tokenizer) Unknown() int32 { return t.unknown }

// MedianLength returns the median length of a token in characters.
func (t *Tokenizer) MedianLength() int { return t.median }

// Limit returns how many tokens tokenizer.json leaves of a text, 0 for all. Nothing is cut
// here; Sentence-Transformers sets another limit for transformers.
func (t *Tokenizer) Limit() int { return t.limit }

// Special returns the ids put before and after each text.
func (t *Tokenizer) Special() (before, after []int32) {
	return slices.Clone(t.prefix), slices.Clone(t.suffix)
}

// Wrap returns ids between the special tokens, cut to at most limit ids in all
// (limit <= 0: no limit). It reports whether it cut.
func (t *Tokenizer) Wrap(ids []int32, limit int) (wrapped []int32, cut bool) {
	room := len(ids)
	if limit > 0 {
		room = max(limit-len(t.prefix)-len(t.suffix), 0)
	}
	if len(ids) > room {
		ids, cut = ids[:room], true
	}
	wrapped = make([]int32, 0, len(ids)+len(t.prefix)+len(t.suffix))
	wrapped = append(wrapped, t.prefix...)
	wrapped = append(wrapped, ids...)
	return append(wrapped, t.suffix...), cut
}

// Encode returns the ids of a text with its special tokens, cut to limit.
func (t *Tokenizer) Encode(text string, limit int) []int32 {
	ids, _ := t.Wrap(t.Tokens(text), limit)
	return ids
}

// Tokens returns the ids of a text without special tokens and without a limit. Added
// tokens such as [SEP] written out in the text become their own ids, as in the reference.
// A byte that is not UTF-8 counts as U+FFFD.
func (t *Tokenizer) Tokens(text string) []int32 {
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	ids := make([]int32, 0, len(text)/4+8)
	t.raw.split(text, func(part string, id int32) {
		if id >= 0 {
			ids = append(ids, id)
			return
		}
		t.cleaned.split(t.normal.Apply(part), func(part string, id int32) {
			if id >= 0 {
				ids = append(ids, id)
				return
			}
			t.split.Split(part, func(word string) { ids = t.model.Pieces(ids, word) })
		})
	})
	return ids
}

// WithLowerCase returns a tokenizer that also lower-cases, accents kept: what
// Sentence-Transformers' own do_lower_case adds to a cased tokenizer.
func (t *Tokenizer) WithLowerCase() *Tokenizer {
	c := *t
	if n, ok := t.normal.(normal.BERT); ok {
		n.LowerCase = true
		c.normal, c.settings = n, bertSettings(n, t.wordChars)
		return &c
	}
	c.normal = normal.Steps{normal.LowerCase{}, t.normal}
	c.settings = t.settings + " lower"
	return &c
}
