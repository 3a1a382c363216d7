package autograd

import (
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/rng"
)

// A table's gradient, kept by rows, is that of a whole parameter of which the same rows were gathered.
func TestTableHasTheGradientOfItsRows(t *testing.T) {
	r := rng.Stream(1, "table", 0)
	table, whole, w := NewTable("table", 9, 8), NewParam("whole", 9, 8), NewParam("w", 3, 8)
	for i := range table.Value.Data {
		table.Value.Data[i] = float32(r.NormFloat64())
	}
	copy(whole.Value.Data, table.Value.Data)
	for i := range w.Value.Data {
		w.Value.Data[i] = float32(r.NormFloat64())
	}
	tape := NewTape()
	for _, rows := range [][]int32{{4, 0, 7}, {1, 8}} { // the second step must forget the first
		tape.Reset()
		tape.Backward(tape.SquaredNorm(0.5, tape.Linear(tape.Gather(tape.Param(whole), rows), tape.Param(w), nil)))
		want := slices.Clone(whole.Grad.Data)
		tape.Reset()
		loss := tape.SquaredNorm(0.5, tape.Linear(tape.ParamRows(table, rows), tape.Param(w), nil))
		if table.HasGrad() {
			t.Error("a gradient before the backward pass")
		}
		tape.Backward(loss)
		if !table.HasGrad() || !slices.Equal(table.GradRows, rows) || !slices.Equal(table.DenseGrad(), want) {
			t.Errorf("rows %v: the table's gradient differs from the whole parameter's", rows)
		}
	}
}

func TestTableIsReadByRowsAndOnce(t *testing.T) {
	table, whole := NewTable("table", 3, 2), NewParam("whole", 3, 2)
	refuses := func(what string, f func(tape *Tape)) {
		defer func() {
			if recover() == nil {
				t.Errorf("%s was accepted", what)
			}
		}()
		tape := NewTape()
		tape.Reset()
		f(tape)
	}
	refuses("a table as a whole", func(tape *Tape) { tape.Param(table) })
	refuses("a parameter by rows", func(tape *Tape) { tape.ParamRows(whole, []int32{1}) })
	refuses("a second reading", func(tape *Tape) { tape.ParamRows(table, []int32{1}); tape.ParamRows(table, []int32{1}) })
}
