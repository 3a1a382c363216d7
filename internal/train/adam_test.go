package train

import (
	"runtime"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/rng"
)

// Adam on a table moves every row, those outside the batch by their momentum, as it moves a whole
// parameter of which the batch's rows were gathered: to the last bit, at any GOMAXPROCS.
func TestAdamOnATableIsAdamOnAWholeParameter(t *testing.T) {
	const rows, cols = 300, 256 // more elements than one worker takes at once
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	table, whole := autograd.NewTable("p", rows, cols), autograd.NewParam("p", rows, cols)
	r := rng.Stream(1, "values", 0)
	for i := range whole.Value.Data {
		whole.Value.Data[i] = float32(r.NormFloat64())
	}
	copy(table.Value.Data, whole.Value.Data)
	one, other := NewAdam([]*autograd.Param{table}, 1e-3), NewAdam([]*autograd.Param{whole}, 1e-3)
	tape := autograd.NewTape()
	for step := range 5 {
		batch := []int32{int32(step), 7, int32(299 - step), 120}
		tape.Reset()
		tape.Backward(tape.SquaredNorm(1, tape.ParamRows(table, batch)))
		one.Step(0.01)
		tape.Reset()
		tape.Backward(tape.SquaredNorm(1, tape.Gather(tape.Param(whole), batch)))
		other.Step(0.01)
	}
	if !slices.Equal(table.Value.Data, whole.Value.Data) || !slices.Equal(one.m[0], other.m[0]) || !slices.Equal(one.v[0], other.v[0]) {
		t.Error("values or moments differ")
	}
}
