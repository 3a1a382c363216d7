// Package sentence computes sentence vectors with a model's folder in the format of
// Sentence-Transformers. The paper encodes texts so (Eq. 5 and 13), with all-MiniLM-L6-v2
// and its 384 dimensions.
//
// A folder names a network, one of the transformers of package transformer or a table of
// token vectors of package static, its tokenizer, and how the rows of the tokens become one
// vector: their mean, or the row of the first token, divided by its norm where the model says
// so (Reimers & Gurevych 2019, arXiv:1908.10084).
package sentence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/encoder/static"
	"github.com/mllmrec/mllmrec/internal/encoder/tokenizer"
	"github.com/mllmrec/mllmrec/internal/encoder/transformer"
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
	family     string // of the network, for the id
	net        network
	tok        *tokenizer.Tokenizer
	pooling    pooling
	normalize  bool
	maxTokens  int
	long       Long
	prefix     string
	prompts    map[string]string
	name, hash string

	maxChars    int  // model2vec: characters of a text that are looked at; 0: all
	dropUnknown bool // model2vec: unknown tokens have no part in the mean
}

// network computes rows of numbers for the tokens of sequences.
type network interface {
	Dim() int
	Vocab() int
	Run(ctx context.Context, seqs [][]int32, each func(i int, rows []float32)) error
}

// Load reads a model folder: modules.json, config.json, 1_Pooling/config.json,
// sentence_bert_config.json, tokenizer.json or vocab.txt, model.safetensors. A model
// that is not supported is an error of the user, which says why.
func Load(dir string, opt Options) (*Model, error) {
	m, err := load(dir, opt)
	if err != nil {
		return nil, fmt.Errorf("loading the sentence encoder: %w", err)
	}
	return m, nil
}

// Check looks at the small files of a folder, without tokenizer and weights: nil if the model
// is one that is run. So a model is refused before its weights are downloaded.
func Check(dir string) error {
	_, err := readConfig(dir)
	return err
}

func load(dir string, opt Options) (*Model, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	m := &Model{family: c.family(), pooling: c.pooling, normalize: c.normalize, maxTokens: c.maxTokens, prompts: c.prompts, name: modelName(dir)}
	if err := m.readTokenizer(&c); err != nil {
		return nil, err
	}
	if err := m.configure(c, opt); err != nil {
		return nil, err
	}
	if err := m.readNetwork(c); err != nil {
		return nil, err
	}
	if m.tok.Size() > m.net.Vocab() {
		return nil, usererr.New("The tokenizer belongs to another model. Pull the model again.",
			"%s: the tokenizer has ids up to %d, the model %d embeddings", c.dir, m.tok.Size()-1, m.net.Vocab())
	}
	before, after := m.tok.Special()
	if room := m.maxTokens - len(before) - len(after) - len(m.tok.Tokens(m.prefix)); room < 1 {
		return nil, usererr.New("", "the model reads %d tokens: the prefix %q leaves no room for a text", m.maxTokens, m.prefix)
	}
	m.hash, err = m.fingerprint(dir, c.dir)
	return m, err
}

// readTokenizer also finds how much a table of token vectors reads, which the tokenizer says.
func (m *Model) readTokenizer(c *config) (err error) {
	if c.kind == transformers {
		if m.tok, err = tokenizer.Load(c.dir); err != nil {
			return err
		}
		if c.lower {
			m.tok = m.tok.WithLowerCase()
		}
		return nil
	}
	if m.tok, err = tokenizer.LoadPlain(c.dir); err != nil {
		return err
	}
	if c.kind == model2vec {
		m.dropUnknown, m.maxChars = true, c.model2vec.maxChars(m.tok.MedianLength())
	} else if limit := m.tok.Limit(); limit > 0 {
		c.maxTokens, m.maxTokens = limit, limit
	}
	return nil
}

func (m *Model) readNetwork(c config) error {
	path := filepath.Join(c.dir, weightsFile)
	var err error
	if c.kind == transformers {
		m.net, err = transformer.Load(path, c.net)
	} else {
		m.net, err = static.Load(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return missingWeights(c.dir)
	}
	return err
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
	if opt.MaxTokens < 0 || c.kind == transformers && opt.MaxTokens > c.net.MaxTokens() {
		return usererr.New("", "%d tokens a text asked for; the model has %d positions", opt.MaxTokens, c.net.MaxTokens())
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
func (m *Model) Dim() int { return m.net.Dim() }

// ID names the model and all settings that determine a vector.
func (m *Model) ID() string { return m.family + "/1 " + m.name + " sha256:" + m.hash }

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
	if m.dropUnknown {
		fmt.Fprintf(sum, "known tokens of %d characters ", m.maxChars)
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
