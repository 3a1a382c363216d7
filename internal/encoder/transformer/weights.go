package transformer

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Network holds the weights, in the layout of the forward pass. It is safe for concurrent use.
type Network struct {
	hidden, heads, intermediate, vocab int

	eps       float32
	words     []float32 // vocab × hidden
	places    []float32 // positions × hidden; the type embedding of type 0 is added in
	padding   int32     // positions are numbered from this id; -1: from 0
	embedNorm affine
	layers    []layer
	bias      []float32 // by head and distance, see spreadBias; nil: none
	reach     int       // most tokens of a sequence

	scratches sync.Pool // of *scratch
}

type layer struct {
	qkv, out, up, down linear
	attnNorm, ffnNorm  affine
}

// affine is a layer norm's scale and shift.
type affine struct{ scale, shift []float32 }

// Load reads the weights from a safetensors file; fs.ErrNotExist if there is none.
func Load(path string, c Config) (*Network, error) {
	tensors, _, err := arrayfile.ReadSafetensors(path)
	if err != nil {
		return nil, err
	}
	n, err := build(c, &reader{tensors: tensors})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

// Dim is the length of a token's row.
func (n *Network) Dim() int { return n.hidden }

// Vocab is the number of ids that have an embedding.
func (n *Network) Vocab() int { return n.vocab }

// reader returns tensors by name, and keeps the error of the first that is missing or has
// another shape.
type reader struct {
	tensors map[string]arrayfile.Tensor
	prefix  string
	err     error
}

func (r *reader) get(name string, shape ...int) []float32 {
	t, ok := r.tensors[r.prefix+name]
	if !ok { // names of weights converted from TensorFlow
		old := strings.NewReplacer("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta").Replace(name)
		t, ok = r.tensors[r.prefix+old]
	}
	switch {
	case r.err != nil:
		return nil
	case !ok:
		r.err = usererr.New("The weights belong to another model than config.json. Pull the model again.", "the tensor %s is missing", r.prefix+name)
		return nil
	case !slices.Equal(t.Shape, shape):
		r.err = usererr.New("The weights belong to another model than config.json. Pull the model again.",
			"the tensor %s has shape %v, config.json asks for %v", r.prefix+name, t.Shape, shape)
		return nil
	}
	return t.Data
}

func (r *reader) affine(name string, n int) affine {
	return affine{r.get(name+".weight", n), r.get(name+".bias", n)}
}

// linear reads one fully connected layer, or several side by side that read the same
// input.
func (r *reader) linear(in, out int, names ...string) linear {
	l := linear{in: in, out: out * len(names)}
	var weight []float32
	for _, name := range names {
		w, b := r.get(name+".weight", out, in), r.get(name+".bias", out)
		if len(names) == 1 {
			weight, l.bias = w, b
			break
		}
		weight, l.bias = append(weight, w...), append(l.bias, b...)
	}
	if r.err == nil {
		l.pack(weight)
	}
	return l
}

// setPrefix finds what the file puts before each name.
func (r *reader) setPrefix(prefixes []string, known string) {
	for _, p := range prefixes {
		if _, ok := r.tensors[p+known]; ok {
			r.prefix = p
		}
	}
}

func build(c Config, r *reader) (*Network, error) {
	arch := architectures[c.Type]
	e := arch.embeddings
	r.setPrefix(arch.prefixes, e.words+".weight")
	n := &Network{hidden: c.Hidden, heads: c.Heads, intermediate: c.Intermediate, vocab: c.Vocab, padding: -1, reach: c.MaxTokens(),
		eps: float32(c.Epsilon), scratches: sync.Pool{New: func() any { return new(scratch) }}}
	if arch.padded {
		n.padding = int32(c.Padding)
	}
	n.words = r.get(e.words+".weight", c.Vocab, c.Hidden)
	n.places = r.get(e.places+".weight", c.Positions, c.Hidden)
	var types, relative []float32
	if e.types != "" {
		types = r.get(e.types+".weight", max(c.Types, 1), c.Hidden)
	}
	n.embedNorm = r.affine(e.norm, c.Hidden)
	if e.relative != "" {
		relative = r.get(e.relative+".weight", c.Buckets, c.Heads)
	}
	for i := 0; i < c.Layers && r.err == nil; i++ {
		n.layers = append(n.layers, r.layer(c, arch.layer, i))
	}
	if r.err != nil {
		return nil, r.err
	}
	if types != nil {
		for i := range n.places {
			n.places[i] += types[i%c.Hidden]
		}
	}
	if relative != nil {
		n.bias = spreadBias(relative, c.Buckets, c.Heads, n.reach)
	}
	return n, nil
}

func (r *reader) layer(c Config, name layerNames, i int) layer {
	p := fmt.Sprintf(name.prefix, i)
	return layer{
		qkv:      r.linear(c.Hidden, c.Hidden, p+name.query, p+name.key, p+name.value),
		out:      r.linear(c.Hidden, c.Hidden, p+name.out),
		attnNorm: r.affine(p+name.attnNorm, c.Hidden),
		up:       r.linear(c.Hidden, c.Intermediate, p+name.up),
		down:     r.linear(c.Intermediate, c.Hidden, p+name.down),
		ffnNorm:  r.affine(p+name.ffnNorm, c.Hidden),
	}
}
