package itemgraph

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// jaccardRule turns the sizes of intersection and union into a weight; 0 means no edge.
type jaccardRule struct {
	self   bool // an item may be its own neighbour
	weight func(inter, union int) float32
}

// plainJaccard is Eq. 8 as written, between different items.
var plainJaccard = jaccardRule{false, func(inter, union int) float32 {
	return float32(float64(inter) / float64(union))
}}

// referenceJaccard is what the published code computes: float32 with 1e-7 in the
// denominator, values of exactly 1 dropped. For a union of 2 or more the 1e-7 rounds
// away, so equal audiences give exactly 1 and lose their edge, the diagonal included;
// for a union of 1 it does not, so 0.99999988 stays.
var referenceJaccard = jaccardRule{true, func(inter, union int) float32 {
	denominator := float32(union) + float32(1e-7)
	if j := float32(inter) / denominator; j != 1 {
		return j
	}
	return 0
}}

// TopJaccard returns for each item its k items with the most similar train audience,
// |U_i ∩ U_j| / |U_i ∪ U_j| (Eq. 8, cut by Eq. 9), itself excluded; items without a common user are
// no neighbours, ties go to the lower index, columns ascend. Time is Σ_i Σ_{u∈U_i}
// |T_u|, memory O(N·k).
func TopJaccard(ctx context.Context, train *dataset.Histories, k int) (*tensor.CSR, error) {
	return topJaccard(ctx, train.Lists(), k, plainJaccard)
}

func topJaccard(ctx context.Context, lists *dataset.Lists, k int, rule jaccardRule) (*tensor.CSR, error) {
	items := compact(lists.Sorted())
	users := items.Transpose()
	n := users.Len()
	kept := newBest(n, min(k, max(n, 1)), 0)
	counters := sync.Pool{New: func() any { return &counter{common: make([]int32, n)} }}
	tensor.Parallel(n, 64, func(lo, hi int) {
		if ctx.Err() != nil {
			return
		}
		c := counters.Get().(*counter)
		for i := lo; i < hi; i++ {
			c.count(items, users.Of(i))
			for _, j := range c.touched {
				inter := int(c.common[j])
				c.common[j] = 0
				if int(j) == i && !rule.self {
					continue
				}
				w := rule.weight(inter, len(users.Of(i))+len(users.Of(int(j)))-inter)
				if w > 0 && w >= kept.floor[i] {
					kept.push(i, j, w)
				}
			}
		}
		counters.Put(c)
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("count common users of items: %w", err)
	}
	return kept.csr(), nil
}

// counter counts, for one item, the users it has in common with each other item.
type counter struct {
	common  []int32
	touched []int32
}

func (c *counter) count(items *dataset.Lists, audience []int32) {
	c.touched = c.touched[:0]
	for _, u := range audience {
		for _, j := range items.Of(int(u)) {
			if c.common[j] == 0 {
				c.touched = append(c.touched, j)
			}
			c.common[j]++
		}
	}
}

// compact drops repeats from sorted rows: an audience is a set.
func compact(l *dataset.Lists) *dataset.Lists {
	c := &dataset.Lists{Offsets: make([]int, l.Len()+1), Items: make([]int32, 0, len(l.Items)), Columns: l.Columns}
	for r := range l.Len() {
		c.Items = append(c.Items, slices.Compact(slices.Clone(l.Of(r)))...)
		c.Offsets[r+1] = len(c.Items)
	}
	return c
}
