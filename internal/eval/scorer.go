// Package eval ranks the whole catalogue for each user and measures the lists: the
// protocol of MMRec, under which the paper's Table 1 was made.
//
// Every item is scored for every user, the user's train items are taken out, the
// top max(K) are kept. Validation items stay in the list at test time and the
// other way round, so that one scoring pass serves both splits. Ties go to the lower
// item index. With rel the user's held-out items and hit(r) = 1 when rank r holds one:
//
//	Recall@K    = Σ_{r≤K} hit(r) / |rel|
//	Precision@K = Σ_{r≤K} hit(r) / K
//	HitRate@K   = 1 when any rank r ≤ K is a hit
//	NDCG@K      = Σ_{r≤K} hit(r)/log₂(r+1)  /  Σ_{r≤min(K,|rel|)} 1/log₂(r+1)
//	MAP@K       = Σ_{r≤K} hit(r)·Precision@r / min(K, |rel|)
//
// averaged in float64, in user order, over users with at least one held-out item,
// and never rounded (MMRec rounds to four decimals before it selects a model).
package eval

import (
	"fmt"
	"math/bits"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Scorer rates all items for some users. A score of -Inf means "never recommend";
// NaN is an error of the scorer's, which [Rank] reports.
type Scorer interface {
	Users() int
	Items() int
	// Scores writes the scores of users[r] to row r of dst, a len(users)×Items()
	// matrix with arbitrary content.
	Scores(users []int32, dst *tensor.Matrix) error
}

type dotScorer struct {
	users, items *tensor.Matrix
	packed       *tensor.Packed // of items, for all blocks of users
	block        *tensor.Matrix
}

// DotScorer scores by the inner product of user and item vectors (rows of matrices
// with equal numbers of columns), which must not change while it is in use. It is not
// safe for concurrent use.
func DotScorer(users, items *tensor.Matrix) Scorer {
	return &dotScorer{users: users, items: items}
}

func (d *dotScorer) Users() int { return d.users.Rows }
func (d *dotScorer) Items() int { return d.items.Rows }

func (d *dotScorer) Scores(users []int32, dst *tensor.Matrix) error {
	if d.users.Cols != d.items.Cols {
		return fmt.Errorf("score by inner product: user vectors have %d dimensions, item vectors %d", d.users.Cols, d.items.Cols)
	}
	if d.items.Cols == 0 || d.items.Rows == 0 {
		clear(dst.Data)
		return nil
	}
	if d.packed == nil {
		d.packed = tensor.Pack(true, d.items.Cols, d.items.Rows, d.items.Data, d.items.Cols)
	}
	if d.block == nil || d.block.Rows < len(users) {
		d.block = tensor.New(len(users), d.users.Cols)
	}
	b := d.block.RowRange(0, len(users))
	tensor.Gather(b, d.users, users)
	d.packed.Mul(b, dst)
	return nil
}

type popularity struct {
	users  int
	counts []float32
}

// Popularity scores each item by its number of train interactions, for every user
// alike.
func Popularity(train *dataset.Histories) Scorer {
	p := &popularity{users: train.Users(), counts: make([]float32, train.NumItems())}
	for i, n := range ItemCounts(train.Lists()) {
		p.counts[i] = float32(n)
	}
	return p
}

func (p *popularity) Users() int { return p.users }
func (p *popularity) Items() int { return len(p.counts) }

func (p *popularity) Scores(users []int32, dst *tensor.Matrix) error {
	for r := range users {
		copy(dst.Row(r), p.counts)
	}
	return nil
}

// commonScores implements sameForAll.
func (p *popularity) commonScores() []float32 { return p.counts }

type random struct {
	seed         uint64
	users, items int
}

// Random scores every pair by a hash of (seed, user, item), uniform in [0,1): the
// same pair gets the same score whichever block it is asked in.
func Random(seed uint64, users, items int) Scorer { return random{seed, users, items} }

func (s random) Users() int { return s.users }
func (s random) Items() int { return s.items }

func (s random) Scores(users []int32, dst *tensor.Matrix) error {
	for r, u := range users {
		s.scoreRow(u, dst.Row(r))
	}
	return nil
}

// scoreRow implements rowScorer.
func (s random) scoreRow(user int32, dst []float32) {
	key := mix(s.seed ^ mix(uint64(user)+1))
	for i := range dst {
		dst[i] = float32(mix(key+uint64(i))>>40) / (1 << 24)
	}
}

// mix is a 64-bit finaliser: two multiply-and-fold rounds.
func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	hi, lo = bits.Mul64(hi^lo^0xbf58476d1ce4e5b9, 0x94d049bb133111eb)
	return hi ^ lo
}

// ItemCounts returns how often each item occurs in the lists; for train lists this
// is the item's popularity.
func ItemCounts(l *dataset.Lists) []int {
	n := make([]int, l.Columns)
	for _, i := range l.Items {
		n[i]++
	}
	return n
}
