package transformer

import (
	"cmp"
	"encoding/json"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Config is what config.json says of a network.
type Config struct {
	Type         string // model_type, one of Architectures
	Hidden       int    // numbers in a token's row
	Layers       int
	Heads        int
	Intermediate int
	Vocab        int
	Types        int // token types; only the first is used
	Positions    int // rows of the position table
	Padding      int // id of the padding token, where positions are numbered from it
	Buckets      int // of distances, for relative positions
	Epsilon      float64
}

// MaxTokens is how many tokens the position table has rows for.
func (c Config) MaxTokens() int {
	if architectures[c.Type].padded {
		return c.Positions - c.Padding - 1
	}
	return c.Positions
}

// configFile is config.json, with the names that DistilBERT has for some fields.
type configFile struct {
	ModelType    string          `json:"model_type"`
	Hidden       int             `json:"hidden_size"`
	Dim          int             `json:"dim"`
	Layers       int             `json:"num_hidden_layers"`
	NLayers      int             `json:"n_layers"`
	Heads        int             `json:"num_attention_heads"`
	NHeads       int             `json:"n_heads"`
	Intermediate int             `json:"intermediate_size"`
	HiddenDim    int             `json:"hidden_dim"`
	Act          string          `json:"hidden_act"`
	Activation   string          `json:"activation"`
	Epsilon      *float64        `json:"layer_norm_eps"`
	Positions    int             `json:"max_position_embeddings"`
	Padding      *int            `json:"pad_token_id"`
	Types        int             `json:"type_vocab_size"`
	Vocab        int             `json:"vocab_size"`
	Buckets      int             `json:"relative_attention_num_buckets"`
	PositionType string          `json:"position_embedding_type"`
	Decoder      bool            `json:"is_decoder"`
	Quantization json.RawMessage `json:"quantization_config"`
}

func unsupported(format string, args ...any) error {
	return usererr.New("Choose another model. Those that are run have one of these as model_type in config.json: "+Architectures()+"; "+
		"others can be asked of an embedding server.", "unsupported model: "+format, args...)
}

// ParseConfig reads config.json. A network that is not run is an error of the user.
func ParseConfig(data []byte) (Config, error) {
	var f configFile
	if err := json.Unmarshal(data, &f); err != nil {
		return Config{}, usererr.Wrap(err, "The file is incomplete or not JSON. Pull the model again.")
	}
	if err := f.check(); err != nil {
		return Config{}, err
	}
	c := Config{Type: f.ModelType, Hidden: f.Hidden, Layers: f.Layers, Heads: f.Heads, Intermediate: f.Intermediate,
		Vocab: f.Vocab, Types: f.Types, Positions: f.Positions, Epsilon: 1e-12, Buckets: 32}
	if f.Epsilon != nil {
		c.Epsilon = *f.Epsilon
	}
	if c.Type == "distilbert" {
		c.Hidden, c.Layers, c.Heads, c.Intermediate, c.Epsilon = f.Dim, f.NLayers, f.NHeads, f.HiddenDim, 1e-12
	}
	if architectures[c.Type].padded {
		c.Padding = 1
		if f.Padding != nil && c.Type != "mpnet" { // MPNet has 1 whatever the file says
			c.Padding = *f.Padding
		}
	}
	if f.Buckets != 0 {
		c.Buckets = f.Buckets
	}
	return c, c.check()
}

// check refuses what is not run.
func (f *configFile) check() error {
	act := cmp.Or(f.Act, f.Activation, "gelu")
	if f.ModelType == "distilbert" {
		act = cmp.Or(f.Activation, "gelu")
	}
	_, known := architectures[f.ModelType]
	switch {
	case f.ModelType == "":
		return unsupported("config.json names no architecture (model_type)")
	case !known:
		return unsupported("architecture %q", f.ModelType)
	case f.PositionType != "" && f.PositionType != "absolute":
		return unsupported("position embeddings %q", f.PositionType)
	case act != "gelu":
		return unsupported("activation %q", act)
	case f.Decoder:
		return unsupported("a decoder (is_decoder = true)")
	case len(f.Quantization) > 0 && string(f.Quantization) != "null":
		return unsupported("quantised weights (quantization_config)")
	}
	return nil
}

// check refuses impossible sizes.
func (c Config) check() error {
	names := map[bool][]string{
		false: {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"},
		true:  {"dim", "n_layers", "n_heads", "hidden_dim"},
	}[c.Type == "distilbert"]
	names = append(names, "max_position_embeddings", "vocab_size")
	for i, value := range []int{c.Hidden, c.Layers, c.Heads, c.Intermediate, c.Positions, c.Vocab} {
		if value <= 0 {
			return usererr.New("Pull the model again.", "%s is %d", names[i], value)
		}
	}
	if c.Hidden%c.Heads != 0 {
		return usererr.New("", "%s %d is no multiple of %s %d", names[0], c.Hidden, names[2], c.Heads)
	}
	if c.Padding < 0 || c.MaxTokens() < 1 {
		return usererr.New("Pull the model again.", "pad_token_id is %d of %d positions", c.Padding, c.Positions)
	}
	if c.Buckets < 4 || c.Buckets%4 != 0 || c.Buckets > 1<<16 {
		return usererr.New("Pull the model again.", "relative_attention_num_buckets is %d", c.Buckets)
	}
	return nil
}
