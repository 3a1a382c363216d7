package train

import (
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/rng"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// sampler deals out an epoch's batches.
type sampler struct {
	seed    uint64
	userOf  []int32       // of each train row
	itemOf  []int32       // of each train row
	rows    []int32       // train rows that are sampled: all but those of users who are left out
	order   []int32       // this epoch's rows
	pool    []int32       // items that occur in train, ascending
	history dataset.Lists // each user's distinct train items as ranks in pool, ascending
	batch   model.Batch
	leftOut []int // users who have every item of the pool: nothing can be ranked below their items
}

func newSampler(train *dataset.Histories, batchSize int, seed uint64) (*sampler, error) {
	lists := train.Lists()
	s := &sampler{seed: seed, itemOf: lists.Items, userOf: make([]int32, 0, len(lists.Items))}
	rank := s.collectPool(lists)
	s.history = dataset.Lists{Offsets: make([]int, 1, lists.Len()+1), Columns: len(s.pool)}
	for u := range lists.Len() {
		start := len(s.history.Items)
		for _, i := range lists.Of(u) {
			s.userOf = append(s.userOf, int32(u))
			s.history.Items = append(s.history.Items, rank[i])
		}
		own := s.history.Items[start:]
		slices.Sort(own)
		own = slices.Compact(own)
		if len(own) > 0 && len(own) == len(s.pool) {
			s.leftOut = append(s.leftOut, u)
		} else {
			for row := lists.Offsets[u]; row < lists.Offsets[u+1]; row++ {
				s.rows = append(s.rows, int32(row))
			}
		}
		s.history.Items = s.history.Items[:start+len(own)]
		s.history.Offsets = append(s.history.Offsets, len(s.history.Items))
	}
	if len(s.leftOut) > 0 && len(s.rows) == 0 {
		return nil, usererr.New("Bring more items, or users who chose fewer of them.",
			"every user has interacted with all %d items that occur in train, so there is nothing to rank below them", len(s.pool))
	}
	s.order = make([]int32, len(s.rows))
	n := min(batchSize, len(s.order))
	s.batch = model.Batch{Users: make([]int32, n), Pos: make([]int32, n), Neg: make([]int32, n), Rows: make([]int32, n)}
	return s, nil
}

// collectPool fills pool and returns each item's rank in it.
func (s *sampler) collectPool(lists *dataset.Lists) (rank []int32) {
	rank = make([]int32, lists.Columns)
	for _, i := range lists.Items {
		rank[i] = 1
	}
	for i, seen := range rank {
		rank[i] = int32(len(s.pool))
		if seen == 1 {
			s.pool = append(s.pool, int32(i))
		}
	}
	return rank
}

// steps is the number of batches of an epoch.
func (s *sampler) steps() int {
	n := max(len(s.batch.Rows), 1)
	return (len(s.order) + n - 1) / n
}

// each calls fn for the batches of an epoch, in order, until it returns an error. A
// batch is valid during the call only.
func (s *sampler) each(epoch int, fn func(model.Batch) error) error {
	copy(s.order, s.rows)
	rng.Stream(s.seed, "shuffle", uint64(epoch)).Shuffle(len(s.order), func(i, j int) {
		s.order[i], s.order[j] = s.order[j], s.order[i]
	})
	draw := rng.Stream(s.seed, "negatives", uint64(epoch))
	for lo := 0; lo < len(s.order); lo += len(s.batch.Rows) {
		rows := s.order[lo:min(lo+len(s.batch.Rows), len(s.order))]
		b := model.Batch{Users: s.batch.Users[:len(rows)], Pos: s.batch.Pos[:len(rows)], Neg: s.batch.Neg[:len(rows)], Rows: s.batch.Rows[:len(rows)]}
		for k, row := range rows {
			u := s.userOf[row]
			b.Rows[k], b.Users[k], b.Pos[k] = row, u, s.itemOf[row]
			b.Neg[k] = s.negative(int(u), draw.Int32N)
		}
		if err := fn(b); err != nil {
			return err
		}
	}
	return nil
}

// negative draws uniformly from the pool without the user's train items: the r-th of
// what remains, found by one draw of r and a search in the history, with nothing to
// reject. Before the j-th of the history's ranks h_0 < h_1 < …, h_j − j others remain.
func (s *sampler) negative(u int, below func(int32) int32) int32 {
	own := s.history.Of(u)
	r := below(int32(len(s.pool) - len(own)))
	lo, hi := 0, len(own) // the number of history ranks below the answer
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if own[mid]-int32(mid) <= r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return s.pool[r+int32(lo)]
}
