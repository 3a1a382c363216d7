package gume

import (
	"math"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func build2(t *testing.T, settings map[string]string) *recommender {
	t.Helper()
	in := modeltest.Make(modeltest.Shape{Users: 30, Items: 24, Train: 140, Width: 10, Tastes: 4}, 3).Inputs
	all := map[string]string{"embedding_dim": "8"}
	for k, v := range settings {
		all[k] = v
	}
	m, err := model.New("gume", in, all)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*recommender)
}

// A disturbance moves every row by the same length, away from zero, by another noise in each step, and by the same
// when an epoch is begun again.
func TestDisturbance(t *testing.T) {
	m := build2(t, map[string]string{"noise": "0.25"})
	z := tensor.FromSlice(2, 3, []float32{1, -2, 0.5, -1, -1, 3})
	draw := func(steps int) *tensor.Matrix {
		if err := m.StartEpoch(4); err != nil {
			t.Fatal(err)
		}
		for range steps {
			m.noise.StartStep()
		}
		tape := autograd.NewTape()
		return m.disturb(tape, tape.Const(z), "test").Value.Clone()
	}
	one, again, two := draw(1), draw(1), draw(2)
	if !slices.Equal(one.Data, again.Data) || slices.Equal(one.Data, two.Data) {
		t.Error("noise is not that of its epoch and step")
	}
	for r := range z.Rows {
		var moved float64
		for j, v := range one.Row(r) {
			d := float64(v - z.Row(r)[j])
			moved += d * d
			if d*float64(z.Row(r)[j]) < 0 {
				t.Errorf("row %d, column %d moves towards zero", r, j)
			}
		}
		if math.Abs(math.Sqrt(moved)-0.25) > 1e-5 {
			t.Errorf("row %d moves by %g", r, math.Sqrt(moved))
		}
	}
}

// Edges between items are those that both modalities have, one way only where only one item is near the other.
func TestWidenedGraph(t *testing.T) {
	in := modeltest.Make(modeltest.Shape{Users: 30, Items: 24, Train: 140, Width: 10, Tastes: 4}, 3).Inputs
	g, err := widened(in, []string{"visual", "text"}, 4)
	if err != nil {
		t.Fatal(err)
	}
	edges := 0
	for node := in.Users; node < g.Adjacency.Rows; node++ {
		cols, values := g.Adjacency.Row(node)
		for e, c := range cols {
			if int(c) == node || values[e] <= 0 {
				t.Errorf("node %d: %v %v", node, cols, values)
			}
			if int(c) >= in.Users {
				edges++
			}
		}
		if !slices.IsSorted(cols) {
			t.Errorf("node %d: columns %v", node, cols)
		}
	}
	if edges == 0 || edges > 24*3 {
		t.Errorf("%d edges between items", edges)
	}
}

func TestOneModalityIsRefused(t *testing.T) {
	in := modeltest.Make(modeltest.Shape{Users: 30, Items: 24, Train: 140, Width: 10, Tastes: 4}, 3).Inputs
	_, err := model.New("gume", in, map[string]string{"modalities": "text"})
	if _, ok := usererr.Hint(err); !ok {
		t.Errorf("error %v", err)
	}
}
