package bipartite

import (
	"math"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
)

// Worked by hand: user 0 has items 0 and 2 (2 twice), user 1 has item 2, user 2 has
// nothing; item 1 was bought by nobody. Degrees: users 2, 1, 0; items 1, 0, 2.
func TestSymmetricByHand(t *testing.T) {
	ds := &dataset.Dataset{UserIDs: []string{"a", "b", "c"}, Items: make([]dataset.Item, 3)}
	for _, x := range [][2]int32{{0, 2}, {0, 0}, {0, 2}, {1, 2}} {
		ds.Append(dataset.Interaction{User: x[0], Item: x[1]})
	}
	ds.Append(dataset.Interaction{User: 2, Item: 1, Label: dataset.Test})
	ds.Sort()
	a := Symmetric(ds.TrainHistories())
	want := [6][6]float64{}
	set := func(i, j int, v float64) { want[i][j], want[j][i] = v, v }
	set(0, 3, 1/math.Sqrt(2))
	set(0, 5, 0.5)
	set(1, 5, 1/math.Sqrt(2))
	if a.Rows != 6 || a.Cols != 6 || a.NNZ() != 6 {
		t.Fatalf("%d×%d with %d entries", a.Rows, a.Cols, a.NNZ())
	}
	for i := range 6 {
		cols, vals := a.Row(i)
		if !slices.IsSorted(cols) {
			t.Errorf("row %d: columns %v", i, cols)
		}
		for e, j := range cols {
			if math.Abs(float64(vals[e])-want[i][j]) > 1e-6 || want[i][j] == 0 {
				t.Errorf("(%d, %d) = %v, want %v", i, j, vals[e], want[i][j])
			}
		}
	}
	tr := a.Transpose()
	if !slices.Equal(a.Indices, tr.Indices) || !slices.Equal(a.Values, tr.Values) {
		t.Error("not symmetric to the last bit")
	}
}
