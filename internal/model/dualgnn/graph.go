package dualgnn

import (
	"cmp"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// users links each user to the k others with whom he has the most train items in common, of equal ones to the
// first; the weights of a user's links are the softmax of the numbers of common items. Who shares nothing with
// anybody has no links.
func users(train *dataset.Histories, k int) *tensor.CSR {
	by, what := bipartite.Edges(train) // distinct, by users
	chosenBy := make([][]int32, train.NumItems())
	for e, i := range what {
		chosenBy[i] = append(chosenBy[i], by[e])
	}
	s := &tensor.CSR{Rows: train.Users(), Cols: train.Users(), Indptr: make([]int64, 1, train.Users()+1)}
	common := make([]int32, train.Users())
	var met []int32
	e := 0
	for u := range train.Users() {
		met = met[:0]
		for ; e < len(by) && int(by[e]) == u; e++ {
			for _, v := range chosenBy[what[e]] {
				if int(v) == u {
					continue
				}
				if common[v] == 0 {
					met = append(met, v)
				}
				common[v]++
			}
		}
		slices.SortFunc(met, func(a, b int32) int {
			return cmp.Or(cmp.Compare(common[b], common[a]), cmp.Compare(a, b))
		})
		near := slices.Clone(met[:min(k, len(met))])
		s.Indices, s.Values = appendSoftmax(s.Indices, s.Values, near, common)
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
		for _, v := range met {
			common[v] = 0
		}
	}
	return s
}

// appendSoftmax appends the links of one user, by number; the first of near has the most in common.
func appendSoftmax(indices []int32, values []float32, near, common []int32) ([]int32, []float32) {
	if len(near) == 0 {
		return indices, values
	}
	top := common[near[0]]
	weight := func(v int32) float64 { return math.Exp(float64(common[v] - top)) }
	var sum float64
	for _, v := range near {
		sum += weight(v)
	}
	slices.Sort(near)
	for _, v := range near {
		indices, values = append(indices, v), append(values, float32(weight(v)/sum))
	}
	return indices, values
}
