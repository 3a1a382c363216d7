package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// blockBytes bounds one block of scores: small beside the model, yet with enough users
// in it that packing the item vectors, which each product does anew, costs little.
const blockBytes = 32 << 20

// rowScorer is a [Scorer] that scores one user at a time at no more cost than many: the goroutine that
// selects from a row scores it, while it is in the processor's cache.
type rowScorer interface {
	scoreRow(user int32, dst []float32)
}

// sameForAll is a [Scorer] that gives every user the same scores, none of them NaN or
// infinite: its items are put in order once.
type sameForAll interface {
	commonScores() []float32
}

// pass is the memory of one pass over users.
type pass struct {
	mask   *dataset.Lists
	buf    *tensor.Matrix
	orders map[Scorer][]int32 // of scorers that are the same for all
}

// rows is the number of users in a block.
func (p *pass) rows(r *Ranking) int {
	return min(max(blockBytes/4/max(r.Catalog, 1), 16), 1024, max(len(r.Users), 1))
}

// block returns room for the scores of some users.
func (p *pass) block(rows, items int) *tensor.Matrix {
	if p.buf == nil || p.buf.Cols != items || p.buf.Rows < rows {
		p.buf = tensor.New(rows, items)
	}
	return p.buf.RowRange(0, rows)
}

// rank fills the ranking's rows from lo to hi, exclusive.
func (p *pass) rank(s Scorer, r *Ranking, lo, hi int) error {
	switch s := s.(type) {
	case sameForAll:
		p.walk(p.order(s), s.commonScores(), r, lo, hi)
		return nil
	case rowScorer:
		scores := p.block(hi-lo, r.Catalog)
		return p.selectBlock(r, scores, lo, s.scoreRow)
	}
	scores := p.block(hi-lo, r.Catalog)
	if err := s.Scores(r.Users[lo:hi], scores); err != nil {
		return fmt.Errorf("rank users: %w", err)
	}
	return p.selectBlock(r, scores, lo, nil)
}

// selectBlock masks a block of scores, whose first row is ranking row lo, and fills
// the ranking's rows from it. Where score is given, it scores the rows first.
func (p *pass) selectBlock(r *Ranking, scores *tensor.Matrix, lo int, score func(user int32, dst []float32)) error {
	suspect := make([]bool, scores.Rows)
	tensor.Parallel(scores.Rows, 8, func(from, to int) {
		var spare []float32 // for scores that are not kept
		if r.Scores == nil {
			spare = make([]float32, r.K)
		}
		for b := from; b < to; b++ {
			row, at := scores.Row(b), lo+b
			if score != nil {
				score(r.Users[at], row)
			}
			if p.mask != nil {
				for _, i := range p.mask.Of(int(r.Users[at])) {
					row[i] = float32(math.Inf(-1))
				}
			}
			sum := tensor.Sum(row) // NaN if any score is (or if both infinities are there)
			suspect[b] = sum != sum
			out := at * r.K
			kept := spare
			if r.Scores != nil {
				kept = r.Scores[out : out+r.K]
			}
			r.Counts[at] = int32(tensor.TopK(row, r.K, r.Items[out:out+r.K], kept))
		}
	})
	for b, s := range suspect {
		if !s {
			continue
		}
		for i, v := range scores.Row(b) {
			if v != v {
				return fmt.Errorf("rank users: score of user row %d for item row %d is NaN", r.Users[lo+b], i)
			}
		}
	}
	return nil
}

// order returns the items by descending score, ties to the lower index.
func (p *pass) order(s sameForAll) []int32 {
	key := s.(Scorer)
	if order, ok := p.orders[key]; ok {
		return order
	}
	scores := s.commonScores()
	order := make([]int32, len(scores))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
	if p.orders == nil {
		p.orders = map[Scorer][]int32{}
	}
	p.orders[key] = order
	return order
}

// walk gives each user the first items of the order that are not masked.
func (p *pass) walk(order []int32, scores []float32, r *Ranking, lo, hi int) {
	tensor.Parallel(hi-lo, 64, func(from, to int) {
		var own []int32
		for at := lo + from; at < lo+to; at++ {
			own = own[:0]
			if p.mask != nil {
				own = append(own, p.mask.Of(int(r.Users[at]))...)
				slices.Sort(own)
			}
			n := 0
			for _, i := range order {
				if n == r.K {
					break
				}
				if _, masked := slices.BinarySearch(own, i); masked {
					continue
				}
				r.Items[at*r.K+n] = i
				if r.Scores != nil {
					r.Scores[at*r.K+n] = scores[i]
				}
				n++
			}
			r.Counts[at] = int32(n)
		}
	})
}
