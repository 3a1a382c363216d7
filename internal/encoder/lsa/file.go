package lsa

import (
	"fmt"
	"os"
	"strconv"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const fileFormat = "mllmrec-lsa/1"

// Save writes the model as a safetensors file: buckets and idf of the terms kept,
// and their projection. Bucket numbers are below 2^24, which float32 holds exactly.
func (m *Model) Save(path string) error {
	buckets := make([]float32, len(m.buckets))
	for i, b := range m.buckets {
		buckets[i] = float32(b)
	}
	err := arrayfile.WriteSafetensors(path, map[string]arrayfile.Tensor{
		"buckets": {Shape: []int{len(buckets)}, Data: buckets},
		"idf":     {Shape: []int{len(m.idf)}, Data: m.idf},
		"project": {Shape: []int{m.project.Rows, m.project.Cols}, Data: m.project.Data},
	}, map[string]string{
		"format":  fileFormat,
		"bits":    strconv.Itoa(m.bits),
		"bigrams": strconv.FormatBool(m.bigrams),
		"id":      m.id,
	})
	if err != nil {
		return fmt.Errorf("save LSA model: %w", err)
	}
	return nil
}

// Load reads a model that Save wrote from an open file and checks it against its own
// digest.
func Load(f *os.File) (*Model, error) {
	tensors, meta, err := arrayfile.SafetensorsOf(f)
	if err != nil {
		return nil, fmt.Errorf("load LSA model: %w", err)
	}
	m, err := fromTensors(tensors, meta)
	if err != nil {
		return nil, usererr.Of(usererr.KindDamaged, "Encode again.", "load LSA model %s: %w", f.Name(), err)
	}
	return m, nil
}

func fromTensors(tensors map[string]arrayfile.Tensor, meta map[string]string) (*Model, error) {
	if meta["format"] != fileFormat {
		return nil, fmt.Errorf("format is %q, want %q", meta["format"], fileFormat)
	}
	bits, err := strconv.Atoi(meta["bits"])
	if err != nil || bits < 8 || bits > 24 {
		return nil, fmt.Errorf("bits is %q, must be 8 to 24", meta["bits"])
	}
	bigrams, err := strconv.ParseBool(meta["bigrams"])
	if err != nil {
		return nil, fmt.Errorf("bigrams is %q, must be true or false", meta["bigrams"])
	}
	buckets, idf, project := tensors["buckets"], tensors["idf"], tensors["project"]
	n := len(buckets.Data)
	if n == 0 || len(idf.Data) != n || len(project.Shape) != 2 || project.Shape[0] != n || project.Shape[1] < 1 {
		return nil, fmt.Errorf("shapes do not fit: buckets %v, idf %v, project %v", buckets.Shape, idf.Shape, project.Shape)
	}
	m := &Model{bits: bits, bigrams: bigrams, idf: idf.Data, buckets: make([]uint32, n),
		project: tensor.FromSlice(n, project.Shape[1], project.Data)}
	for i, b := range buckets.Data {
		if !(b >= 0 && b < float32(int(1)<<bits)) || b != float32(uint32(b)) {
			return nil, fmt.Errorf("bucket %d is %v, must be a whole number below 2^%d", i, b, bits)
		}
		m.buckets[i] = uint32(b)
	}
	for i := 1; i < n; i++ {
		if m.buckets[i] <= m.buckets[i-1] {
			return nil, fmt.Errorf("buckets are not ascending at %d", i)
		}
	}
	m.buildIndex()
	if m.id = m.digest(); m.id != meta["id"] {
		return nil, fmt.Errorf("the numbers do not match the digest in the file: it is torn or was edited")
	}
	return m, nil
}
