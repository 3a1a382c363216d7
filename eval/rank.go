package eval

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/tensor"
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

// blockBytes bounds one block of scores, so that what the product writes is still in
// cache when the selection reads it.
const blockBytes = 4 << 20

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
	var bad atomic.Int64 // lowest failing row + 1; lowest, so that the error is the same whatever runs first
	tensor.Parallel(scores.Rows, 8, func(from, to int) {
		for b := from; b < to; b++ {
			row, at := scores.Row(b), lo+b
			if mask != nil {
				for _, i := range mask.Of(int(r.Users[at])) {
					row[i] = float32(math.Inf(-1))
				}
			}
			out := at * r.K
			count, ok := top(row, r.Items[out:out+r.K], r.Scores[out:out+r.K])
			r.Counts[at] = int32(count)
			if !ok {
				lower(&bad, int64(b)+1)
			}
		}
	})
	if b := bad.Load(); b > 0 {
		row := scores.Row(int(b - 1))
		for i, v := range row {
			if v != v {
				return fmt.Errorf("rank users: score of user row %d for item row %d is NaN", r.Users[lo+int(b)-1], i)
			}
		}
	}
	return nil
}

// lower sets *x to v when it is unset (0) or larger.
func lower(x *atomic.Int64, v int64) {
	for {
		old := x.Load()
		if old != 0 && old <= v || x.CompareAndSwap(old, v) {
			return
		}
	}
}

// top fills items and values with the best len(items) entries of row, best first,
// equal values in index order, and returns how many there are; -Inf never enters. It
// returns false when a NaN is met. Rows are read front to back, so an equal value that
// comes later never displaces one that is in.
func top(row []float32, items []int32, values []float32) (int, bool) {
	k := len(items)
	count, worst := 0, float32(math.Inf(-1))
	for i := 0; i < len(row); i++ {
		// Most scores are far from the list: pass over them eight at a time. A NaN
		// fails its comparison and stops the skipping.
		for i+8 <= len(row) {
			s := row[i : i+8 : i+8]
			if !(s[0] <= worst && s[1] <= worst && s[2] <= worst && s[3] <= worst &&
				s[4] <= worst && s[5] <= worst && s[6] <= worst && s[7] <= worst) {
				break
			}
			i += 8
		}
		if i == len(row) {
			break
		}
		v := row[i]
		if v <= worst {
			continue
		}
		if v != v {
			return 0, false
		}
		p := count
		if count < k {
			count++
		} else {
			p = k - 1
		}
		for p > 0 && values[p-1] < v {
			p--
		}
		copy(items[p+1:count], items[p:count-1])
		copy(values[p+1:count], values[p:count-1])
		items[p], values[p] = int32(i), v
		if count == k {
			worst = values[k-1]
		}
	}
	return count, true
}
