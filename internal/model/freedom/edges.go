package freedom

import (
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/rng"
)

// edges draws a part of the user–item edges for each epoch.
type edges struct {
	users, items int
	by, what     []int32
	rate         []float64 // of an edge: 1/√(degree of the user · degree of the item)
	keep         int
	seed         uint64
}

func newEdges(in model.Inputs, drop float64) *edges {
	e := &edges{users: in.Users, items: in.Items, seed: in.Seed}
	e.by, e.what = bipartite.Edges(in.Train)
	e.keep = max(1, int(float64(len(e.by))*(1-drop)))
	degrees := [2][]float64{make([]float64, in.Users), make([]float64, in.Items)}
	for n, u := range e.by {
		degrees[0][u]++
		degrees[1][e.what[n]]++
	}
	for n, u := range e.by {
		e.rate = append(e.rate, 1/math.Sqrt(degrees[0][u]*degrees[1][e.what[n]]))
	}
	return e
}

// draw keeps edges without putting any back, each with a probability in proportion to its rate among those
// that are left. The order of exponential waiting times, Exp(1)/rate, is the order of such draws, so the
// shortest are kept (Efraimidis and Spirakis, 2006).
func (e *edges) draw(epoch int) *tensor.CSR {
	r := rng.Stream(e.seed, "freedom edges", uint64(epoch))
	order, wait := make([]int, len(e.rate)), make([]float64, len(e.rate))
	for n, rate := range e.rate {
		order[n], wait[n] = n, r.ExpFloat64()/rate
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case wait[a] < wait[b]:
			return -1
		case wait[a] > wait[b]:
			return 1
		}
		return a - b
	})
	by, what := make([]int32, e.keep), make([]int32, e.keep)
	for n, edge := range order[:e.keep] {
		by[n], what[n] = e.by[edge], e.what[edge]
	}
	return bipartite.OfEdges(e.users, e.items, by, what, bipartite.LightGCNEpsilon)
}
