package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/normal"
	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer/split"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Load reads the tokenizer of a transformer's folder: tokenizer.json, or BERT's vocab.txt
// when there is none. Settings in tokenizer_config.json take precedence over those in
// tokenizer.json, as in the reference. A tokenizer with a part that is not known is an error
// of the user.
func Load(dir string) (*Tokenizer, error) {
	var cfg config
	path := filepath.Join(dir, "tokenizer_config.json")
	if err := readJSON(path, &cfg); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	path = filepath.Join(dir, "tokenizer.json")
	data, err := plainfile.Read(path, maxFile)
	if err == nil {
		t, err := parseJSON(data, cfg)
		return t, wrap(err, path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the tokenizer: %w", err)
	}
	path = filepath.Join(dir, "vocab.txt")
	if data, err = plainfile.Read(path, maxFile); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, absent(dir)
		}
		return nil, fmt.Errorf("reading the vocabulary: %w", err)
	}
	t, err := parseVocab(data, cfg)
	return t, wrap(err, path)
}

// LoadPlain reads tokenizer.json as it stands, without special tokens around a text: the
// tokenizer of a table of token vectors.
func LoadPlain(dir string) (*Tokenizer, error) {
	path := filepath.Join(dir, "tokenizer.json")
	data, err := plainfile.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usererr.New("Pull the model again.", "%s has no tokenizer.json", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the tokenizer: %w", err)
	}
	t, err := parsePlain(data)
	return t, wrap(err, path)
}

// absent says that a folder has no tokenizer that can be read, and what to do about it.
func absent(dir string) error {
	for _, name := range []string{"sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "merges.txt"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return usererr.New(fmt.Sprintf("Write it as tokenizer.json, with Python: "+
				"python -c \"from transformers import AutoTokenizer as T; T.from_pretrained('%s').save_pretrained('%s')\"", dir, dir),
				"%s has neither tokenizer.json nor vocab.txt but %s, the form of the slow tokenizers", dir, name)
		}
	}
	return usererr.New("Pull the model again.", "%s has neither tokenizer.json nor vocab.txt", dir)
}

func wrap(err error, path string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", path, err)
}

func readJSON(path string, into any) error {
	data, err := plainfile.Read(path, maxFile)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return usererr.Wrap(fmt.Errorf("%s: %w", path, err), "The file is incomplete or not JSON. Pull the model again.")
	}
	return nil
}

// config is the part of tokenizer_config.json that ids depend on.
type config struct {
	LowerCase    *bool        `json:"do_lower_case"`
	StripAccents *bool        `json:"strip_accents"`
	Chinese      *bool        `json:"tokenize_chinese_chars"`
	Basic        *bool        `json:"do_basic_tokenize"`
	Prefix       *bool        `json:"add_prefix_space"` // byte-level BPE
	Unknown      specialToken `json:"unk_token"`
	Class        specialToken `json:"cls_token"`
	Separator    specialToken `json:"sep_token"`
	Pad          specialToken `json:"pad_token"`
	Mask         specialToken `json:"mask_token"`
}

// specialToken is written as a string or as an object with a content.
type specialToken string

// UnmarshalJSON implements json.Unmarshaler.
func (s *specialToken) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*s = specialToken(text)
		return nil
	}
	var object struct {
		Content string `json:"content"`
	}
	if err := json.Unmarshal(data, &object); err != nil {
		return fmt.Errorf("a special token must be a string or an object with \"content\"")
	}
	*s = specialToken(object.Content)
	return nil
}

func (s specialToken) or(def string) string {
	if s == "" {
		return def
	}
	return string(s)
}

// apply overrides o by tokenizer_config.json. strip is strip_accents as written; nil means the
// same as lower-casing.
func (c config) apply(o normal.BERT, strip *bool) normal.BERT {
	if c.LowerCase != nil {
		o.LowerCase = *c.LowerCase
	}
	if c.Chinese != nil {
		o.SpaceChinese = *c.Chinese
	}
	if c.StripAccents != nil {
		strip = c.StripAccents
	}
	o.StripAccents = o.LowerCase
	if strip != nil {
		o.StripAccents = *strip
	}
	return o
}

func parseVocab(data []byte, cfg config) (*Tokenizer, error) {
	if cfg.Basic != nil && !*cfg.Basic {
		return nil, unsupported("do_basic_tokenize = false")
	}
	if len(data) == 0 {
		return nil, usererr.New("Pull the model again.", "the vocabulary is empty")
	}
	lines := strings.Split(string(bytes.TrimSuffix(data, []byte("\n"))), "\n")
	vocab := make(map[string]int32, len(lines))
	for id, line := range lines {
		vocab[strings.TrimSuffix(line, "\r")] = int32(id)
	}
	t := newTokenizer(vocab)
	t.setBERT(cfg.apply(normal.BERT{CleanText: true, SpaceChinese: true, LowerCase: true}, nil), bertWordChars)
	if err := t.setWordPiece(vocab, "##", cfg.Unknown.or("[UNK]"), bertWordChars); err != nil {
		return nil, err
	}
	t.split = split.BERT{}
	class, separator := cfg.Class.or("[CLS]"), cfg.Separator.or("[SEP]")
	for _, name := range []string{class, separator} {
		if _, ok := vocab[name]; !ok {
			return nil, usererr.New("", "the vocabulary lacks the special token %s", name)
		}
	}
	t.prefix, t.suffix = []int32{vocab[class]}, []int32{vocab[separator]}
	for _, name := range []string{class, separator, cfg.Unknown.or("[UNK]"), cfg.Pad.or("[PAD]"), cfg.Mask.or("[MASK]")} {
		if id, ok := vocab[name]; ok {
			t.raw.add(addedToken{content: name, id: id})
		}
	}
	return t, nil
}

// bertWordChars is the length of a word in characters from which on BERT calls it unknown.
const bertWordChars = 100

func unsupported(format string, args ...any) error {
	return usererr.New("Tokenizers that are run: WordPiece (BERT, MPNet, DistilBERT), Unigram (XLM-RoBERTa, multilingual E5), byte-level BPE (RoBERTa).",
		"unsupported tokenizer: "+format, args...)
}

// maxFile bounds the files of a tokenizer, in bytes: the largest that are known have some
// tens of megabytes.
const maxFile = 256 << 20
