// Package bipartite builds the normalised adjacency of the user–item graph that
// graph convolutions propagate over: nodes are the M users, then the N items.
package bipartite

import (
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Symmetric returns Â = D^{-1/2} [[0,R],[Rᵀ,0]] D^{-1/2}, (M+N)×(M+N), with
// R the binary train matrix and D the degrees plus 1e-7, as LightGCN and its
// descendants have it. Values are computed in float64. Â is symmetric.
func Symmetric(train *dataset.Histories) *tensor.CSR {
	users, items := train.Users(), train.NumItems()
	byUser := binary(train)
	byItem := byUser.Transpose()
	s := &tensor.CSR{Rows: users + items, Cols: users + items, Indptr: make([]int64, 1, users+items+1)}
	for u := range users {
		for _, i := range byUser.Of(u) {
			s.Indices = append(s.Indices, i+int32(users))
			s.Values = append(s.Values, weight(len(byUser.Of(u)), len(byItem.Of(int(i)))))
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	for i := range items {
		for _, u := range byItem.Of(i) {
			s.Indices = append(s.Indices, u)
			s.Values = append(s.Values, weight(len(byUser.Of(int(u))), len(byItem.Of(i))))
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s
}

func weight(userDegree, itemDegree int) float32 {
	return float32(1 / math.Sqrt(float64(userDegree)+1e-7) / math.Sqrt(float64(itemDegree)+1e-7))
}

// binary returns the distinct train items of each user, ascending.
func binary(train *dataset.Histories) *dataset.Lists {
	b := &dataset.Lists{Offsets: make([]int, 1, train.Users()+1), Columns: train.NumItems()}
	for u := range train.Users() {
		items := slices.Clone(train.Items(u))
		slices.Sort(items)
		b.Items = append(b.Items, slices.Compact(items)...)
		b.Offsets = append(b.Offsets, len(b.Items))
	}
	return b
}
