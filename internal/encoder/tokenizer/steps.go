package tokenizer

import (
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/normal"
	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/split"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// maxDepth bounds sequences within sequences.
const maxDepth = 8

// jsonNormalizer is one step of the normaliser, with the fields of all kinds.
type jsonNormalizer struct {
	Type         string
	Steps        []json.RawMessage `json:"normalizers"` // Sequence
	CleanText    bool              `json:"clean_text"`  // BertNormalizer
	Chinese      bool              `json:"handle_chinese_chars"`
	StripAccents *bool             `json:"strip_accents"`
	LowerCase    bool              `json:"lowercase"`
	Charsmap     []byte            `json:"precompiled_charsmap"` // Precompiled; base64
	Pattern      jsonPattern       `json:"pattern"`              // Replace
	Content      string            `json:"content"`
	Left         *bool             `json:"strip_left"` // Strip
	Right        *bool             `json:"strip_right"`
	Prefix       string            `json:"prepend"` // Prepend
}

type jsonPattern struct {
	String *string
	Regex  *string
}

func absentJSON(data json.RawMessage) bool { return len(data) == 0 || string(data) == "null" }

func badStep(err error, what string) error {
	return usererr.Wrap(fmt.Errorf("the %s: %w", what, err), "Pull the model again.")
}

// readNormalizer sets the normaliser. cfg overrides BERT's, where that is all of it.
func (t *Tokenizer) readNormalizer(data json.RawMessage, cfg config) error {
	t.normal = normal.Steps{}
	if absentJSON(data) {
		return nil
	}
	var n jsonNormalizer
	if err := json.Unmarshal(data, &n); err != nil {
		return badStep(err, "normalizer")
	}
	if n.Type == "BertNormalizer" {
		t.setBERT(cfg.apply(n.bert(), n.StripAccents), t.wordChars)
		return nil
	}
	step, err := n.step(0)
	if err != nil {
		return err
	}
	t.normal = step
	return nil
}

// setBERT makes BERT's normaliser all of it.
func (t *Tokenizer) setBERT(n normal.BERT, wordChars int) {
	t.normal, t.settings = n, bertSettings(n, wordChars)
}

func (n jsonNormalizer) bert() normal.BERT {
	return normal.BERT{CleanText: n.CleanText, SpaceChinese: n.Chinese, LowerCase: n.LowerCase}
}

func (n jsonNormalizer) step(depth int) (normal.Step, error) {
	switch n.Type {
	case "Sequence":
		return n.sequence(depth)
	case "BertNormalizer":
		return config{}.apply(n.bert(), n.StripAccents), nil
	case "Precompiled":
		if len(n.Charsmap) == 0 { // SentencePiece's identity
			return normal.Steps{}, nil
		}
		return normal.ParseCharsmap(n.Charsmap)
	case "Lowercase":
		return normal.LowerCase{}, nil
	case "Replace":
		return n.replace()
	case "Strip":
		return normal.Strip{Left: n.Left == nil || *n.Left, Right: n.Right == nil || *n.Right}, nil
	case "Prepend":
		return normal.Prepend(n.Prefix), nil
	}
	return nil, unsupported("normalizer %q", n.Type)
}

func (n jsonNormalizer) sequence(depth int) (normal.Step, error) {
	if depth == maxDepth {
		return nil, unsupported("normalizers within normalizers, %d deep", depth)
	}
	all := normal.Steps{}
	for _, data := range n.Steps {
		var part jsonNormalizer
		if err := json.Unmarshal(data, &part); err != nil {
			return nil, badStep(err, "normalizer")
		}
		step, err := part.step(depth + 1)
		if err != nil {
			return nil, err
		}
		all = append(all, step)
	}
	return all, nil
}

func (n jsonNormalizer) replace() (normal.Step, error) {
	switch p := n.Pattern; {
	case p.String != nil:
		return normal.Replace{Old: *p.String, New: n.Content}, nil
	case p.Regex != nil:
		re, err := compile(*p.Regex)
		if err != nil {
			return nil, err
		}
		return normal.ReplacePattern{Pattern: re, New: n.Content}, nil
	}
	return nil, unsupported("a Replace without a pattern")
}

// otherSyntax is what Go's regular expressions lack or read otherwise than the library's:
// classes by Unicode's tables, groups with options, possessive and open-ended repetitions,
// anchors.
var otherSyntax = regexp.MustCompile(`\\[0-9A-Za-z]|\(\?|\[\[|\[:|&&|[+*?}][+]|\{,|[$^.]`)

// compile accepts the patterns that mean the same in both languages.
func compile(pattern string) (*regexp.Regexp, error) {
	if pattern == `\s+` || pattern == `\s{2,}` { // usual, and the same but for its white space
		return regexp.MustCompile(`[\t-\r\x{85}\p{Z}]` + pattern[2:]), nil
	}
	if otherSyntax.MatchString(pattern) {
		return nil, unsupported("the pattern %q", pattern)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, unsupported("the pattern %q", pattern)
	}
	return re, nil
}

// jsonSplitter is one step of the pre-tokenizer.
type jsonSplitter struct {
	Type    string
	Steps   []json.RawMessage `json:"pretokenizers"` // Sequence
	Mark    string            `json:"replacement"`   // Metaspace
	Scheme  string            `json:"prepend_scheme"`
	Prefix  *bool             `json:"add_prefix_space"` // Metaspace before 2024, ByteLevel
	Split   *bool             `json:"split"`
	Pattern *bool             `json:"use_regex"` // ByteLevel
}

func (t *Tokenizer) readSplitter(data json.RawMessage, cfg config) error {
	t.split = split.Steps{}
	if absentJSON(data) {
		return nil
	}
	step, err := parseSplitter(data, 0)
	if err != nil {
		return err
	}
	if b, ok := step.(split.ByteLevel); ok && cfg.Prefix != nil {
		b.Prefix = *cfg.Prefix
		step = b
	}
	t.split = step
	return nil
}

func parseSplitter(data json.RawMessage, depth int) (split.Step, error) {
	var p jsonSplitter
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, badStep(err, "pre_tokenizer")
	}
	switch p.Type {
	case "Sequence":
		if depth == maxDepth {
			return nil, unsupported("pre_tokenizers within pre_tokenizers, %d deep", depth)
		}
		all := split.Steps{}
		for _, part := range p.Steps {
			step, err := parseSplitter(part, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, step)
		}
		return all, nil
	case "BertPreTokenizer":
		return split.BERT{}, nil
	case "WhitespaceSplit":
		return split.WhiteSpace{}, nil
	case "ByteLevel":
		return split.ByteLevel{Prefix: p.Prefix == nil || *p.Prefix, Words: p.Pattern == nil || *p.Pattern}, nil
	case "Metaspace":
		return p.metaspace()
	}
	return nil, unsupported("pre_tokenizer %q", p.Type)
}

func (p jsonSplitter) metaspace() (split.Step, error) {
	m := split.Metaspace{Mark: p.Mark, Words: p.Split == nil || *p.Split}
	if m.Mark == "" {
		return nil, unsupported("a Metaspace without a replacement")
	}
	switch {
	case p.Scheme == "always", p.Scheme == "" && (p.Prefix == nil || *p.Prefix):
		m.Prepend = true
	case p.Scheme != "never" && p.Scheme != "":
		return nil, unsupported("a Metaspace with the prepend_scheme %q", p.Scheme)
	}
	return m, nil
}
