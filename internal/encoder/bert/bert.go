// Package bert computes sentence vectors with BERT models in the format of
// Sentence-Transformers. The paper encodes texts so (Eq. 5 and 13), with all-MiniLM-L6-v2
// and its 384 dimensions.
//
// The transformer is that of BERT (Devlin et al. 2019, arXiv:1810.04805) on Vaswani et
// al. 2017 (arXiv:1706.03762):
//
//	x = LN(word + position + type)
//	a = LN(x + W_o·concat_heads softmax(Q·Kᵀ/√d)·V),  Q, K, V = W_q·x, W_k·x, W_v·x
//	x = LN(a + W_down·GELU(W_up·a)),  GELU(z) = z·Φ(z)
//
// and the sentence vector is the mean of the token rows, or the row of [CLS], divided
// by its norm where the model says so (Reimers & Gurevych 2019, arXiv:1908.10084).
// Sequences are packed one after the other, so that nothing is computed for padding.
package bert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/encoder/wordpiece"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Long says what is done with a text that has more tokens than the model reads.
type Long string

const (
	// Truncate encodes the beginning, as Sentence-Transformers does.
	Truncate Long = "truncate"
	// Mean encodes consecutive windows and averages their vectors, weighted by their number of
	// tokens.
	Mean Long = "mean"
)

// Options of a model. The zero value uses the settings in the model's files.
type Options struct {
	Long      Long    // "" is Truncate
	Prompt    string  // name of a prompt in config_sentence_transformers.json, such as "query"
	Prefix    *string // put before each text instead of a prompt: "query: " for E5
	MaxTokens int     // most tokens read of a text, special tokens included; 0: the model's own limit
}

// Model is a sentence encoder. It is safe for concurrent use.
type Model struct {
	net        *network
	tok        *wordpiece.Tokenizer
	pooling    pooling
	normalize  bool
	maxTokens  int
	long       Long
	prefix     string
	prompts    map[string]string
	name, hash string
}

// Load reads a model folder: config.json, modules.json, 1_Pooling/config.json,
// sentence_bert_config.json, tokenizer.json or vocab.txt, model.safetensors. A model
// that is not supported is an error of the user, which says why.
func Load(dir string, opt Options) (*Model, error) {
	m, err := load(dir, opt)
	if err != nil {
		return nil, fmt.Errorf("loading the sentence encoder: %w", err)
	}
	return m, nil
}

func load(dir string, opt Options) (*Model, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	m := &Model{pooling: c.pooling, normalize: c.normalize, maxTokens: c.maxTokens, prompts: c.prompts, name: modelName(dir)}
	if err := m.configure(c, opt); err != nil {
		return nil, err
	}
	if m.tok, err = wordpiece.Load(c.dir); err != nil {
		return nil, err
	}
	if c.lower {
		m.tok = m.tok.WithLowerCase()
	}
	if m.net, err = loadNetwork(c); err != nil {
		return nil, err
	}
	if m.tok.Size() > m.net.vocab {
		return nil, usererr.New("The tokenizer belongs to another model. Pull the model again.",
			"%s: the tokenizer has ids up to %d, the model %d embeddings", c.dir, m.tok.Size()-1, m.net.vocab)
	}
	before, after := m.tok.Special()
	if room := m.maxTokens - len(before) - len(after) - len(m.tok.Tokens(m.prefix)); room < 1 {
		return nil, usererr.New("", "the model reads %d tokens: the prefix %q leaves no room for a text", m.maxTokens, m.prefix)
	}
	m.hash, err = m.fingerprint(dir, c.dir)
	return m, err
}

func (m *Model) configure(c config, opt Options) error {
	switch opt.Long {
	case "":
		m.long = Truncate
	case Truncate, Mean:
		m.long = opt.Long
	default:
		return usererr.New("", "unknown treatment of long texts %q; valid: truncate, mean", opt.Long)
	}
	name := opt.Prompt
	if name == "" {
		name = c.prompt
	}
	switch {
	case opt.Prefix != nil && opt.Prompt != "":
		return usererr.New("", "a prefix and a prompt name are given; give one")
	case opt.Prefix != nil:
		m.prefix = *opt.Prefix
	case name != "":
		prefix, ok := c.prompts[name]
		if !ok {
			return usererr.New("A prefix can also be given as it is.", "the model defines no prompt %q; it has: %s", name, listKeys(c.prompts))
		}
		m.prefix = prefix
	}
	if opt.MaxTokens < 0 || opt.MaxTokens > c.net.Positions {
		return usererr.New("", "%d tokens a text asked for; the model has %d positions", opt.MaxTokens, c.net.Positions)
	}
	if opt.MaxTokens > 0 {
		m.maxTokens = opt.MaxTokens
	}
	return nil
}

func listKeys(m map[string]string) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// Dim returns the number of dimensions of a vector.
func (m *Model) Dim() int { return m.net.hidden }

// ID names the model and all settings that determine a vector.
func (m *Model) ID() string { return "bert/1 " + m.name + " sha256:" + m.hash }

// MaxTokens is the largest number of tokens of a text that the model reads, special tokens and
// prefix included.
func (m *Model) MaxTokens() int { return m.maxTokens }

// LongMode says what is done with texts that have more tokens than MaxTokens.
func (m *Model) LongMode() string { return string(m.long) }

// Prompts returns the prefixes that the model defines, by name.
func (m *Model) Prompts() map[string]string { return maps.Clone(m.prompts) }

// Prefix is what is put before each text.
func (m *Model) Prefix() string { return m.prefix }

// modelName is "org/name" for a snapshot in the hub's cache, else the folder's name.
func modelName(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	snapshots := filepath.Dir(abs)
	if name, ok := strings.CutPrefix(filepath.Base(filepath.Dir(snapshots)), "models--"); ok && filepath.Base(snapshots) == "snapshots" {
		return strings.ReplaceAll(name, "--", "/")
	}
	return filepath.Base(abs)
}

// fingerprint hashes every file and every setting that a vector depends on.
func (m *Model) fingerprint(root, dir string) (string, error) {
	sum := sha256.New()
	for _, path := range []string{
		filepath.Join(root, "modules.json"), filepath.Join(dir, "config.json"), filepath.Join(dir, "tokenizer_config.json"),
		filepath.Join(dir, "tokenizer.json"), filepath.Join(dir, "vocab.txt"), filepath.Join(dir, weightsFile),
	} {
		if err := hashFile(sum, path); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(sum, "pooling %d normalize %t tokens %d long %s prefix %q lower %s", m.pooling, m.normalize, m.maxTokens, m.long, m.prefix, m.tok.Settings())
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// hashFile hashes a file's name and content. A missing file counts as empty.
func hashFile(w io.Writer, path string) error {
	fmt.Fprintf(w, "\n%s\n", filepath.Base(path))
	f, err := plainfile.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	if filepath.Base(path) != weightsFile {
		text, err := plainfile.ReadFrom(f, maxTokenizer)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	}
	if _, err := io.Copy(w, f); err != nil { // as long as its header says: it was read before
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// weightsFile is the one file of a model that may be of any size.
const weightsFile = "model.safetensors"

// maxTokenizer bounds the others, in bytes, as the tokenizer does that reads the largest.
const maxTokenizer = 256 << 20
