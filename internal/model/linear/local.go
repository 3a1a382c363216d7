package linear

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// LocalEASE fits column i of EASE on a few candidates alone: the c items that share most
// with i, and those in row i of more (nil: none), such as its neighbours by text. Each item
// is a ridge of its own, B[S, i] = (X_SᵀX_S + λI)⁻¹·X_Sᵀ·x_i; with all items as candidates
// it is EASE. Time and memory grow with the number of items. What two items share is
// |users of both| / √(|users of the candidate| + λ).
func LocalEASE(ctx context.Context, x *Interactions, lambda float64, c int, more *tensor.CSR, progress tensor.Progress) (*Sparse, error) {
	if err := checkRidge("local EASE", "λ", lambda); err != nil {
		return nil, err
	}
	if c < 1 {
		return nil, usererr.New("", "local EASE: %d candidates an item, must be 1 or more", c)
	}
	if more != nil && (more.Rows != x.Items() || more.Cols != x.Items()) {
		return nil, fmt.Errorf("local EASE: neighbours of %d×%d items, interactions with %d", more.Rows, more.Cols, x.Items())
	}
	shared, err := x.SparseCooccurrence(ctx)
	if err != nil {
		return nil, err
	}
	l := &local{x: x, lambda: lambda, candidates: c, more: more, shared: shared, head: newHead(shared, headItems)}
	columns := make([]line, x.Items())
	pool := sync.Pool{New: func() any { return &ridge{local: l, place: make([]int32, x.Items())} }}
	var mu sync.Mutex
	var done int
	tensor.Parallel(x.Items(), gramGrain, func(lo, hi int) {
		r := pool.Get().(*ridge)
		defer pool.Put(r)
		for i := lo; i < hi; i++ {
			e := ctx.Err()
			if e == nil {
				e = r.solve(ctx, int32(i), &columns[i])
			}
			if e != nil {
				mu.Lock()
				err = e
				mu.Unlock()
				return
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if done += hi - lo; progress != nil {
			progress(float64(done), float64(x.Items()))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("fit local EASE on %d items with λ=%g: %w", x.Items(), lambda, err)
	}
	return &Sparse{assemble(columns, x.Items()).Transpose()}, nil
}

// local is what the ridges of all items read.
type local struct {
	x          *Interactions
	lambda     float64
	candidates int
	more       *tensor.CSR
	shared     *tensor.CSR // XᵀX
	head       *head
}

// headItems is how many items have their counts in a table.
const headItems = 4096

// head holds the counts among the items with the longest rows of XᵀX as a table: a popular
// item shares users with most of the catalogue, and looking through its row for a few
// hundred candidates would cost more than their ridge.
type head struct {
	rank   []int32 // by item, -1 for items with a short row
	counts *tensor.Matrix
}

func newHead(shared *tensor.CSR, size int) *head {
	order := make([]int32, shared.Rows)
	for i := range order {
		order[i] = int32(i)
	}
	length := func(i int32) int64 { return shared.Indptr[i+1] - shared.Indptr[i] }
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(length(b), length(a)), cmp.Compare(a, b)) })
	order = order[:min(size, len(order))]
	h := &head{rank: make([]int32, shared.Rows), counts: tensor.New(len(order), len(order))}
	for i := range h.rank {
		h.rank[i] = -1
	}
	for r, i := range order {
		h.rank[i] = int32(r)
	}
	tensor.Parallel(len(order), gramGrain, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			cols, vals := shared.Row(int(order[r]))
			row := h.counts.Row(r)
			for e, c := range cols {
				if to := h.rank[c]; to >= 0 {
					row[to] = vals[e]
				}
			}
		}
	})
	return h
}

// ridge is the working memory of one item's ridge after the other.
type ridge struct {
	*local
	place  []int32 // by item: 1 + its place among the candidates, 0 for others
	chosen line    // candidates ascending, with what they share
	ranks  []int32 // of the candidates in the head
	gram   []float32
	target []float32
}

// solve writes the weights of item i's candidates to out.
func (r *ridge) solve(ctx context.Context, i int32, out *line) error {
	r.choose(i)
	items := r.chosen.cols
	n := len(items)
	if n == 0 {
		return nil
	}
	r.gram, r.target = zeros(r.gram, n*n), zeros(r.target, n)
	r.ranks = r.ranks[:0]
	for p, j := range items {
		r.place[j] = int32(p) + 1
		r.ranks = append(r.ranks, r.head.rank[j])
	}
	for p, j := range items {
		r.fillRow(p, j)
	}
	cols, vals := r.shared.Row(int(i))
	for e, c := range cols {
		if p := r.place[c]; p > 0 {
			r.target[p-1] = vals[e]
		}
	}
	for _, j := range items {
		r.place[j] = 0
	}
	gram, target := tensor.FromSlice(n, n, r.gram), tensor.FromSlice(n, 1, r.target)
	if err := tensor.Cholesky(ctx, gram, nil); err != nil {
		return fmt.Errorf("item %d: %w", i, err)
	}
	if err := tensor.SolveLower(ctx, gram, target); err != nil {
		return err
	}
	if err := tensor.SolveLowerTransposed(ctx, gram, target); err != nil {
		return err
	}
	out.cols, out.vals = slices.Clone(items), slices.Clone(target.Data)
	return nil
}

// fillRow writes the counts that candidate j, at place p, shares with the others.
func (r *ridge) fillRow(p int, j int32) {
	n := len(r.chosen.cols)
	r.gram[p*n+p] = float32(float64(r.x.Popularity(int(j))) + r.lambda)
	if rank := r.ranks[p]; rank >= 0 {
		row, out := r.head.counts.Row(int(rank)), r.gram[p*n:]
		for q, to := range r.ranks[:p] {
			if to >= 0 {
				out[q] = row[to]
			}
		}
		return
	}
	cols, vals := r.shared.Row(int(j))
	for e, c := range cols {
		if q := int(r.place[c]) - 1; q >= 0 && q != p {
			r.gram[max(p, q)*n+min(p, q)] = vals[e]
		}
	}
}

// choose finds the candidates of item i.
func (r *ridge) choose(i int32) {
	l := &r.chosen
	l.cols, l.vals = l.cols[:0], l.vals[:0]
	cols, vals := r.shared.Row(int(i))
	for e, c := range cols {
		if c != i {
			l.add(c, float32(float64(vals[e])/math.Sqrt(float64(r.x.Popularity(int(c)))+r.lambda)))
		}
	}
	l.keepTop(r.candidates)
	if r.more == nil {
		return
	}
	cols, _ = r.more.Row(int(i))
	for _, c := range cols {
		if c != i {
			l.cols = append(l.cols, c)
		}
	}
	slices.Sort(l.cols)
	l.cols = slices.Compact(l.cols)
}

// zeros returns n zeros, in buf where it is long enough.
func zeros(buf []float32, n int) []float32 {
	if cap(buf) < n {
		return make([]float32, n)
	}
	buf = buf[:n]
	clear(buf)
	return buf
}
