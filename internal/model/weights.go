package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Weights are the parameters of a trained model by name, as its weights file holds them.
type Weights map[string]Tensor

// Tensor is a dense array in row-major order.
type Tensor struct {
	Shape []int
	Data  []float32
}

// Any stands for a size that the weights themselves decide.
const Any = -1

const weightsHint = "The weights are damaged or of another model; train again in a new run."

// Matrix returns the named tensor as a rows×cols matrix that shares its memory; either
// size may be [Any]. A tensor that is missing or of another shape is reported.
func (w Weights) Matrix(name string, rows, cols int) (*tensor.Matrix, error) {
	t, err := w.shaped(name, rows, cols)
	if err != nil {
		return nil, err
	}
	return tensor.FromSlice(t.Shape[0], t.Shape[1], t.Data), nil
}

// Vector returns the named tensor as a vector of n numbers, or [Any] number.
func (w Weights) Vector(name string, n int) ([]float32, error) {
	t, err := w.shaped(name, n)
	return t.Data, err
}

func (w Weights) shaped(name string, want ...int) (Tensor, error) {
	t, ok := w[name]
	if !ok {
		return Tensor{}, usererr.New(weightsHint, "tensor %q is missing", name)
	}
	fits := slices.EqualFunc(t.Shape, want, func(is, want int) bool { return is == want || want == Any && is > 0 })
	if !fits {
		return Tensor{}, usererr.New(weightsHint, "tensor %q has shape %v, want %s", name, t.Shape, shapeText(want))
	}
	return t, nil
}

// shapeText writes a shape as Go does, with * for [Any].
func shapeText(shape []int) string {
	return strings.ReplaceAll(fmt.Sprint(shape), strconv.Itoa(Any), "*")
}
