package bert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// network holds the weights, in the layout of the forward pass.
type network struct {
	hidden, heads, intermediate, vocab, positions int

	eps       float32
	words     []float32 // vocab × hidden
	places    []float32 // positions × hidden; the type embedding of type 0 is added in
	embedNorm affine
	layers    []layer

	scratches sync.Pool // of *scratch
}

type layer struct {
	qkv, out, up, down linear
	attnNorm, ffnNorm  affine
}

// affine is a layer norm's scale and shift.
type affine struct{ scale, shift []float32 }

func loadNetwork(c config) (*network, error) {
	path := filepath.Join(c.dir, weightsFile)
	tensors, _, err := arrayfile.ReadSafetensors(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingWeights(c.dir)
	}
	if err != nil {
		return nil, err
	}
	n, err := build(c.net, &reader{tensors: tensors})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

func missingWeights(dir string) error {
	for _, name := range []string{"model.safetensors.index.json", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "onnx"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return unsupported("%s has weights as %s only; model.safetensors is needed", dir, name)
		}
	}
	return usererr.New("Pull the model again.", "%s has no model.safetensors", dir)
}

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

func build(c netConfig, r *reader) (*network, error) {
	if _, ok := r.tensors["bert.embeddings.word_embeddings.weight"]; ok {
		r.prefix = "bert."
	}
	n := &network{hidden: c.Hidden, heads: c.Heads, intermediate: c.Intermediate, vocab: c.Vocab, positions: c.Positions,
		eps: float32(*c.Epsilon), scratches: sync.Pool{New: func() any { return new(scratch) }}}
	n.words = r.get("embeddings.word_embeddings.weight", c.Vocab, c.Hidden)
	n.places = r.get("embeddings.position_embeddings.weight", c.Positions, c.Hidden)
	types := r.get("embeddings.token_type_embeddings.weight", max(c.Types, 1), c.Hidden)
	n.embedNorm = r.affine("embeddings.LayerNorm", c.Hidden)
	for i := 0; i < c.Layers && r.err == nil; i++ {
		p := fmt.Sprintf("encoder.layer.%d.", i)
		self := p + "attention.self."
		n.layers = append(n.layers, layer{
			qkv:      r.linear(c.Hidden, c.Hidden, self+"query", self+"key", self+"value"),
			out:      r.linear(c.Hidden, c.Hidden, p+"attention.output.dense"),
			attnNorm: r.affine(p+"attention.output.LayerNorm", c.Hidden),
			up:       r.linear(c.Hidden, c.Intermediate, p+"intermediate.dense"),
			down:     r.linear(c.Intermediate, c.Hidden, p+"output.dense"),
			ffnNorm:  r.affine(p+"output.LayerNorm", c.Hidden),
		})
	}
	if r.err != nil {
		return nil, r.err
	}
	for i := range n.places {
		n.places[i] += types[i%c.Hidden]
	}
	return n, nil
}
