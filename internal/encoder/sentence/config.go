package sentence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/internal/encoder/transformer"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func unsupported(format string, args ...any) error {
	return usererr.New("Choose another model. Those that are run: folders of Sentence-Transformers with a transformer ("+transformer.Architectures()+
		") or a StaticEmbedding, Pooling by mean or cls, perhaps Normalize; and folders of model2vec.", "unsupported model: "+format, args...)
}

// kind is what turns tokens into rows of numbers.
type kind int

const (
	transformers kind = iota
	staticEmbedding
	model2vec // a folder of model2vec without modules.json, encoded as model2vec does
)

// config holds what the files of a model folder define of the computation.
type config struct {
	dir       string // folder of config.json, tokenizer and weights
	bare      bool   // there is no modules.json
	kind      kind
	net       transformer.Config
	model2vec model2vecConfig
	pooling   pooling
	normalize bool
	maxTokens int // special tokens included
	lower     bool
	prompts   map[string]string
	prompt    string // name of the prompt in use by default
}

// family names the network in the ids of encoders.
func (c config) family() string {
	if c.kind != transformers {
		return "static"
	}
	return c.net.Type
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
	if err := c.readNet(); err != nil {
		return c, err
	}
	if err := c.readLength(); err != nil {
		return c, err
	}
	err := c.readPrompts(dir)
	return c, err
}

// readNet reads config.json, which a StaticEmbedding of Sentence-Transformers does not need.
func (c *config) readNet() error {
	if c.kind == staticEmbedding {
		return nil
	}
	path := filepath.Join(c.dir, "config.json")
	data, err := plainfile.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return usererr.New("Give the folder of a model in the format of Sentence-Transformers, or pull the model again.", "%s has no config.json", c.dir)
	}
	if err != nil {
		return err
	}
	if c.kind == transformers && c.bare && isModel2vec(data) {
		c.kind = model2vec
		if err := json.Unmarshal(data, &c.model2vec); err != nil {
			return usererr.Wrap(fmt.Errorf("%s: %w", path, err), "The file is incomplete or not JSON. Pull the model again.")
		}
		c.normalize = c.model2vec.Normalize
		return nil
	}
	if c.net, err = transformer.ParseConfig(data); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readPrompts reads the prompts of a folder of Sentence-Transformers.
func (c *config) readPrompts(dir string) error {
	var st struct {
		Prompts map[string]string `json:"prompts"`
		Default *string           `json:"default_prompt_name"`
	}
	if err := optionalJSON(filepath.Join(dir, "config_sentence_transformers.json"), &st); err != nil {
		return err
	}
	c.prompts = st.Prompts
	if st.Default != nil {
		c.prompt = *st.Default
		if _, ok := c.prompts[c.prompt]; !ok {
			return usererr.New("", "config_sentence_transformers.json names the default prompt %q and does not define it", c.prompt)
		}
	}
	return nil
}

// readModules follows modules.json: a transformer and its pooling, or a table of token
// vectors; perhaps normalisation. A folder without it is a bare transformer, pooled by the
// mean as the reference does, or model2vec's.
func (c *config) readModules() error {
	var modules []struct{ Path, Type string }
	root := c.dir
	if err := readJSON(filepath.Join(root, "modules.json"), &modules); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			c.bare = true
			return nil
		}
		return err
	}
	pooled := false
	for i, m := range modules {
		if m.Path != "" && !filepath.IsLocal(m.Path) {
			return usererr.New("", "modules.json: the path %q leaves the model folder", m.Path)
		}
		kind := m.Type[strings.LastIndexByte(m.Type, '.')+1:]
		switch {
		case i == 0 && kind == "Transformer":
			c.dir = filepath.Join(root, m.Path)
		case i == 0 && kind == "StaticEmbedding":
			c.dir, c.kind, pooled = filepath.Join(root, m.Path), staticEmbedding, true
		case i == 1 && kind == "Pooling" && !pooled:
			pooled = true
			if err := c.readPooling(filepath.Join(root, m.Path, "config.json")); err != nil {
				return err
			}
		case i > 0 && i == len(modules)-1 && kind == "Normalize" && pooled:
			c.normalize = true
		default:
			return unsupported("module %d is %s (supported: Transformer, Pooling, Normalize, or StaticEmbedding, Normalize, in this order)", i, m.Type)
		}
	}
	if !pooled {
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

// readLength finds how many tokens the model reads: max_seq_length of
// sentence_bert_config.json, else the tokeniser's model_max_length; at most
// the number of positions. The truncation in tokenizer.json is ignored. A table of token
// vectors has no such limit but what model2vec's config.json says.
func (c *config) readLength() error {
	switch c.kind {
	case staticEmbedding:
		c.maxTokens = noLimit
		return nil
	case model2vec:
		c.maxTokens = c.model2vec.maxTokens()
		return nil
	}
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
	c.maxTokens = c.net.MaxTokens()
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
