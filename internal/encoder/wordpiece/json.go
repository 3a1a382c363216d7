package wordpiece

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// jsonFile is the part of tokenizer.json that BERT's tokenizer has.
type jsonFile struct {
	Added        []jsonAdded            `json:"added_tokens"`
	Normalizer   *jsonNormalizer        `json:"normalizer"`
	PreTokenizer *struct{ Type string } `json:"pre_tokenizer"`
	Post         *jsonPost              `json:"post_processor"`
	Model        *jsonModel             `json:"model"`
}

type jsonAdded struct {
	ID         int32
	Content    string
	SingleWord bool `json:"single_word"`
	Normalized bool
}

type jsonNormalizer struct {
	Type         string
	CleanText    bool  `json:"clean_text"`
	Chinese      bool  `json:"handle_chinese_chars"`
	StripAccents *bool `json:"strip_accents"`
	LowerCase    bool  `json:"lowercase"`
}

type jsonModel struct {
	Type         string
	Unknown      *string `json:"unk_token"`
	Marker       *string `json:"continuing_subword_prefix"`
	MaxWordChars *int    `json:"max_input_chars_per_word"`
	Vocab        json.RawMessage
	Merges       json.RawMessage
}

// jsonPost is the step that adds the special tokens.
type jsonPost struct {
	Type    string
	Single  []jsonTemplatePart
	Special map[string]struct{ IDs []int32 } `json:"special_tokens"`
	Class   json.RawMessage                  `json:"cls"`
	Sep     json.RawMessage                  `json:"sep"`
}

type jsonTemplatePart struct {
	SpecialToken *struct {
		ID     string
		TypeID int `json:"type_id"`
	}
	Sequence *struct {
		ID     string
		TypeID int `json:"type_id"`
	}
}

func parseJSON(data []byte, cfg config) (*Tokenizer, error) {
	var f jsonFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, usererr.Wrap(err, "The file is incomplete or not a tokenizer.json. Pull the model again.")
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	vocab := map[string]int32{}
	if err := json.Unmarshal(f.Model.Vocab, &vocab); err != nil {
		return nil, usererr.Wrap(fmt.Errorf("the vocabulary: %w", err), "Pull the model again.")
	}
	n := f.Normalizer
	opt := cfg.apply(normalization{CleanText: n.CleanText, SpaceChinese: n.Chinese, LowerCase: n.LowerCase, MaxWordChars: 100}, n.StripAccents)
	if f.Model.MaxWordChars != nil {
		opt.MaxWordChars = max(*f.Model.MaxWordChars, 0)
	}
	marker, unknown := "##", "[UNK]"
	if f.Model.Marker != nil {
		marker = *f.Model.Marker
	}
	if f.Model.Unknown != nil {
		unknown = *f.Model.Unknown
	}
	t, err := build(vocab, marker, unknown, opt)
	if err != nil {
		return nil, err
	}
	if err := t.addTokens(f.Added); err != nil {
		return nil, err
	}
	return t, t.setSpecial(f.Post)
}

// check refuses a file with a part that BERT's tokenizer does not have.
func (f *jsonFile) check() error {
	m := f.Model
	if m == nil || len(m.Vocab) == 0 {
		return usererr.New("Pull the model again.", "tokenizer.json has no model with a vocabulary")
	}
	if m.Type == "" && bytes.HasPrefix(m.Vocab, []byte("{")) && len(m.Merges) == 0 {
		m.Type = "WordPiece" // files from before 2021 leave it out
	}
	if m.Type != "WordPiece" {
		return unsupported("model type %q", m.Type)
	}
	if f.Normalizer == nil {
		return unsupported("no normalizer")
	}
	if f.Normalizer.Type != "BertNormalizer" {
		return unsupported("normalizer %q", f.Normalizer.Type)
	}
	if f.PreTokenizer == nil {
		return unsupported("no pre_tokenizer")
	}
	if f.PreTokenizer.Type != "BertPreTokenizer" {
		return unsupported("pre_tokenizer %q", f.PreTokenizer.Type)
	}
	if f.Post == nil {
		return unsupported("no post_processor")
	}
	return nil
}

func (t *Tokenizer) addTokens(added []jsonAdded) error {
	for _, a := range added {
		if a.SingleWord {
			return unsupported("added token %q with single_word", a.Content)
		}
		if a.ID < 0 {
			return usererr.New("", "the added token %q has the negative id %d", a.Content, a.ID)
		}
		t.size = max(t.size, int(a.ID)+1)
		if a.Normalized {
			t.cleaned.add(t.normalize(a.Content), a.ID)
		} else {
			t.raw.add(a.Content, a.ID)
		}
	}
	return nil
}

// setSpecial reads what goes before and after a single text.
func (t *Tokenizer) setSpecial(p *jsonPost) error {
	switch p.Type {
	case "TemplateProcessing":
		return t.setTemplate(p)
	case "BertProcessing":
		cls, err := pairID(p.Class)
		if err != nil {
			return err
		}
		sep, err := pairID(p.Sep)
		if err != nil {
			return err
		}
		return t.setWrap([]int32{cls}, []int32{sep})
	}
	return unsupported("post_processor %q", p.Type)
}

func (t *Tokenizer) setTemplate(p *jsonPost) error {
	var before, after []int32
	seen := false
	for _, part := range p.Single {
		switch {
		case part.Sequence != nil:
			if seen || part.Sequence.TypeID != 0 {
				return unsupported("a template with a second sequence or another type id")
			}
			seen = true
		case part.SpecialToken != nil:
			special, ok := p.Special[part.SpecialToken.ID]
			if !ok || part.SpecialToken.TypeID != 0 {
				return unsupported("the template's special token %q", part.SpecialToken.ID)
			}
			if seen {
				after = append(after, special.IDs...)
			} else {
				before = append(before, special.IDs...)
			}
		}
	}
	if !seen {
		return unsupported("a template without the text")
	}
	return t.setWrap(before, after)
}

func (t *Tokenizer) setWrap(before, after []int32) error {
	for _, ids := range [][]int32{before, after} {
		for _, id := range ids {
			if id < 0 || int(id) >= t.size {
				return usererr.New("", "the special token id %d is outside the vocabulary of %d", id, t.size)
			}
		}
	}
	t.prefix, t.suffix = before, after
	return nil
}

// pairID reads ["[CLS]", 101].
func pairID(data json.RawMessage) (int32, error) {
	var pair [2]json.RawMessage
	var id int32
	if err := json.Unmarshal(data, &pair); err != nil {
		return 0, usererr.Wrap(fmt.Errorf("the post_processor's special token: %w", err), "")
	}
	if err := json.Unmarshal(pair[1], &id); err != nil {
		return 0, usererr.Wrap(fmt.Errorf("the post_processor's special token: %w", err), "")
	}
	return id, nil
}
