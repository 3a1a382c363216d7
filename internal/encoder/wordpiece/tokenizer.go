// Package wordpiece turns text into token ids exactly as Hugging Face's BertTokenizerFast
// does, for the sentence encoder of package bert. It cleans the text, puts spaces around
// Chinese characters, strips accents, lower-cases, splits at white space and punctuation,
// and matches each word greedily against the vocabulary, longest piece first (WordPiece;
// Wu et al. 2016, arXiv:1609.08144, as in BERT, arXiv:1810.04805 §3).
package wordpiece

import (
	"fmt"
	"unicode/utf8"
)

// Tokenizer is a WordPiece vocabulary with its text normalisation. It is safe for
// concurrent use.
type Tokenizer struct {
	opt     normalization
	first   map[string]int32 // pieces that can start a word, and whole words
	rest    map[string]int32 // pieces inside a word, without their "##"
	longest int              // bytes of the longest piece
	unk     int32
	prefix  []int32 // special tokens before the text: [CLS]
	suffix  []int32 // and after it: [SEP]
	raw     matcher // added tokens looked for in the text as written
	cleaned matcher // added tokens looked for in the normalised text
	size    int
}

// normalization holds the settings of the text normalisation.
type normalization struct {
	CleanText    bool // drop control characters, make every white space a space
	SpaceChinese bool // put spaces around CJK ideographs
	StripAccents bool // decompose (NFD) and drop non-spacing marks
	LowerCase    bool
	MaxWordChars int // longer words become the unknown token; BERT has 100
}

// Settings writes out the settings of the text normalisation. The ids of encoders are made
// from it, so its form must not change: the names and the order of the fields are part of it.
func (t *Tokenizer) Settings() string { return fmt.Sprintf("%+v", t.opt) }

// Size returns the number of rows an embedding table needs: the largest id plus one.
func (t *Tokenizer) Size() int { return t.size }

// Special returns the ids put before and after each text.
func (t *Tokenizer) Special() (before, after []int32) {
	return append([]int32(nil), t.prefix...), append([]int32(nil), t.suffix...)
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
func (t *Tokenizer) Tokens(text string) []int32 {
	ids := make([]int32, 0, len(text)/4+8)
	t.raw.split(text, func(part string, id int32) {
		if id >= 0 {
			ids = append(ids, id)
			return
		}
		normal := t.normalize(part)
		t.cleaned.split(normal, func(part string, id int32) {
			if id >= 0 {
				ids = append(ids, id)
				return
			}
			ids = t.words(ids, part)
		})
	})
	return ids
}

// words splits normalised text at white space and punctuation and appends the pieces.
func (t *Tokenizer) words(ids []int32, s string) []int32 {
	start := 0
	flush := func(end int) {
		if end > start {
			ids = t.pieces(ids, s[start:end])
		}
	}
	for i := 0; i < len(s); {
		kind, width := classify(s[i:])
		switch kind {
		case space:
			flush(i)
			start = i + width
		case punct:
			flush(i)
			ids = t.pieces(ids, s[i:i+width])
			start = i + width
		}
		i += width
	}
	flush(len(s))
	return ids
}

// pieces appends the pieces of one word: the longest known piece at each position, or
// the unknown token for the whole word when a position has none.
func (t *Tokenizer) pieces(ids []int32, word string) []int32 {
	if len(word) > t.opt.MaxWordChars && utf8.RuneCountInString(word) > t.opt.MaxWordChars {
		return append(ids, t.unk)
	}
	known, mark := t.first, len(ids)
	for start := 0; start < len(word); {
		end := min(len(word), start+t.longest)
		for end < len(word) && !utf8.RuneStart(word[end]) {
			end--
		}
		found := false
		for end > start {
			if id, ok := known[word[start:end]]; ok {
				ids, found = append(ids, id), true
				break
			}
			_, width := utf8.DecodeLastRuneInString(word[start:end])
			end -= width
		}
		if !found {
			return append(ids[:mark], t.unk)
		}
		start, known = end, t.rest
	}
	return ids
}

// WithLowerCase returns a tokenizer that also lower-cases, accents kept: what
// Sentence-Transformers' own do_lower_case adds to a cased tokenizer.
func (t *Tokenizer) WithLowerCase() *Tokenizer {
	c := *t
	c.opt.LowerCase = true
	return &c
}
