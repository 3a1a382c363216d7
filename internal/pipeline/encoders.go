package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/encoder/bert"
	"github.com/mllmrec/mllmrec/internal/encoder/hub"
	"github.com/mllmrec/mllmrec/internal/encoder/remote"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Encoders of a workspace's texts, beside the servers of remote.Kinds.
const (
	LSA    = "lsa"    // fitted on the item texts
	MiniLM = "minilm" // a BERT sentence encoder, all-MiniLM-L6-v2 unless another is named
)

// Encoders lists the names that EncodeOptions.Encoder may have.
func Encoders() []string { return append([]string{LSA, MiniLM}, remote.Kinds()...) }

const lsaDim = 384

// ollamaURL is where Ollama listens unless told otherwise. The other servers have no
// usual place, or are paid for: they are named, not guessed.
const ollamaURL = "http://localhost:11434"

// EncodeOptions says which encoder turns texts into vectors. A field that the encoder
// has no use for must be zero.
type EncodeOptions struct {
	Encoder string `json:"encoder"`        // one of Encoders
	Dim     int    `json:"dim,omitempty"`  // LSA: number of dimensions, 384 when 0
	Seed    uint64 `json:"seed,omitempty"` // LSA: of the randomized SVD

	// Model is, for minilm, a model's folder or its name on the hub, hub.DefaultModel
	// when empty; for a server the name of the model, which tei may leave out.
	Model   string `json:"model,omitempty"`
	BaseURL string `json:"base_url,omitempty"` // of the server; Ollama's own when empty, and needed by the others
	// Long says what becomes of a text with more tokens than the model reads. For
	// minilm: "truncate" (also when empty) or "mean" (windows are averaged). For ollama
	// and tei: "truncate"; when empty such a text is an error, since servers cut without
	// a word and nobody could count.
	Long string `json:"long,omitempty"`
	// What stands before each text. Items are what is searched, passages; preferences
	// ask for them, queries. nil is the model's own prompt of that kind, if it defines
	// one, else its default prompt, as Sentence-Transformers has it.
	ItemPrefix *string `json:"item_prefix,omitempty"`
	UserPrefix *string `json:"user_prefix,omitempty"`

	Batch       int    `json:"batch,omitempty"`       // servers: texts a request; 0: remote's default
	Concurrency int    `json:"concurrency,omitempty"` // servers: requests in flight; 0: remote's default
	APIKeyEnv   string `json:"api_key_env,omitempty"` // servers: environment variable with the API key; "": none
}

// Check refuses options that the encoder has no use for.
func (o EncodeOptions) Check() error {
	if !slices.Contains(Encoders(), o.Encoder) {
		return usererr.New("Known encoders: "+strings.Join(Encoders(), ", ")+".", "unknown encoder %q", o.Encoder)
	}
	server := o.server()
	for _, f := range []struct {
		what        string
		given, used bool
	}{
		{"a number of dimensions", o.Dim != 0, o.Encoder == LSA},
		{"an encoder seed", o.Seed != 0, o.Encoder == LSA},
		{"a model", o.Model != "", o.Encoder != LSA},
		{"a base URL", o.BaseURL != "", server},
		{"a treatment of long texts", o.Long != "", o.Encoder != LSA && o.Encoder != "openai"},
		{"a prefix", o.ItemPrefix != nil || o.UserPrefix != nil, o.Encoder != LSA},
		{"a batch size", o.Batch != 0, server},
		{"a number of requests in flight", o.Concurrency != 0, server},
		{"an API key", o.APIKeyEnv != "", server},
	} {
		if f.given && !f.used {
			return usererr.New("Leave it out, or choose another encoder.", "%s has no effect with the encoder %s", f.what, o.Encoder)
		}
	}
	if server && o.Long != "" && o.Long != string(bert.Truncate) {
		return usererr.New("A server can cut long texts (truncate); averaging windows (mean) is the built-in encoder's, minilm.",
			"%q: no such treatment of long texts by the encoder %s", o.Long, o.Encoder)
	}
	if server && o.Encoder != "ollama" && o.BaseURL == "" {
		return usererr.New("Give the server's base URL, such as http://localhost:8080.", "the encoder %s needs a base URL", o.Encoder)
	}
	if o.Dim < 0 || o.Batch < 0 || o.Concurrency < 0 {
		return usererr.New("", "a negative number among the encoder's options")
	}
	return nil
}

func (o EncodeOptions) server() bool { return slices.Contains(remote.Kinds(), o.Encoder) }

// record returns all that determines a vector. A local model is known by its digest,
// id. A server would have to be asked for one even when nothing is to do, so that its
// address and model stand for it; OpenEncoder notices when the weights behind changed.
func (o EncodeOptions) record(id string) map[string]string {
	r := map[string]string{"encoder": o.Encoder}
	switch {
	case o.Encoder == LSA:
		r["dim"], r["seed"] = strconv.Itoa(o.Dim), strconv.FormatUint(o.Seed, 10)
		return r
	case o.Encoder == MiniLM:
		r["id"] = id
	default:
		r["model"], r["base_url"] = o.Model, o.BaseURL
	}
	r["long"], r["item_prefix"], r["user_prefix"] = o.Long, text(o.ItemPrefix), text(o.UserPrefix)
	return r
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// settle fills in what the options leave to the encoder, so that the same options open
// the same encoder later and elsewhere on this machine: for minilm, the model's folder
// or name, and the prefixes. It returns the encoder of item texts where that had to be
// loaded for it.
func (o EncodeOptions) settle() (EncodeOptions, encoder.Encoder, error) {
	if o.Encoder != MiniLM {
		if o.Encoder == "ollama" && o.BaseURL == "" {
			o.BaseURL = ollamaURL
		}
		if o.Encoder == LSA && o.Dim == 0 {
			o.Dim = lsaDim
		}
		return o, nil, nil
	}
	if o.Model == "" {
		o.Model = hub.DefaultModel
	}
	if info, err := os.Stat(o.Model); err == nil && info.IsDir() {
		if o.Model, err = filepath.Abs(o.Model); err != nil {
			return o, nil, fmt.Errorf("find the model's folder: %w", err)
		}
	}
	if o.Long == "" {
		o.Long = string(bert.Truncate)
	}
	m, err := o.loadBERT(nil)
	if err != nil {
		return o, nil, err
	}
	own := m.Prefix()
	if o.ItemPrefix == nil {
		o.ItemPrefix = new(promptOf(m, "document", "passage", "corpus"))
	}
	if o.UserPrefix == nil {
		o.UserPrefix = new(promptOf(m, "query"))
	}
	if *o.ItemPrefix != own {
		if m, err = o.loadBERT(o.ItemPrefix); err != nil {
			return o, nil, err
		}
	}
	return o, m, nil
}

// promptOf returns the first of the named prompts that the model defines, else the one
// it uses by default.
func promptOf(m *bert.Model, names ...string) string {
	prompts := m.Prompts()
	for _, name := range names {
		if p, ok := prompts[name]; ok {
			return p
		}
	}
	return m.Prefix()
}

func (o EncodeOptions) loadBERT(prefix *string) (*bert.Model, error) {
	dir, err := hub.Locate(o.Model, hub.Options{})
	if err != nil {
		return nil, fmt.Errorf("find the sentence encoder: %w", err)
	}
	return bert.Load(dir, bert.Options{Long: bert.Long(o.Long), Prefix: prefix})
}

// open opens the encoder for texts with one of the prefixes.
func (o EncodeOptions) open(ctx context.Context, prefix *string) (encoder.Encoder, error) {
	if o.Encoder == MiniLM {
		return o.loadBERT(prefix)
	}
	key, err := mllm.KeyFromEnv(o.APIKeyEnv)
	if err != nil {
		return nil, err
	}
	return remote.Open(ctx, o.Encoder, remote.Config{BaseURL: o.BaseURL, Model: o.Model, Key: key, Prefix: text(prefix),
		Truncate: o.Long == string(bert.Truncate), Batch: o.Batch, Concurrency: o.Concurrency})
}

// OpenStandalone opens an encoder that needs no workspace, for texts of the user's own
// which are neither items nor preferences: the prefix is the one given for items, else
// the model's default.
func OpenStandalone(ctx context.Context, o EncodeOptions) (encoder.Encoder, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Encoder == LSA {
		return nil, usererr.New("Use minilm or an embedding server.", "the encoder lsa is fitted on a catalogue and has no vectors without one")
	}
	if o.Encoder == MiniLM && o.Model == "" {
		o.Model = hub.DefaultModel
	}
	if o.Encoder == "ollama" && o.BaseURL == "" {
		o.BaseURL = ollamaURL
	}
	return o.open(ctx, o.ItemPrefix)
}
