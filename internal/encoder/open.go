package encoder

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/mllmrec/mllmrec/internal/consent"
	"github.com/mllmrec/mllmrec/internal/encoder/hub"
	"github.com/mllmrec/mllmrec/internal/encoder/lsa"
	"github.com/mllmrec/mllmrec/internal/encoder/remote"
	"github.com/mllmrec/mllmrec/internal/encoder/sentence"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The encoders that need no server; those that ask one are named in remote.Kinds.
const (
	LSA    = "lsa"    // latent semantic analysis, fitted on the item texts of a catalogue
	MiniLM = "minilm" // a sentence encoder run here: all-MiniLM-L6-v2 unless another is named
)

// lsaDim is the number of dimensions of LSA vectors unless the options name another.
const lsaDim = 384

// ollamaURL is the address that Ollama listens at by default. The other servers have no
// usual address, or cost money, so the user must name theirs.
const ollamaURL = "http://localhost:11434"

// Options says which encoder turns texts into vectors. A field that has no effect with
// that encoder must be zero.
type Options struct {
	_       struct{} `group:"Encoder"`
	Encoder string   `option:"encoder" json:"encoder" choices:"lsa,minilm,openai,ollama,tei" default:"lsa" doc:"text encoder (lsa: fitted on the item texts, nothing to download; minilm: sentence encoder run here; the others: servers)"`
	Dim     int      `option:"dim" json:"dim,omitempty" if:"encoder=lsa" default:"384" min:"1" doc:"dimensions of a vector"`
	Seed    uint64   `option:"encoder-seed" json:"seed,omitempty" if:"encoder=lsa" default:"1" doc:"random seed of the randomized SVD"`

	// Model is, for minilm, a model's folder or its name on the hub, hub.DefaultModel
	// when empty; for a server the name of the model, which tei may leave out.
	Model   string `option:"encoder-model" old:"model" json:"model,omitempty" if:"encoder!=lsa" doc:"minilm: folder of a model or its name on the hub (default sentence-transformers/all-MiniLM-L6-v2); servers: name of the model"`
	BaseURL string `option:"encoder-base-url" old:"base-url" json:"base_url,omitempty" if:"encoder=openai|ollama|tei" doc:"address of the server; for openai that which /embeddings is below, where a bare host means its /v1 (default for ollama: http://localhost:11434)"`
	// Long says what becomes of a text with more tokens than the model reads. For
	// minilm: "truncate" (also when empty) or "mean" (the vectors of its windows are
	// averaged). For ollama and tei: "truncate"; when empty such a text is an error,
	// because a server that cuts texts does not report how many it cut.
	Long string `option:"encoder-long" old:"long" json:"long,omitempty" if:"encoder=minilm|ollama|tei" choices:"truncate,mean" doc:"what becomes of texts longer than the model reads: they are cut and counted (truncate; the default of minilm), or their windows are averaged (mean; minilm only); servers refuse them by default"`
	// ItemPrefix and UserPrefix are put before each text. In the terms of retrieval, items
	// are the passages that are searched and preferences are the queries. nil means the
	// model's own prompt for passages or queries, if it defines one, else its default
	// prompt, as in Sentence-Transformers.
	ItemPrefix *string `option:"encoder-item-prefix" old:"item-prefix" json:"item_prefix,omitempty" if:"encoder!=lsa" doc:"text before each item text, such as 'passage: ' for E5 (default: the model's own prompt)"`
	UserPrefix *string `option:"encoder-user-prefix" old:"user-prefix" json:"user_prefix,omitempty" if:"encoder!=lsa" doc:"text before each preference or sentence, such as 'query: ' for E5 (default: the model's own prompt)"`

	Batch       int    `option:"encoder-batch" old:"batch" json:"batch,omitempty" if:"encoder=openai|ollama|tei" runs:"process" min:"0" doc:"texts in one request (default 32)"`
	Concurrency int    `option:"encoder-concurrency" old:"concurrency" json:"concurrency,omitempty" if:"encoder=openai|ollama|tei" runs:"process" min:"0" max:"1024" doc:"requests in flight (default 4)"`
	APIKeyEnv   string `option:"encoder-api-key-env" old:"api-key-env" json:"api_key_env,omitempty" if:"encoder=openai|ollama|tei" runs:"process" doc:"environment variable that holds the server's key"`
}

// Check refuses options that have no effect with the encoder, and impossible values.
func (o Options) Check() error {
	if err := option.Of(&o).Check(); err != nil {
		return err
	}
	server := o.isServer()
	if server && o.Long != "" && o.Long != string(sentence.Truncate) {
		return usererr.New("A server can cut long texts (truncate); averaging windows (mean) is the built-in encoder's, minilm.",
			"%s %s: no such treatment of long texts by the encoder %s", usererr.Option("encoder-long"), o.Long, o.Encoder)
	}
	if server && o.Encoder != "ollama" && o.BaseURL == "" {
		return usererr.New("Give the server's base URL, such as http://localhost:8080.", "encoder %s needs %s", o.Encoder, usererr.Option("encoder-base-url"))
	}
	if (o.Encoder == "openai" || o.Encoder == "ollama") && o.Model == "" {
		return usererr.New("Name an embedding model that the server has.", "encoder %s needs %s", o.Encoder, usererr.Option("encoder-model"))
	}
	return nil
}

// Grants lists what the options would have the program send to or read: what needs the
// user's consent where a workspace named it.
func (o Options) Grants() (all []consent.Grant) {
	switch {
	case o.isServer():
		url := o.BaseURL
		if url == "" {
			url = ollamaURL
		}
		if url != ollamaURL || o.APIKeyEnv != "" {
			all = append(all, consent.ServerGrant(url, o.APIKeyEnv, "encoder-base-url", "encoder-api-key-env"))
		}
	case o.Encoder == MiniLM && o.Model != "":
		if info, err := os.Stat(o.Model); filepath.IsAbs(o.Model) || err == nil && info.IsDir() { // else a name on the hub
			all = append(all, consent.PathGrant(consent.Read, o.Model, "encoder-model"))
		}
	}
	return all
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
		o.Long = string(sentence.Truncate)
	}
	m, err := o.loadLocal(nil)
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
		if m, err = o.loadLocal(o.ItemPrefix); err != nil {
			return o, nil, err
		}
	}
	return o, m, nil
}

// promptOf returns the first of the named prompts that the model defines, else its
// default prompt.
func promptOf(m *sentence.Model, names ...string) string {
	prompts := m.Prompts()
	for _, name := range names {
		if p, ok := prompts[name]; ok {
			return p
		}
	}
	return m.Prefix()
}

func (o Options) loadLocal(prefix *string) (*sentence.Model, error) {
	dir, err := hub.Locate(o.Model, hub.Options{})
	if err != nil {
		return nil, fmt.Errorf("find the sentence encoder: %w", err)
	}
	return sentence.Load(dir, sentence.Options{Long: sentence.Long(o.Long), Prefix: prefix})
}

// Open opens any encoder: the model of lsa from the file that fitted opens, a sentence encoder
// from its folder or the hub's cache, or a client of an embedding server. prefix is put
// before each text; nil means the model's default. Only lsa calls fitted.
// Open does not check the options; see [Options.Check].
func Open(ctx context.Context, o Options, prefix *string, fitted func() (*os.File, error)) (Encoder, error) {
	switch {
	case o.Encoder == LSA:
		f, err := fitted()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		m, err := lsa.Load(f)
		if err != nil {
			return nil, err // not a nil *Model in an interface
		}
		return m, nil
	case o.Encoder == MiniLM:
		m, err := o.loadLocal(prefix)
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
		Truncate: o.Long == string(sentence.Truncate), Batch: o.Batch, Concurrency: o.Concurrency})
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
	return Open(ctx, o, o.ItemPrefix, nil)
}

var _ = []Encoder{(*lsa.Model)(nil), (*sentence.Model)(nil), (*remote.Client)(nil)}
