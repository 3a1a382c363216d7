package tokenizer

import (
	"encoding/json"
	"fmt"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// jsonFile is the part of tokenizer.json that ids depend on.
type jsonFile struct {
	Added        []jsonAdded     `json:"added_tokens"`
	Truncation   *jsonTruncation `json:"truncation"`
	Normalizer   json.RawMessage `json:"normalizer"`
	PreTokenizer json.RawMessage `json:"pre_tokenizer"`
	Post         *jsonPost       `json:"post_processor"`
	Model        *jsonModel      `json:"model"`
}

type jsonAdded struct {
	ID         int32
	Content    string
	SingleWord bool `json:"single_word"`
	LStrip     bool
	RStrip     bool
	Normalized bool
}

type jsonTruncation struct {
	MaxLength int    `json:"max_length"`
	Direction string `json:"direction"`
}

// jsonPost is the step that adds the special tokens.
type jsonPost struct {
	Type    string
	Steps   []*jsonPost `json:"processors"` // of a Sequence
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

// parseJSON reads the tokenizer of a transformer.
func parseJSON(data []byte, cfg config) (*Tokenizer, error) {
	t, f, err := parseBody(data, cfg)
	if err != nil {
		return nil, err
	}
	if f.Post == nil {
		return nil, unsupported("no post_processor")
	}
	return t, t.setSpecial(f.Post)
}

// parsePlain reads a tokenizer without its special tokens.
func parsePlain(data []byte) (*Tokenizer, error) {
	t, f, err := parseBody(data, config{})
	if err != nil {
		return nil, err
	}
	if c := f.Truncation; c != nil {
		if c.Direction == "Left" {
			return nil, unsupported("texts are cut at the left")
		}
		t.limit = max(c.MaxLength, 0)
	}
	return t, nil
}

// parseBody reads all but what is put around a text.
func parseBody(data []byte, cfg config) (*Tokenizer, *jsonFile, error) {
	var f jsonFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, nil, usererr.Wrap(err, "The file is incomplete or not a tokenizer.json. Pull the model again.")
	}
	if f.Model == nil || len(f.Model.Vocab) == 0 {
		return nil, nil, usererr.New("Pull the model again.", "tokenizer.json has no model with a vocabulary")
	}
	t, err := f.Model.parse()
	if err != nil {
		return nil, nil, err
	}
	if err := t.readNormalizer(f.Normalizer, cfg); err != nil {
		return nil, nil, err
	}
	if err := t.readSplitter(f.PreTokenizer, cfg); err != nil {
		return nil, nil, err
	}
	return t, &f, t.addTokens(f.Added)
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
		tok := addedToken{content: a.Content, id: a.ID, left: a.LStrip, right: a.RStrip}
		if a.Normalized {
			tok.content = t.normal.Apply(a.Content)
			t.cleaned.add(tok)
		} else {
			t.raw.add(tok)
		}
	}
	return nil
}

// setSpecial reads what goes before and after a single text.
func (t *Tokenizer) setSpecial(p *jsonPost) error {
	switch p.Type {
	case "TemplateProcessing":
		return t.setTemplate(p)
	case "Sequence":
		return t.setSpecialSteps(p.Steps)
	case "ByteLevel": // concerns offsets alone
		return nil
	case "BertProcessing", "RobertaProcessing":
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

func (t *Tokenizer) setSpecialSteps(steps []*jsonPost) error {
	for _, p := range steps {
		if p == nil || p.Type == "Sequence" {
			return unsupported("a post_processor inside a Sequence")
		}
		if p.Type != "ByteLevel" && len(t.prefix)+len(t.suffix) > 0 {
			return unsupported("several post_processors")
		}
		if err := t.setSpecial(p); err != nil {
			return err
		}
	}
	return nil
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
