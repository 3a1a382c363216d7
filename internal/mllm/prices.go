package mllm

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Price is the price of a million tokens.
type Price struct {
	Input  float64 `yaml:"input"`
	Output float64 `yaml:"output"`
}

// Pictures is the number of prompt tokens of one picture, by model.
type Pictures struct {
	Default int            `yaml:"default"` // of models that are not listed
	Models  map[string]int `yaml:"models"`
}

// PriceTable maps models to prices, and to the prompt tokens of a picture. A name that ends
// in * stands for all names with that beginning. An exact name takes precedence over those,
// and a longer beginning over a shorter one.
type PriceTable struct {
	Currency string           `yaml:"currency"`
	AsOf     string           `yaml:"as_of"` // when the prices were looked up
	Models   map[string]Price `yaml:"models"`
	Pictures Pictures         `yaml:"pictures"` // models that are not here are looked up in the built-in table
}

// mostPictureTokens bounds the tokens of a picture. It is more than any context window.
const mostPictureTokens = 1 << 22

//go:embed prices.yaml
var defaultPrices []byte

// DefaultPrices returns the built-in table. Prices change, so users should check them.
func DefaultPrices() *PriceTable {
	t, err := ParsePrices(defaultPrices, "prices.yaml")
	if err != nil {
		panic(err) // compiled in, and tested
	}
	return t
}

var builtIn = sync.OnceValue(DefaultPrices)

// DefaultPricesYAML returns the built-in table as a YAML file that users can edit.
func DefaultPricesYAML() []byte { return bytes.Clone(defaultPrices) }

// LoadPrices reads a price table from a YAML file.
func LoadPrices(path string) (*PriceTable, error) {
	data, err := plainfile.Read(path, 16<<20)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("read the price table: %w", err), "Give the path of a YAML price table.")
	}
	return ParsePrices(data, path)
}

// ParsePrices reads a price table; name is for messages.
func ParsePrices(data []byte, name string) (*PriceTable, error) {
	const hint = "A price table has currency: USD, then models: and for each name {input: …, output: …} per million tokens."
	var t PriceTable
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&t); err != nil && !errors.Is(err, io.EOF) {
		return nil, usererr.Wrap(fmt.Errorf("price table %s: %w", name, err), hint)
	}
	if t.Currency == "" || len(t.Models) == 0 {
		return nil, usererr.New(hint, "price table %s: no currency or no models", name)
	}
	for model, p := range t.Models {
		// Written so that NaN fails too.
		if !(p.Input >= 0 && p.Output >= 0 && p.Input < 1e9 && p.Output < 1e9) {
			return nil, usererr.New(hint, "price table %s: model %q: a price must be a number from 0 up", name, model)
		}
		if !patternOK(model) {
			return nil, usererr.New(hint, "price table %s: model %q: * may only stand at the end", name, model)
		}
	}
	return &t, t.Pictures.check(name)
}

func (p Pictures) check(name string) error {
	const hint = "The pictures of a price table are default: N, then models: and for each name the tokens of one picture."
	if p.Default < 0 || p.Default > mostPictureTokens {
		return usererr.New(hint, "price table %s: %d tokens a picture", name, p.Default)
	}
	for model, n := range p.Models {
		if n < 0 || n > mostPictureTokens || !patternOK(model) {
			return usererr.New(hint, "price table %s: pictures: %q: %d", name, model, n)
		}
	}
	return nil
}

// patternOK reports whether the name has no * but at its end.
func patternOK(name string) bool {
	at := strings.IndexByte(name, '*')
	return at < 0 || at == len(name)-1
}

// Cost returns what the tokens cost and whether the model has a price. A nil table
// prices everything at nothing.
func (t *PriceTable) Cost(model string, promptTokens, answerTokens int) (float64, bool) {
	if t == nil {
		return 0, true
	}
	p, ok := find(t.Models, model)
	return (p.Input*float64(promptTokens) + p.Output*float64(answerTokens)) / 1e6, ok
}

// PictureTokens returns what a picture takes in prompt tokens and whether the model is
// listed. What the table does not say, nil included, the built-in one does.
func (t *PriceTable) PictureTokens(model string) (int, bool) {
	own := Pictures{}
	if t != nil {
		own = t.Pictures
	}
	if n, ok := find(own.Models, model); ok {
		return n, true
	}
	if n, ok := find(builtIn().Pictures.Models, model); ok {
		return n, true
	}
	if own.Default > 0 {
		return own.Default, false
	}
	return builtIn().Pictures.Default, false
}

// find looks a model up by its exact name or by the longest beginning.
func find[V any](models map[string]V, model string) (V, bool) {
	model = strings.ToLower(model)
	var best V
	length := -1
	for name, v := range models {
		name = strings.ToLower(name)
		if name == model {
			return v, true
		}
		if prefix, ok := strings.CutSuffix(name, "*"); ok && strings.HasPrefix(model, prefix) && len(prefix) > length {
			best, length = v, len(prefix)
		}
	}
	return best, length >= 0
}
