package static

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

type tensorOf struct {
	name, dtype string
	shape       []int
	data        any // []float32, []int64 or []int8
}

func write(t *testing.T, tensors ...tensorOf) string {
	t.Helper()
	header, body := map[string]any{}, []byte{}
	for _, x := range tensors {
		start := len(body)
		var err error
		if body, err = binary.Append(body, binary.LittleEndian, x.data); err != nil {
			t.Fatal(err)
		}
		header[x.name] = map[string]any{"dtype": x.dtype, "shape": x.shape, "data_offsets": []int{start, len(body)}}
	}
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head, body), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

var vectors = tensorOf{"embeddings", "F32", []int{3, 2}, []float32{1, 2, 3, 4, 5, 6}}

func TestRowsOfTokens(t *testing.T) {
	mapping := tensorOf{"mapping", "I64", []int{4}, []int64{2, 0, 1, 2}}
	short := tensorOf{"mapping", "I32", []int{4}, []int32{2, 0, 1, 2}}
	for name, x := range map[string]struct {
		tensors []tensorOf
		vocab   int
		want    []float32 // of tokens 1, 2, 1
	}{
		"plain":                 {[]tensorOf{vectors}, 3, []float32{3, 4, 5, 6, 3, 4}},
		"Sentence-Transformers": {[]tensorOf{{"embedding.weight", "F32", vectors.shape, vectors.data}}, 3, []float32{3, 4, 5, 6, 3, 4}},
		"mapping":               {[]tensorOf{vectors, mapping}, 4, []float32{1, 2, 3, 4, 1, 2}},
		"mapping of int32":      {[]tensorOf{vectors, short}, 4, []float32{1, 2, 3, 4, 1, 2}},
		"weights":               {[]tensorOf{vectors, {"weights", "F32", []int{3}, []float32{9, 2, 10}}}, 3, []float32{6, 8, 50, 60, 6, 8}},
		"mapping and weights":   {[]tensorOf{vectors, mapping, {"weights", "F32", []int{4}, []float32{9, 2, 10, 9}}}, 4, []float32{2, 4, 30, 40, 2, 4}},
	} {
		table, err := Load(write(t, x.tensors...))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []float32
		err = table.Run(t.Context(), [][]int32{{1, 2, 1}}, func(i int, rows []float32) { got = slices.Clone(rows) })
		if err != nil || table.Vocab() != x.vocab || table.Dim() != 2 || !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, %d tokens, %v, want %v", name, err, table.Vocab(), got, x.want)
		}
	}
}

func TestDamagedTables(t *testing.T) {
	for says, tensors := range map[string][]tensorOf{
		"no table of token vectors":    {{"other", "F32", []int{1, 1}, []float32{1}}},
		"no table of token vectors, ":  {{"embeddings", "F32", []int{2}, []float32{1, 2}}},
		"the vectors are I8":           {{"embeddings", "I8", []int{1, 2}, []int8{1, 2}}},
		"token 1 the row 3 of 3":       {vectors, {"mapping", "I64", []int{2}, []int64{0, 3}}},
		"token 0 the row -1 of 3":      {vectors, {"mapping", "I64", []int{1}, []int64{-1}}},
		"mapping has the shape [1 2]":  {vectors, {"mapping", "I64", []int{1, 2}, []int64{0, 1}}},
		"elements of type I8":          {vectors, {"mapping", "I8", []int{1}, []int8{0}}},
		"weights has the shape [2]; t": {vectors, {"weights", "F32", []int{2}, []float32{1, 2}}},
	} {
		_, err := Load(write(t, tensors...))
		if hint, ok := usererr.Hint(err); !ok || hint == "" || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	table, err := Load(write(t, vectors))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := table.Run(ctx, [][]int32{{0}}, func(int, []float32) {}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
