package eval

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
)

// Ranking holds the top-K items of some users, best first.
type Ranking struct {
	K       int
	Catalog int       // number of items that were ranked
	Users   []int32   // row r belongs to user Users[r]
	Counts  []int32   // list length of row r; below K when fewer items are left after masking
	Items   []int32   // row r: Items[r*K : r*K+Counts[r]]
	Scores  []float32 // parallel to Items; nil where they were not kept
}

// List returns row r: item indices and their scores, best first, or nil for scores that were
// not kept.
func (r *Ranking) List(row int) ([]int32, []float32) {
	lo := row * r.K
	hi := lo + int(r.Counts[row])
	if r.Scores == nil {
		return r.Items[lo:hi:hi], nil
	}
	return r.Items[lo:hi:hi], r.Scores[lo:hi:hi]
}

// Contender is a scorer with a name for messages.
type Contender struct {
	Name   string
	Scorer Scorer
}

// Rank scores all items for the given users (nil: all) and keeps each user's top k,
// leaving out the items in the user's row of mask (nil: no mask). Ties go to the lower
// item index. Memory is one block of users × items plus the lists.
func Rank(ctx context.Context, s Scorer, mask *dataset.Lists, users []int32, k int) (*Ranking, error) {
	r, err := newRanking(s, mask, users, k)
	if err != nil {
		return nil, err
	}
	r.Scores = make([]float32, len(r.Items))
	p := pass{mask: mask}
	for lo := 0; lo < len(r.Users); {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("rank users: %w", err)
		}
		hi := lo + p.rows(r)
		if err := p.rank(s, r, lo, min(hi, len(r.Users))); err != nil {
			return nil, err
		}
		lo = hi
	}
	return r, nil
}

// RankAll ranks by several scorers of the same users and items in one pass over all users, as [Rank]
// does by each. The rankings hold no scores. Memory is one block of users × items, whatever
// the number of scorers, plus the lists.
func RankAll(ctx context.Context, contenders []Contender, mask *dataset.Lists, k int) ([]*Ranking, error) {
	rankings := make([]*Ranking, len(contenders))
	for n, c := range contenders {
		r, err := newRanking(c.Scorer, mask, nil, k)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		if rankings[n] = r; len(r.Users) != len(rankings[0].Users) || r.Catalog != rankings[0].Catalog {
			return nil, fmt.Errorf("rank users: %s has %d users and %d items, %s %d and %d", c.Name, len(r.Users), r.Catalog,
				contenders[0].Name, len(rankings[0].Users), rankings[0].Catalog)
		}
	}
	if len(rankings) == 0 {
		return nil, nil
	}
	p := pass{mask: mask}
	for lo, users := 0, len(rankings[0].Users); lo < users; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("rank users: %w", err)
		}
		hi := min(lo+p.rows(rankings[0]), users)
		for n, c := range contenders {
			if err := p.rank(c.Scorer, rankings[n], lo, hi); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
		}
		lo = hi
	}
	return rankings, nil
}

// newRanking returns an empty ranking without room for scores.
func newRanking(s Scorer, mask *dataset.Lists, users []int32, k int) (*Ranking, error) {
	if err := checkRank(s, mask, users, k); err != nil {
		return nil, err
	}
	if users == nil {
		users = make([]int32, s.Users())
		for u := range users {
			users[u] = int32(u)
		}
	}
	k = min(k, s.Items())
	return &Ranking{K: k, Catalog: s.Items(), Users: users, Counts: make([]int32, len(users)), Items: make([]int32, len(users)*k)}, nil
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
