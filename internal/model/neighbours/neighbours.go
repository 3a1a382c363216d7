// Package neighbours makes the frozen item–item graphs of multimodal models from the items' vectors: each item
// is linked to the most similar ones, itself included, and the graph is normalised by its row sums on
// both sides, although being among the nearest is not mutual.
package neighbours

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Raw returns the k nearest of each item by cosine, itself included, with their cosines. Items
// without a direction have none.
func Raw(x *tensor.Matrix, k int) (*tensor.CSR, error) {
	return itemgraph.TopCosine(context.Background(), x, k, float32(math.Inf(-1)))
}

// Weighted returns Raw with the values s_ij/√(δ_i δ_j), δ being sums of cosines.
func Weighted(x *tensor.Matrix, k int) (*tensor.CSR, error) {
	near, err := Raw(x, k)
	if err != nil {
		return nil, err
	}
	return itemgraph.Normalize(near), nil
}

// Binary returns the same edges with the value 1/√(δ_i δ_j), δ being numbers of edges plus 1e-7.
func Binary(x *tensor.Matrix, k int) (*tensor.CSR, error) {
	near, err := Raw(x, k)
	if err != nil {
		return nil, err
	}
	degree := func(i int) float64 { return float64(near.Indptr[i+1]-near.Indptr[i]) + 1e-7 }
	for i := range near.Rows {
		cols, values := near.Row(i)
		for e, c := range cols {
			values[e] = float32(1 / math.Sqrt(degree(i)) / math.Sqrt(degree(int(c))))
		}
	}
	return near, nil
}

// Mix returns Σ weights_g·graphs_g over the union of their edges.
func Mix(weights []float32, graphs ...*tensor.CSR) *tensor.CSR {
	return join(graphs, func(sum, v float32, g int) float32 { return sum + weights[g]*v })
}

// Max returns the largest value of each edge that any of the graphs has.
func Max(graphs ...*tensor.CSR) *tensor.CSR {
	return join(graphs, func(top, v float32, _ int) float32 { return max(top, v) })
}

// join folds the values of an edge in the order of the graphs, from 0; edges stand by columns.
func join(graphs []*tensor.CSR, fold func(value, v float32, g int) float32) *tensor.CSR {
	n := graphs[0].Rows
	s := &tensor.CSR{Rows: n, Cols: graphs[0].Cols, Indptr: make([]int64, 1, n+1)}
	value, met := make([]float32, s.Cols), make([]bool, s.Cols)
	for i := range n {
		var cols []int32
		for g, graph := range graphs {
			own, values := graph.Row(i)
			for e, c := range own {
				if !met[c] {
					met[c], value[c] = true, 0
					cols = append(cols, c)
				}
				value[c] = fold(value[c], values[e], g)
			}
		}
		slices.Sort(cols)
		for _, c := range cols {
			met[c] = false
			s.Indices, s.Values = append(s.Indices, c), append(s.Values, value[c])
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s
}

// GraphName is the name of the setting by which a model takes the refined item graph in the place of its
// own, the +GR of the paper.
const GraphName = "graph"

// Where the graph comes from.
const (
	Own     = "own"
	Refined = "refined"
)

// Setting returns the setting's description.
func Setting() model.Setting {
	return model.Setting{Name: GraphName, Kind: model.Choice, Default: Own, Choices: []string{Own, Refined},
		Doc: "item graph: the model's own, or the workspace's refined one in its place (the +GR of the paper)"}
}

// Needs adds the refined graph to what a model needs, where it takes it.
func Needs(n model.Needs, v model.Values) model.Needs {
	n.Graph = v.Text(GraphName) == Refined
	return n
}

// Of returns the graph of one modality: made by own, or the refined one.
func Of(in model.Inputs, v model.Values, modality string, own func(x *tensor.Matrix) (*tensor.CSR, error)) (*tensor.CSR, error) {
	if v.Text(GraphName) == Refined {
		return in.Graph, nil
	}
	g, err := own(in.ItemVectors[modality])
	if err != nil {
		return nil, fmt.Errorf("graph of %s vectors: %w", modality, err)
	}
	return g, nil
}
