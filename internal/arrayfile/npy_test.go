package arrayfile

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/tensor"
)

// numbered returns a matrix whose elements all differ.
func numbered(rows, cols int) *tensor.Matrix {
	m := tensor.New(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(i)*0.37 - 5
	}
	return m
}

func TestNPYRoundTrip(t *testing.T) {
	for _, shape := range [][2]int{{0, 4}, {3, 0}, {1, 1}, {3, 5}, {700, 200}} {
		m := numbered(shape[0], shape[1])
		path := filepath.Join(t.TempDir(), "m.npy")
		if err := WriteNPY(path, m); err != nil {
			t.Fatal(err)
		}
		got, err := ReadNPY(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.Rows != m.Rows || got.Cols != m.Cols || !slices.Equal(got.Data, m.Data) {
			t.Errorf("shape %v does not come back", shape)
		}
	}
}
