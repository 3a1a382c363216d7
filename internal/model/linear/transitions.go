package linear

import (
	"cmp"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// transitionReach is how many places after an item its successors are looked for.
const transitionReach = 3

// Transitions counts what is chosen soon after what: T[j, i] is the sum over users of
// 1/distance for i within three places after j, divided by √popularity of i. The lists must
// be in time order; without an order among the interactions it means nothing.
func Transitions(lists *dataset.Lists) *Sparse {
	type step struct {
		to     int32
		weight float32
	}
	popularity := make([]int, lists.Columns)
	from := make([][]step, lists.Columns)
	for u := range lists.Len() {
		items := lists.Of(u)
		for p, j := range items {
			popularity[j]++
			for q := p + 1; q < min(p+1+transitionReach, len(items)); q++ {
				if items[q] != j {
					from[j] = append(from[j], step{items[q], 1 / float32(q-p)})
				}
			}
		}
	}
	lines := make([]line, lists.Columns)
	tensor.Parallel(len(lines), gramGrain, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			steps, l := from[j], &lines[j]
			slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.to, b.to) })
			for e := 0; e < len(steps); {
				to, sum := steps[e].to, float32(0)
				for ; e < len(steps) && steps[e].to == to; e++ {
					sum += steps[e].weight
				}
				l.add(to, float32(float64(sum)/math.Sqrt(float64(popularity[to]))))
			}
		}
	})
	return &Sparse{assemble(lines, lists.Columns)}
}
