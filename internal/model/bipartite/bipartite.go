// Package bipartite builds the normalised adjacency of the user–item graph that
// graph convolutions propagate over: nodes are the M users, then the N items.
package bipartite

import (
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// LightGCNEpsilon is what LightGCN and its descendants add to the degrees.
const LightGCNEpsilon = 1e-7

// Symmetric returns Â = D^{-1/2} [[0,R],[Rᵀ,0]] D^{-1/2}, (M+N)×(M+N), with
// R the binary train matrix and D the degrees plus 1e-7, as LightGCN and its
// descendants have it. Values are computed in float64. Â is symmetric.
func Symmetric(train *dataset.Histories) *tensor.CSR { return Normalised(train, LightGCNEpsilon) }

// Normalised is Symmetric with eps added to the degrees.
func Normalised(train *dataset.Histories, eps float64) *tensor.CSR {
	return normalised(binary(train), eps)
}

// OfEdges is Normalised over some edges alone: by[e] chose what[e]. Degrees are those of the edges
// given, which differ.
func OfEdges(users, items int, by, what []int32, eps float64) *tensor.CSR {
	lists := &dataset.Lists{Offsets: make([]int, users+1), Items: make([]int32, len(by)), Columns: items}
	for _, u := range by {
		lists.Offsets[u+1]++
	}
	for u := range users {
		lists.Offsets[u+1] += lists.Offsets[u]
	}
	next := slices.Clone(lists.Offsets)
	for e, u := range by {
		lists.Items[next[u]] = what[e]
		next[u]++
	}
	for u := range users {
		slices.Sort(lists.Items[lists.Offsets[u]:lists.Offsets[u+1]])
	}
	return normalised(lists, eps)
}

// Edges returns the edges of the graph, by users and then items: by[e] chose what[e].
func Edges(train *dataset.Histories) (by, what []int32) {
	lists := binary(train)
	for u := range train.Users() {
		for _, i := range lists.Of(u) {
			by, what = append(by, int32(u)), append(what, i)
		}
	}
	return by, what
}

func normalised(byUser *dataset.Lists, eps float64) *tensor.CSR {
	byItem := byUser.Transpose()
	users, items := byUser.Len(), byUser.Columns
	weight := func(u, i int32) float32 {
		return float32(1 / math.Sqrt(float64(len(byUser.Of(int(u))))+eps) / math.Sqrt(float64(len(byItem.Of(int(i))))+eps))
	}
	s := &tensor.CSR{Rows: users + items, Cols: users + items, Indptr: make([]int64, 1, users+items+1)}
	for u := range users {
		for _, i := range byUser.Of(u) {
			s.Indices, s.Values = append(s.Indices, i+int32(users)), append(s.Values, weight(int32(u), i))
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	for i := range items {
		for _, u := range byItem.Of(i) {
			s.Indices, s.Values = append(s.Indices, u), append(s.Values, weight(u, int32(i)))
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s
}

// Mean returns D^{-1}[[0,R],[Rᵀ,0]]: every node takes the mean over its neighbours, and nothing where it has
// none. It is not symmetric.
func Mean(train *dataset.Histories) *tensor.CSR {
	s := Normalised(train, 0)
	for node := range s.Rows {
		cols, values := s.Row(node)
		for e := range cols {
			values[e] = float32(1 / float64(len(cols)))
		}
	}
	return s
}

// RowStochastic returns (D+I)^{-1}([[0,R],[Rᵀ,0]] + I): every node takes the mean over itself and its
// neighbours. It is not symmetric.
func RowStochastic(train *dataset.Histories) *tensor.CSR {
	adjacency := Normalised(train, 0)
	s := &tensor.CSR{Rows: adjacency.Rows, Cols: adjacency.Cols, Indptr: make([]int64, 1, adjacency.Rows+1)}
	for node := range adjacency.Rows {
		cols, _ := adjacency.Row(node)
		at, _ := slices.BinarySearch(cols, int32(node))
		s.Indices = append(s.Indices, cols[:at]...)
		s.Indices = append(s.Indices, int32(node))
		s.Indices = append(s.Indices, cols[at:]...)
		for range len(cols) + 1 {
			s.Values = append(s.Values, float32(1/float64(len(cols)+1)))
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s
}

// Block returns the users × items part of an adjacency of users and items.
func Block(adjacency *tensor.CSR, users int) *tensor.CSR {
	s := &tensor.CSR{Rows: users, Cols: adjacency.Cols - users, Indptr: make([]int64, 1, users+1)}
	for u := range users {
		cols, values := adjacency.Row(u)
		for e, c := range cols {
			if int(c) >= users {
				s.Indices, s.Values = append(s.Indices, c-int32(users)), append(s.Values, values[e])
			}
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s
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
