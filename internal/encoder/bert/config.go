package bert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const supported = "the encoder runs BERT models in Sentence-Transformers form: MiniLM, BGE, E5, GTE (English)"

func unsupported(format string, args ...any) error {
	return usererr.New(supported, "unsupported model: "+format, args...)
}

// config holds what the files of a model folder define of the computation.
type config struct {
	dir       string // folder of config.json, tokenizer and weights
	net       netConfig
	pooling   pooling
	normalize bool
	maxTokens int // special tokens included
	lower     bool
	prompts   map[string]string
	prompt    string // name of the prompt in use by default
}

// netConfig is BERT's config.json.
type netConfig struct {
	ModelType    string          `json:"model_type"`
	Hidden       int             `json:"hidden_size"`
	Layers       int             `json:"num_hidden_layers"`
	Heads        int             `json:"num_attention_heads"`
	Intermediate int             `json:"intermediate_size"`
	Activation   string          `json:"hidden_act"`
	Epsilon      *float64        `json:"layer_norm_eps"`
	Positions    int             `json:"max_position_embeddings"`
	Types        int             `json:"type_vocab_size"`
	Vocab        int             `json:"vocab_size"`
	PositionType string          `json:"position_embedding_type"`
	Decoder      bool            `json:"is_decoder"`
	Quantization json.RawMessage `json:"quantization_config"`
}

type pooling int

const (
	poolMean pooling = iota
	poolCLS
)

func readConfig(dir string) (config, error) {
	c := config{dir: dir}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return c, usererr.New("Give the folder of a model, or pull the model first.", "no model folder at %s", dir)
	}
	if err := c.readModules(); err != nil {
		return c, err
	}
	if err := readJSON(filepath.Join(c.dir, "config.json"), &c.net); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return c, usererr.New(supported, "%s has no config.json", c.dir)
		}
		return c, err
	}
	if err := c.net.check(); err != nil {
		return c, fmt.Errorf("%s: %w", filepath.Join(c.dir, "config.json"), err)
	}
	if err := c.readLength(); err != nil {
		return c, err
	}
	var st struct {
		Prompts map[string]string `json:"prompts"`
		Default *string           `json:"default_prompt_name"`
	}
	if err := optionalJSON(filepath.Join(dir, "config_sentence_transformers.json"), &st); err != nil {
		return c, err
	}
	c.prompts = st.Prompts
	if st.Default != nil {
		c.prompt = *st.Default
		if _, ok := c.prompts[c.prompt]; !ok {
			return c, usererr.New("", "config_sentence_transformers.json names the default prompt %q and does not define it", c.prompt)
		}
	}
	return c, nil
}

// readModules follows modules.json: a transformer, its pooling, perhaps normalisation.
// A folder without it is a bare BERT, pooled by the mean as the reference does.
func (c *config) readModules() error {
	var modules []struct{ Path, Type string }
	root := c.dir
	if err := readJSON(filepath.Join(root, "modules.json"), &modules); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for i, m := range modules {
		if m.Path != "" && !filepath.IsLocal(m.Path) {
			return usererr.New("", "modules.json: the path %q leaves the model folder", m.Path)
		}
		kind := m.Type[strings.LastIndexByte(m.Type, '.')+1:]
		switch {
		case i == 0 && kind == "Transformer":
			c.dir = filepath.Join(root, m.Path)
		case i == 1 && kind == "Pooling":
			if err := c.readPooling(filepath.Join(root, m.Path, "config.json")); err != nil {
				return err
			}
		case i == 2 && kind == "Normalize":
			c.normalize = true
		default:
			return unsupported("module %d is %s (supported: Transformer, Pooling, Normalize, in this order)", i, m.Type)
		}
	}
	if len(modules) < 2 {
		return unsupported("modules.json has no Pooling")
	}
	return nil
}

func (c *config) readPooling(path string) error {
	var raw map[string]json.RawMessage
	if err := readJSON(path, &raw); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return usererr.New("Pull the model again.", "the model folder is incomplete: modules.json names %s, which is missing", path)
		}
		return err
	}
	mode := ""
	for key, value := range raw {
		name, isMode := strings.CutPrefix(key, "pooling_mode_")
		switch {
		case key == "include_prompt":
			if string(value) == "false" {
				return unsupported("pooling without the prompt (include_prompt = false)")
			}
		case key == "pooling_mode":
			if err := json.Unmarshal(value, &mode); err != nil {
				return unsupported("pooling_mode %s", value)
			}
		case isMode && string(value) == "true":
			if mode != "" {
				return unsupported("several pooling modes at once")
			}
			mode = strings.TrimSuffix(name, "_tokens")
			mode = strings.TrimSuffix(mode, "_token")
		}
	}
	switch mode {
	case "mean", "":
		c.pooling = poolMean
	case "cls":
		c.pooling = poolCLS
	default:
		return unsupported("pooling mode %q (supported: mean, cls)", mode)
	}
	return nil
}

// check refuses models that are not BERT encoders, and impossible sizes.
func (n *netConfig) check() error {
	if n.Activation == "" {
		n.Activation = "gelu"
	}
	if n.PositionType == "" {
		n.PositionType = "absolute"
	}
	if n.Epsilon == nil {
		eps := 1e-12
		n.Epsilon = &eps
	}
	switch {
	case n.ModelType != "bert":
		return unsupported("architecture %q", n.ModelType)
	case n.PositionType != "absolute":
		return unsupported("position embeddings %q", n.PositionType)
	case n.Activation != "gelu":
		return unsupported("activation %q", n.Activation)
	case n.Decoder:
		return unsupported("a decoder (is_decoder = true)")
	case len(n.Quantization) > 0 && string(n.Quantization) != "null":
		return unsupported("quantised weights (quantization_config)")
	}
	for _, size := range []struct {
		name  string
		value int
	}{{"hidden_size", n.Hidden}, {"num_hidden_layers", n.Layers}, {"num_attention_heads", n.Heads},
		{"intermediate_size", n.Intermediate}, {"max_position_embeddings", n.Positions}, {"vocab_size", n.Vocab}} {
		if size.value <= 0 {
			return usererr.New("Pull the model again.", "%s is %d", size.name, size.value)
		}
	}
	if n.Hidden%n.Heads != 0 {
		return usererr.New("", "hidden_size %d is no multiple of num_attention_heads %d", n.Hidden, n.Heads)
	}
	return nil
}

// readLength finds how many tokens the model reads: max_seq_length of
// sentence_bert_config.json, else the tokeniser's model_max_length; at most
// the number of positions. The truncation in tokenizer.json is ignored.
func (c *config) readLength() error {
	var sentence struct {
		Max   *int `json:"max_seq_length"`
		Lower bool `json:"do_lower_case"`
	}
	if err := optionalJSON(filepath.Join(c.dir, "sentence_bert_config.json"), &sentence); err != nil {
		return err
	}
	var tok struct {
		Max *float64 `json:"model_max_length"`
	}
	if err := optionalJSON(filepath.Join(c.dir, "tokenizer_config.json"), &tok); err != nil {
		return err
	}
	c.lower = sentence.Lower
	c.maxTokens = c.net.Positions
	switch {
	case sentence.Max != nil:
		c.maxTokens = min(c.maxTokens, *sentence.Max)
	case tok.Max != nil && *tok.Max < float64(c.maxTokens):
		c.maxTokens = int(*tok.Max)
	}
	if c.maxTokens < 3 {
		return usererr.New("", "the model reads %d tokens; it must read 3 or more", c.maxTokens)
	}
	return nil
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

func optionalJSON(path string, into any) error {
	err := readJSON(path, into)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// maxFile bounds the configuration files of a model, in bytes.
const maxFile = 16 << 20
