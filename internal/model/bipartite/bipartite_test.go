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

func small() *dataset.Histories {
	ds := &dataset.Dataset{UserIDs: []string{"a", "b", "c"}, Items: make([]dataset.Item, 4)}
	for _, x := range [][2]int32{{0, 2}, {0, 0}, {1, 2}, {1, 3}, {2, 3}} {
		ds.Append(dataset.Interaction{User: x[0], Item: x[1]})
	}
	ds.Sort()
	return ds.TrainHistories()
}

// A graph of all edges is the whole one; of some, it has their degrees alone.
func TestGraphOfSomeEdges(t *testing.T) {
	train := small()
	by, what := Edges(train)
	whole, again := Symmetric(train), OfEdges(3, 4, []int32{by[4], by[0], by[3], by[1], by[2]}, []int32{what[4], what[0], what[3], what[1], what[2]}, LightGCNEpsilon)
	if !slices.Equal(whole.Indices, again.Indices) || !slices.Equal(whole.Values, again.Values) {
		t.Error("all edges, in another order, make another graph")
	}
	some := OfEdges(3, 4, []int32{0, 1}, []int32{2, 2}, 0)
	if v := Block(some, 3); v.NNZ() != 2 || math.Abs(float64(v.Values[0])-1/math.Sqrt(2)) > 1e-6 {
		t.Errorf("%+v", v)
	}
}

func TestRowsOfTheStochasticGraphSumToOne(t *testing.T) {
	s := RowStochastic(small())
	for node := range s.Rows {
		cols, values := s.Row(node)
		var sum float64
		for _, v := range values {
			sum += float64(v)
		}
		if math.Abs(sum-1) > 1e-6 || !slices.IsSorted(cols) || !slices.Contains(cols, int32(node)) {
			t.Errorf("node %d: %v %v", node, cols, values)
		}
	}
	if cols, values := s.Row(4); len(cols) != 1 || values[0] != 1 { // item 1, which nobody chose
		t.Errorf("%v %v", cols, values)
	}
}

func TestBlockIsTheUsersPart(t *testing.T) {
	a := Normalised(small(), 0)
	b := Block(a, 3)
	if b.Rows != 3 || b.Cols != 4 || 2*b.NNZ() != a.NNZ() {
		t.Fatalf("%d×%d with %d", b.Rows, b.Cols, b.NNZ())
	}
	for u := range 3 {
		cols, values := b.Row(u)
		whole, all := a.Row(u)
		for e := range cols {
			if cols[e]+3 != whole[e] || values[e] != all[e] {
				t.Errorf("user %d", u)
			}
		}
	}
}
