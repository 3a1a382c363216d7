package encoder

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/internal/encoder/bert"
	"github.com/mllmrec/mllmrec/internal/encoder/hub"
	"github.com/mllmrec/mllmrec/internal/encoder/lsa"
	"github.com/mllmrec/mllmrec/internal/encoder/remote"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The encoders that need no server; those that ask one are named in remote.Kinds.
const (
	LSA    = "lsa"    // latent semantic analysis, fitted on the item texts of a catalogue
	MiniLM = "minilm" // a BERT sentence encoder: all-MiniLM-L6-v2 unless another is named
)

// Names lists the names that Options.Encoder may have.
func Names() []string { return append([]string{LSA, MiniLM}, remote.Kinds()...) }

// lsaDim is the number of dimensions of LSA vectors unless the options name another.
const lsaDim = 384

// ollamaURL is the address that Ollama listens at by default. The other servers have no
// usual address, or cost money, so the user must name theirs.
const ollamaURL = "http://localhost:11434"

// Options says which encoder turns texts into vectors. A field that has no effect with
// that encoder must be zero.
type Options struct {
	Encoder string `json:"encoder"`        // one of Names
	Dim     int    `json:"dim,omitempty"`  // LSA: number of dimensions, 384 when 0
	Seed    uint64 `json:"seed,omitempty"` // LSA: of the randomized SVD

	// Model is, for minilm, a model's folder or its name on the hub, hub.DefaultModel
	// when empty; for a server the name of the model, which tei may leave out.
	Model   string `json:"model,omitempty"`
	BaseURL string `json:"base_url,omitempty"` // of the server; Ollama's own when empty, and needed by the others
	// Long says what becomes of a text with more tokens than the model reads. For
	// minilm: "truncate" (also when empty) or "mean" (the vectors of its windows are
	// averaged). For ollama and tei: "truncate"; when empty such a text is an error,
	// because a server that cuts texts does not report how many it cut.
	Long string `json:"long,omitempty"`
	// ItemPrefix and UserPrefix are put before each text. In the terms of retrieval, items
	// are the passages that are searched and preferences are the queries. nil means the
	// model's own prompt for passages or queries, if it defines one, else its default
	// prompt, as in Sentence-Transformers.
	ItemPrefix *string `json:"item_prefix,omitempty"`
	UserPrefix *string `json:"user_prefix,omitempty"`

	Batch       int    `json:"batch,omitempty"`       // servers: texts a request; 0: remote's default
	Concurrency int    `json:"concurrency,omitempty"` // servers: requests in flight; 0: remote's default
	APIKeyEnv   string `json:"api_key_env,omitempty"` // servers: environment variable with the API key; "": none
}

// Check refuses options that have no effect with the encoder, and impossible values.
func (o Options) Check() error {
	if !slices.Contains(Names(), o.Encoder) {
		return usererr.New("Known encoders: "+strings.Join(Names(), ", ")+".", "unknown encoder %q", o.Encoder)
	}
	server := o.isServer()
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

func (o Options) isServer() bool { return slices.Contains(remote.Kinds(), o.Encoder) }

// Record returns all that determines a vector, for comparison with an earlier run. id is
// the digest of a local model. The record of a server holds its address and the model's
// name instead: a digest would have to be asked for even when nothing is to be encoded.
// Whoever opens the server's encoder later compares its ID, and so notices other weights.
func (o Options) Record(id string) map[string]string {
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

// Settle fills in what the options leave to the encoder, so that the same options open
// the same encoder later, from any working folder: for minilm, the model's folder or name
// and the prefixes. Settle has to load that model, and returns it as the encoder of item
// texts; for the other encoders it returns no encoder.
func (o Options) Settle() (Options, Encoder, error) {
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

// promptOf returns the first of the named prompts that the model defines, else its
// default prompt.
func promptOf(m *bert.Model, names ...string) string {
	prompts := m.Prompts()
	for _, name := range names {
		if p, ok := prompts[name]; ok {
			return p
		}
	}
	return m.Prefix()
}

func (o Options) loadBERT(prefix *string) (*bert.Model, error) {
	dir, err := hub.Locate(o.Model, hub.Options{})
	if err != nil {
		return nil, fmt.Errorf("find the sentence encoder: %w", err)
	}
	return bert.Load(dir, bert.Options{Long: bert.Long(o.Long), Prefix: prefix})
}

// Open opens any encoder: the fitted model of lsa from the file at lsaPath, a BERT model
// from its folder or the hub's cache, or a client of an embedding server. prefix is put
// before each text; nil means the model's default. Encoders other than lsa ignore lsaPath.
// Open does not check the options; see [Options.Check].
func Open(ctx context.Context, o Options, prefix *string, lsaPath string) (Encoder, error) {
	switch {
	case o.Encoder == LSA:
		m, err := lsa.Load(lsaPath)
		if err != nil {
			return nil, err // not a nil *Model in an interface
		}
		return m, nil
	case o.Encoder == MiniLM:
		m, err := o.loadBERT(prefix)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	key, err := mllm.KeyFromEnv(o.APIKeyEnv)
	if err != nil {
		return nil, err
	}
	c, err := remote.Open(ctx, o.Encoder, remote.Config{BaseURL: o.BaseURL, Model: o.Model, Key: key, Prefix: text(prefix),
		Truncate: o.Long == string(bert.Truncate), Batch: o.Batch, Concurrency: o.Concurrency})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// SamePrefix reports whether item texts and preferences have the same prefix, so that one
// encoder serves both.
func (o Options) SamePrefix() bool { return text(o.ItemPrefix) == text(o.UserPrefix) }

// OpenStandalone opens an encoder that needs no workspace, for texts that are neither
// items nor preferences. Their prefix is Options.ItemPrefix, else the model's default.
func OpenStandalone(ctx context.Context, o Options) (Encoder, error) {
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
	return Open(ctx, o, o.ItemPrefix, "")
}

var _ = []Encoder{(*lsa.Model)(nil), (*bert.Model)(nil), (*remote.Client)(nil)}
