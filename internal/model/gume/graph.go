package gume

import (
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/gated"
	"github.com/mllmrec/mllmrec/internal/model/neighbours"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// widened returns the user–item graph with edges from each item to those that are among its nearest by
// both modalities. An edge i→j need not have its counterpart; degrees are row sums.
func widened(in model.Inputs, names []string, k int) (gated.Graph, error) {
	var near [2]*tensor.CSR
	for m, name := range names {
		g, err := neighbours.Raw(in.ItemVectors[name], k)
		if err != nil {
			return gated.Graph{}, err
		}
		near[m] = g
	}
	plain := bipartite.Normalised(in.Train, 0)
	users := in.Users
	a := &tensor.CSR{Rows: plain.Rows, Cols: plain.Cols, Indptr: make([]int64, 1, plain.Rows+1)}
	for node := range plain.Rows {
		cols, _ := plain.Row(node)
		a.Indices = append(a.Indices, cols...)
		if node >= users {
			one, _ := near[0].Row(node - users)
			two, _ := near[1].Row(node - users)
			for _, j := range one { // columns ascend, and items stand behind users
				if _, both := slices.BinarySearch(two, j); both && int(j) != node-users {
					a.Indices = append(a.Indices, j+int32(users))
				}
			}
		}
		a.Indptr = append(a.Indptr, int64(len(a.Indices)))
	}
	root := func(node int) float64 {
		if n := a.Indptr[node+1] - a.Indptr[node]; n > 0 {
			return 1 / math.Sqrt(float64(n))
		}
		return 0
	}
	for node := range a.Rows {
		for _, c := range a.Indices[a.Indptr[node]:a.Indptr[node+1]] {
			a.Values = append(a.Values, float32(root(node)*root(int(c))))
		}
	}
	return gated.Graph{Adjacency: a, Block: bipartite.Block(a, users)}, nil
}
