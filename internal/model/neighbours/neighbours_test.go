package neighbours

import (
	"math"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// By hand: three items in a plane, at 0°, 60° and 90°; cosines 1/2, 0 and √3/2.
var plane = tensor.FromSlice(4, 2, []float32{1, 0, 0.5, float32(math.Sqrt(3) / 2), 0, 1, 0, 0})

func near(t *testing.T, got *tensor.CSR, want [][]float64) {
	t.Helper()
	for i := range got.Rows {
		row := make([]float64, got.Cols)
		cols, values := got.Row(i)
		if !slices.IsSorted(cols) {
			t.Errorf("row %d: columns %v", i, cols)
		}
		for e, c := range cols {
			row[c] = float64(values[e])
		}
		for j, v := range row {
			if math.Abs(v-want[i][j]) > 1e-6 {
				t.Errorf("(%d, %d) is %g, want %g", i, j, v, want[i][j])
			}
		}
	}
}

func TestGraphsByHand(t *testing.T) {
	w, err := Weighted(plane, 2)
	if err != nil {
		t.Fatal(err)
	}
	a, b := 1.5, 1+math.Sqrt(3)/2 // row sums: 1+1/2, 1+√3/2, 1+√3/2
	near(t, w, [][]float64{
		{1 / a, 0.5 / math.Sqrt(a*b), 0, 0},
		{0, 1 / b, math.Sqrt(3) / 2 / b, 0},
		{0, math.Sqrt(3) / 2 / b, 1 / b, 0},
		{0, 0, 0, 0}, // no direction
	})
	bin, err := Binary(plane, 2)
	if err != nil {
		t.Fatal(err)
	}
	near(t, bin, [][]float64{{0.5, 0.5, 0, 0}, {0, 0.5, 0.5, 0}, {0, 0.5, 0.5, 0}, {0, 0, 0, 0}})
	near(t, Mix([]float32{0.25, 2}, w, bin), [][]float64{
		{0.25/a + 1, 0.125/math.Sqrt(a*b) + 1, 0, 0},
		{0, 0.25/b + 1, math.Sqrt(3)/8/b + 1, 0},
		{0, math.Sqrt(3)/8/b + 1, 0.25/b + 1, 0},
		{0, 0, 0, 0},
	})
	near(t, Max(w, bin), [][]float64{
		{1 / a, 0.5, 0, 0},
		{0, 1 / b, 0.5, 0},
		{0, 0.5, 1 / b, 0},
		{0, 0, 0, 0},
	})
}
