package eval

import (
	"context"
	"fmt"
	"math"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Ranking holds the top-K items of some users, best first.
type Ranking struct {
	K       int
	Catalog int     // number of items that were ranked
	Users   []int32 // row r belongs to user Users[r]
	Counts  []int32 // list length of row r; below K when fewer items are left after masking
	Items   []int32 // row r: Items[r*K : r*K+Counts[r]]
	Scores  []float32
}

// List returns row r: item indices and their scores, best first.
func (r *Ranking) List(row int) ([]int32, []float32) {
	lo := row * r.K
	hi := lo + int(r.Counts[row])
	return r.Items[lo:hi:hi], r.Scores[lo:hi:hi]
}

// blockBytes bounds one block of scores: small beside the model, yet with enough users
// in it that packing the item vectors, which each product does anew, costs little.
const blockBytes = 32 << 20

// Rank scores all items for the given users (nil: all) and keeps each user's top k,
// leaving out the items in the user's row of mask (nil: no mask). Ties go to the lower
// item index. Memory is one block of users × items plus the lists.
func Rank(ctx context.Context, s Scorer, mask *dataset.Lists, users []int32, k int) (*Ranking, error) {
	if err := checkRank(s, mask, users, k); err != nil {
		return nil, err
	}
	if users == nil {
		users = make([]int32, s.Users())
		for u := range users {
			users[u] = int32(u)
		}
	}
	n := s.Items()
	k = min(k, n)
	r := &Ranking{K: k, Catalog: n, Users: users, Counts: make([]int32, len(users)),
		Items: make([]int32, len(users)*k), Scores: make([]float32, len(users)*k)}
	rows := min(max(blockBytes/4/max(n, 1), 16), 1024, max(len(users), 1))
	buf := tensor.New(rows, n)
	for lo := 0; lo < len(users); lo += rows {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("rank users: %w", err)
		}
		hi := min(lo+rows, len(users))
		scores := buf.RowRange(0, hi-lo)
		if err := s.Scores(users[lo:hi], scores); err != nil {
			return nil, fmt.Errorf("rank users: %w", err)
		}
		if err := r.selectBlock(scores, mask, lo); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func checkRank(s Scorer, mask *dataset.Lists, users []int32, k int) error {
	if k < 1 {
		return fmt.Errorf("rank users: top %d asked, want at least 1", k)
	}
	if mask != nil && (mask.Len() != s.Users() || mask.Columns != s.Items()) {
		return fmt.Errorf("rank users: mask is %d users × %d items, scorer %d × %d", mask.Len(), mask.Columns, s.Users(), s.Items())
	}
	for _, u := range users {
		if u < 0 || int(u) >= s.Users() {
			return fmt.Errorf("rank users: user row %d is not among the scorer's %d users", u, s.Users())
		}
	}
	return nil
}

// selectBlock masks a block of scores, whose first row is ranking row lo, and fills
// the ranking's rows from it.
func (r *Ranking) selectBlock(scores *tensor.Matrix, mask *dataset.Lists, lo int) error {
	suspect := make([]bool, scores.Rows)
	tensor.Parallel(scores.Rows, 8, func(from, to int) {
		for b := from; b < to; b++ {
			row, at := scores.Row(b), lo+b
			if mask != nil {
				for _, i := range mask.Of(int(r.Users[at])) {
					row[i] = float32(math.Inf(-1))
				}
			}
			sum := tensor.Sum(row) // NaN if any score is (or if both infinities are there)
			suspect[b] = sum != sum
			out := at * r.K
			r.Counts[at] = int32(tensor.TopK(row, r.K, r.Items[out:out+r.K], r.Scores[out:out+r.K]))
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
