package freedom

import (
	"math"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func inputs() model.Inputs {
	return modeltest.Make(modeltest.Shape{Users: 30, Items: 20, Train: 120, Width: 6, Tastes: 3}, 1).Inputs
}

// upper lists the edges of a user–item graph, users first.
func upper(graph *tensor.CSR, users int) (pairs [][2]int32) {
	for u := range users {
		cols, _ := graph.Row(u)
		for _, c := range cols {
			pairs = append(pairs, [2]int32{int32(u), c})
		}
	}
	return pairs
}

// A draw keeps the stated share of the edges, rounded down, each once, none that is not there, and normalises them
// by the degrees that are left.
func TestDrawThinsTheGraph(t *testing.T) {
	in := inputs()
	e := newEdges(in, 0.7)
	total := float64(len(e.by))
	g := e.draw(3)
	pairs := upper(g, in.Users)
	if want := int(total * (1 - 0.7)); len(pairs) != want || g.NNZ() != 2*want {
		t.Fatalf("%d edges of %g, and %d entries, want %d edges", len(pairs), total, g.NNZ(), want)
	}
	if unique := slices.Compact(slices.Clone(pairs)); len(unique) != len(pairs) {
		t.Error("an edge was kept twice")
	}
	degree := make([]int, g.Rows)
	for _, p := range pairs {
		degree[p[0]]++
		degree[p[1]]++
		if !slices.Contains(in.Train.Items(int(p[0])), p[1]-int32(in.Users)) {
			t.Errorf("edge %v is none of the data", p)
		}
	}
	for u := range g.Rows {
		cols, values := g.Row(u)
		for k, c := range cols {
			if want := 1 / math.Sqrt(float64(degree[u]*degree[c])); math.Abs(float64(values[k])-want) > 1e-6 {
				t.Errorf("edge (%d, %d) weighs %v, want %v", u, c, values[k], want)
			}
		}
	}
}

// What is drawn depends on the seed and the epoch, and on nothing that was drawn before.
func TestDrawIsThatOfSeedAndEpoch(t *testing.T) {
	in := inputs()
	one, other := newEdges(in, 0.5), newEdges(in, 0.5)
	other.draw(1)
	other.draw(9)
	if !slices.Equal(one.draw(4).Indices, other.draw(4).Indices) {
		t.Error("a resumed run draws other edges")
	}
	if slices.Equal(one.draw(4).Indices, one.draw(5).Indices) {
		t.Error("two epochs keep the same edges")
	}
	in.Seed++
	if slices.Equal(one.draw(4).Indices, newEdges(in, 0.5).draw(4).Indices) {
		t.Error("two seeds keep the same edges")
	}
}

// A single edge is kept with a probability in proportion to 1/√(degree · degree).
func TestRareEndsAreKeptMoreOften(t *testing.T) {
	in := inputs()
	e := newEdges(in, 0.5)
	e.keep = 1
	var sum float64
	for _, r := range e.rate {
		sum += r
	}
	const draws = 20000
	counts := map[[2]int32]float64{}
	for epoch := range draws {
		counts[upper(e.draw(epoch), in.Users)[0]]++
	}
	var chi float64
	for k, r := range e.rate {
		want := draws * r / sum
		d := counts[[2]int32{e.by[k], e.what[k] + int32(in.Users)}] - want
		chi += d * d / want
	}
	// The sum has a mean of n−1 and a variance of twice that.
	n := float64(len(e.rate) - 1)
	if limit := n + 5*math.Sqrt(2*n); chi > limit {
		t.Errorf("χ² %.0f for %g edges, at most %.0f is chance", chi, n+1, limit)
	}
}

// The thinned graph is for training; vectors are made over the whole one.
func TestRankingUsesTheWholeGraph(t *testing.T) {
	m, err := model.New("freedom", inputs(), nil)
	if err != nil {
		t.Fatal(err)
	}
	before, _, err := m.Represent()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.(model.EpochStarter).StartEpoch(2); err != nil {
		t.Fatal(err)
	}
	after, _, err := m.Represent()
	if err != nil || !slices.Equal(before.Data, after.Data) {
		t.Errorf("the vectors changed with the edges of the epoch (%v)", err)
	}
	batch := model.Batch{Users: []int32{0, 1}, Pos: []int32{1, 2}, Neg: []int32{3, 4}, Rows: []int32{0, 0}}
	loss := func(epoch int) float32 {
		if err := m.(model.EpochStarter).StartEpoch(epoch); err != nil {
			t.Fatal(err)
		}
		tape := autograd.NewTape()
		tape.Reset()
		return m.Loss(tape, batch).Scalar()
	}
	if loss(2) == loss(3) {
		t.Error("the loss takes no notice of the edges of the epoch")
	}
}
