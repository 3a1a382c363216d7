package served

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Pictures says what one picture costs in prompt tokens, by model.
type Pictures struct {
	Default int            `yaml:"default"` // of models not listed
	Models  map[string]int `yaml:"models"`  // by name; a name that ends in * stands for all that begin so
}

//go:embed pictures.yaml
var defaultPictures []byte

// DefaultPictures returns the table that comes with the program, to be checked and edited.
func DefaultPictures() *Pictures {
	p, err := ParsePictures(defaultPictures, "pictures.yaml")
	if err != nil {
		panic(err) // compiled in, and tested
	}
	return p
}

// DefaultPicturesYAML returns the same table as a file to edit.
func DefaultPicturesYAML() []byte { return bytes.Clone(defaultPictures) }

// LoadPictures reads such a table from a YAML file.
func LoadPictures(path string) (*Pictures, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("read the table of picture tokens: %w", err), "give the path of a YAML table")
	}
	return ParsePictures(data, path)
}

// ParsePictures reads such a table; name is for messages.
func ParsePictures(data []byte, name string) (*Pictures, error) {
	const hint = "the table reads: default: N, then models: and for each name the tokens of one picture"
	var p Pictures
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&p); err != nil {
		return nil, usererr.Wrap(fmt.Errorf("table of picture tokens %s: %w", name, err), hint)
	}
	if p.Default <= 0 || p.Default > maxWindow {
		return nil, usererr.New(hint, "table of picture tokens %s: the default must be a number from 1 to %d", name, maxWindow)
	}
	for model, n := range p.Models {
		if n < 0 || n > maxWindow {
			return nil, usererr.New(hint, "table of picture tokens %s: model %q: %d is not a number from 0 to %d", name, model, n, maxWindow)
		}
		if at := strings.IndexByte(model, '*'); at >= 0 && at != len(model)-1 {
			return nil, usererr.New(hint, "table of picture tokens %s: model %q: * may only stand at the end", name, model)
		}
	}
	return &p, nil
}

// Tokens returns what a picture costs and whether the model is listed.
func (p *Pictures) Tokens(model string) (int, bool) {
	model = strings.ToLower(model)
	best, length := p.Default, -1
	for name, n := range p.Models {
		name = strings.ToLower(name)
		if name == model {
			return n, true
		}
		if prefix, ok := strings.CutSuffix(name, "*"); ok && strings.HasPrefix(model, prefix) && len(prefix) > length {
			best, length = n, len(prefix)
		}
	}
	return best, length >= 0
}
