// Package static looks up a vector for each token: the models of model2vec and the
// StaticEmbedding of Sentence-Transformers. A text's vector is their mean; no network is run.
package static

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Table holds the vectors. It is safe for concurrent use.
type Table struct {
	dim, vocab int
	rows       []float32 // by row
	places     []int64   // the row of each token; nil: the id itself
	weights    []float32 // by token; nil: 1
}

// names are the tensors that hold the vectors: of Sentence-Transformers, of model2vec.
var names = []string{"embedding.weight", "embeddings"}

// Load reads the table from a safetensors file: "embedding.weight" or "embeddings" (rows ×
// dim), and model2vec's "mapping" (tokens → rows) and "weights" (tokens), where it has them.
// fs.ErrNotExist if there is no such file.
func Load(path string) (*Table, error) {
	infos, _, err := arrayfile.StatSafetensors(path)
	if err != nil {
		return nil, err
	}
	name := ""
	for _, info := range infos {
		if slices.Contains(names, info.Name) {
			name = info.Name
			if !slices.Contains([]string{"F32", "F16", "BF16", "F64"}, info.DType) {
				return nil, usererr.New("Choose the model in float32 or float16, or save it again: StaticModel.from_pretrained(NAME, quantize_to='float32').",
					"%s: unsupported model: the vectors are %s", path, info.DType)
			}
		}
	}
	tensors, _, err := arrayfile.ReadSafetensors(path)
	if err != nil {
		return nil, err
	}
	places, placesShape, err := arrayfile.ReadSafetensorsInts(path, "mapping")
	if err != nil {
		return nil, err
	}
	vectors, ok := tensors[name]
	if !ok || len(vectors.Shape) != 2 || vectors.Shape[0] == 0 || vectors.Shape[1] == 0 {
		return nil, damaged(path, "it has no table of token vectors, embedding.weight or embeddings")
	}
	t := &Table{dim: vectors.Shape[1], vocab: vectors.Shape[0], rows: vectors.Data}
	if placesShape != nil {
		if len(placesShape) != 1 {
			return nil, damaged(path, "mapping has the shape %v", placesShape)
		}
		t.places, t.vocab = places, len(places)
		for id, row := range places {
			if row < 0 || row >= int64(vectors.Shape[0]) {
				return nil, damaged(path, "mapping gives token %d the row %d of %d", id, row, vectors.Shape[0])
			}
		}
	}
	if w, ok := tensors["weights"]; ok {
		if !slices.Equal(w.Shape, []int{t.vocab}) {
			return nil, damaged(path, "weights has the shape %v; there are %d tokens", w.Shape, t.vocab)
		}
		t.weights = w.Data
	}
	return t, nil
}

func damaged(path, format string, args ...any) error {
	return usererr.New("Pull the model again.", filepath.Base(path)+": "+format, args...)
}

// Dim is the length of a vector.
func (t *Table) Dim() int { return t.dim }

// Vocab is the number of ids that have a vector.
func (t *Table) Vocab() int { return t.vocab }

// Run hands the vectors of the tokens of each sequence to each, which may be called from
// several goroutines; they are valid until it returns. Ids must be below Vocab.
func (t *Table) Run(ctx context.Context, seqs [][]int32, each func(i int, rows []float32)) error {
	tensor.Parallel(len(seqs), 64, func(lo, hi int) {
		var rows []float32
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			rows = rows[:0]
			for _, id := range seqs[i] {
				rows = t.appendRow(rows, id)
			}
			each(i, rows)
		}
	})
	return ctx.Err()
}

func (t *Table) appendRow(rows []float32, id int32) []float32 {
	at := int64(id)
	if t.places != nil {
		at = t.places[id]
	}
	rows = append(rows, t.rows[at*int64(t.dim):(at+1)*int64(t.dim)]...)
	if t.weights != nil {
		tensor.Scale(t.weights[id], rows[len(rows)-t.dim:])
	}
	return rows
}
