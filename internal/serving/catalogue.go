// Package serving ranks the whole catalogue for the people who ask: many users' vectors
// against all item vectors in one product, then the best of each row.
//
// It serves users of the training data and people never seen alike; where their vectors
// come from is not its business. What is measured on held-out interactions goes through
// package eval.
package serving

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Catalogue holds the item vectors of a run, laid out once for products with user
// vectors. It is safe for concurrent use.
type Catalogue struct {
	items, width int
	packed       *tensor.Packed // nil where there is no item, or no width
}

// NewCatalogue copies the item vectors, one row an item.
func NewCatalogue(items *tensor.Matrix) *Catalogue {
	c := &Catalogue{items: items.Rows, width: items.Cols}
	if items.Rows > 0 && items.Cols > 0 {
		c.packed = tensor.Pack(true, items.Cols, items.Rows, items.Data, items.Cols)
	}
	return c
}

// Items returns the number of items.
func (c *Catalogue) Items() int { return c.items }

// A block of scores takes at most blockBytes, unless the catalogue is so large that these
// are the scores of fewer than minRows users: a product should read the item vectors for
// several users at a time.
const (
	blockBytes = 8 << 20
	minRows    = 16
)

// Rank returns for each row of users the k items of the highest inner product with it,
// best first, and these scores; ties go to the lower item row. The items that skip names
// for the row are left out (nil: none are); Rank calls it once a row, in order. A list is
// shorter than k where fewer items are left.
//
// A row's scores have the same bits, and so its list is the same, whatever other rows are
// in the batch and however many processors there are.
func (c *Catalogue) Rank(users *tensor.Matrix, k int, skip func(row int) []int32) (items [][]int32, scores [][]float32, err error) {
	if k < 1 {
		return nil, nil, fmt.Errorf("rank the catalogue: top %d asked, want at least 1", k)
	}
	if users.Cols != c.width {
		return nil, nil, fmt.Errorf("rank the catalogue: user vectors have %d dimensions, item vectors %d", users.Cols, c.width)
	}
	return RankScores(users.Rows, c.items, k, func(lo, hi int, dst *tensor.Matrix) error {
		return c.Score(users.RowRange(lo, hi), dst)
	}, skip)
}

// RankScores is [Catalogue.Rank] for n people whose scores are not inner products: score
// writes those of people lo to hi, exclusive, to the rows of dst, a (hi-lo)×catalogue matrix
// with arbitrary content.
func RankScores(n, catalogue, k int, score func(lo, hi int, dst *tensor.Matrix) error, skip func(row int) []int32) (items [][]int32, scores [][]float32, err error) {
	if k < 1 {
		return nil, nil, fmt.Errorf("rank the catalogue: top %d asked, want at least 1", k)
	}
	items, scores = make([][]int32, n), make([][]float32, n)
	rows := min(max(blockBytes/4/max(catalogue, 1), minRows), n)
	memory := room(rows * catalogue)
	defer blocks.Put(memory)
	for lo := 0; lo < n; lo += rows {
		hi := min(lo+rows, n)
		block := tensor.FromSlice(hi-lo, catalogue, (*memory)[:(hi-lo)*catalogue])
		if err := score(lo, hi, block); err != nil {
			return nil, nil, err
		}
		if err := leaveOut(block, lo, skip); err != nil {
			return nil, nil, err
		}
		if err := best(block, lo, k, items[lo:hi], scores[lo:hi]); err != nil {
			return nil, nil, err
		}
	}
	return items, scores, nil
}

var blocks sync.Pool // of *[]float32, blocks of scores

// room returns memory for n scores.
func room(n int) *[]float32 {
	memory, ok := blocks.Get().(*[]float32)
	if !ok {
		memory = new([]float32)
	}
	*memory = slices.Grow((*memory)[:0], n)[:n]
	return memory
}

// Score writes the inner products of users and items. The packed product sums an element
// in the same order for one row as for many.
func (c *Catalogue) Score(users, scores *tensor.Matrix) error {
	if users.Cols != c.width {
		return fmt.Errorf("rank the catalogue: user vectors have %d dimensions, item vectors %d", users.Cols, c.width)
	}
	if c.packed == nil {
		clear(scores.Data)
		return nil
	}
	c.packed.Mul(users, scores)
	return nil
}

// leaveOut lowers the scores of skipped items to -Inf. Row r of the block is row lo+r of
// the batch.
func leaveOut(block *tensor.Matrix, lo int, skip func(row int) []int32) error {
	if skip == nil {
		return nil
	}
	for r := range block.Rows {
		row := block.Row(r)
		for _, i := range skip(lo + r) {
			if i < 0 || int(i) >= len(row) {
				return fmt.Errorf("rank the catalogue: leave item row %d out for user row %d: there are %d items", i, lo+r, len(row))
			}
			row[i] = float32(math.Inf(-1))
		}
	}
	return nil
}

// best selects the top k of each row of the block into items and scores.
func best(block *tensor.Matrix, lo, k int, items [][]int32, scores [][]float32) error {
	k = min(k, block.Cols)
	indices, values := make([]int32, block.Rows*k), make([]float32, block.Rows*k)
	nan := make([]int, block.Rows)
	tensor.Parallel(block.Rows, 8, func(from, to int) {
		for r := from; r < to; r++ {
			nan[r] = tensor.FirstNaN(block.Row(r))
			at := r * k
			n := tensor.TopK(block.Row(r), k, indices[at:at+k], values[at:at+k])
			items[r], scores[r] = indices[at:at+n:at+n], values[at:at+n:at+n]
		}
	})
	for r, i := range nan {
		if i >= 0 {
			return fmt.Errorf("rank the catalogue: the score of user row %d for item row %d is not a number", lo+r, i)
		}
	}
	return nil
}
