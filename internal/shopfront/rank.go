package shopfront

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/internal/answering"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Recommend answers a question for items.
func (s *Shop) Recommend(ctx context.Context, q Query) (*Answer, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	from, err := q.from()
	if err != nil {
		return nil, err
	}
	f := s.front.Load()
	a, p := f.arm(q.User), nobody
	if q.User != "" {
		p = s.people.of(q.User)
	}
	key := q.key(f.generation, p.version)
	if kept := s.cache.get(key); kept != nil {
		return kept, nil
	}
	answer, err := f.recommend(ctx, a, &q, p, from)
	if err != nil {
		return nil, err
	}
	s.cache.put(key, answer)
	return answer, nil
}

// recommend makes the answer.
func (f *front) recommend(ctx context.Context, a *arm, q *Query, p *person, from int) (*Answer, error) {
	v := a.view
	who, err := v.asker(q, p)
	if err != nil {
		return nil, err
	}
	placed, err := v.place(ctx, &who)
	if err != nil {
		return nil, err
	}
	run := v.engine.Run
	answer := &Answer{Run: v.run, Model: run.Model, Arm: a.name, Leaky: run.Leaky, Generation: f.generation, Basis: who.basis, Note: who.note}
	row := take(v.size())
	defer rows.Put(row)
	scores := *row
	if err := v.score(placed, scores); err != nil {
		return nil, err
	}
	answer.Matching = v.mask(scores, q, &who)
	picked, err := v.pick(ctx, scores, min(from+q.K+1, MaxK+1), q.Diversity)
	if err != nil {
		return nil, err
	}
	if len(picked.Items) > from+q.K && from+q.K < MaxK {
		answer.Next = q.cursor(from + q.K)
	}
	picked = cut(picked, from, min(from+q.K, MaxK))
	if placed != nil {
		answer.Preference = placed.Texts[0]
	}
	answer.Hits, err = v.hits(ctx, q, placed, picked, from)
	return answer, err
}

// rows are of scores, one an item.
var rows sync.Pool

func take(n int) *[]float32 {
	row, ok := rows.Get().(*[]float32)
	if !ok {
		row = new([]float32)
	}
	*row = slices.Grow((*row)[:0], n)[:n]
	return row
}

// score writes the score of every item: by the run; of items that came later by those that they are most like; by popularity where
// nobody was placed.
func (v *view) score(placed *answering.Placed, scores []float32) error {
	n := v.engine.Items()
	if placed == nil {
		for place, row := range v.popular() {
			scores[row] = float32(n - place)
		}
	} else if err := placed.Score(0, 1, tensor.FromSlice(1, n, scores[:n])); err != nil {
		return err
	}
	for j := range v.extra {
		x := &v.extra[j]
		sum, weight := float32(0), float32(0)
		for m, row := range x.near {
			sum += x.weights[m] * scores[row]
			weight += x.weights[m]
		}
		if scores[n+j] = sum / weight; weight == 0 {
			scores[n+j] = lowest
		}
	}
	return nil
}

var lowest = float32(math.Inf(-1))

// mask lowers the scores of all items that may not be in the list, and returns how many may.
func (v *view) mask(scores []float32, q *Query, who *asker) int {
	drop := func(row int32) {
		if int(row) < len(scores) {
			scores[row] = lowest
		}
	}
	for row := range v.hidden {
		drop(row)
	}
	for _, row := range who.hid {
		drop(row)
	}
	if !q.Filter.Seen {
		for _, row := range who.skip {
			drop(row)
		}
	}
	for _, id := range q.Filter.Deny {
		if row, ok := v.row(id); ok {
			drop(row)
		}
	}
	for _, c := range q.Filter.None {
		for _, row := range v.categories[c] {
			drop(row)
		}
	}
	if low, high, asked := q.Filter.prices(); asked {
		for row := range scores {
			if p := v.item(int32(row)).Price; p == 0 || p < low || p > high {
				scores[row] = lowest
			}
		}
	}
	var keep [][]int32 // lists of rows, of which an item must be in each
	if len(q.Filter.Any) > 0 {
		keep = append(keep, union(v.categories, q.Filter.Any))
	}
	for _, c := range q.Filter.All {
		keep = append(keep, v.categories[c])
	}
	if len(q.Filter.Brand) > 0 {
		keep = append(keep, union(v.brands, q.Filter.Brand))
	}
	if len(q.Filter.Allow) > 0 {
		var rows []int32
		for _, id := range q.Filter.Allow {
			if row, ok := v.row(id); ok {
				rows = append(rows, row)
			}
		}
		slices.Sort(rows)
		keep = append(keep, slices.Compact(rows))
	}
	for _, list := range keep {
		next := int32(0)
		for _, row := range list {
			for ; next < row; next++ {
				scores[next] = lowest
			}
			next = row + 1
		}
		for ; int(next) < len(scores); next++ {
			scores[next] = lowest
		}
	}
	left := 0
	for _, s := range scores {
		if s > lowest {
			left++
		}
	}
	return left
}

func union(lists map[string][]int32, keys []string) []int32 {
	var all []int32
	for _, key := range keys {
		all = append(all, lists[key]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// cut returns a part of a ranked list.
func cut(l answering.List, from, to int) answering.List {
	to = min(to, len(l.Items))
	from = min(from, to)
	return answering.List{Items: l.Items[from:to], Scores: l.Scores[from:to]}
}

// pool is how many times as many items as asked for maximal marginal relevance chooses among.
const pool = 5

// pick ranks the best n rows.
func (v *view) pick(ctx context.Context, scores []float32, n int, diversity float64) (answering.List, error) {
	many := n
	if diversity > 0 {
		many = pool * n
	}
	many = min(many, len(scores))
	p := answering.List{Items: make([]int32, many), Scores: make([]float32, many)}
	found := tensor.TopK(scores, many, p.Items, p.Scores)
	for found > 0 && p.Scores[found-1] == lowest {
		found--
	}
	p = cut(p, 0, found)
	if diversity == 0 || found < 2 {
		return p, nil
	}
	alike, err := v.engine.Alike(ctx)
	if err != nil {
		return p, err
	}
	return v.diverse(p, n, diversity, alike), nil
}

// diverse picks items one by one: each time that of the largest (1−d)·score − d·likeness to the nearest of those picked before,
// the scores brought to the range from 0 to 1.
func (v *view) diverse(p answering.List, n int, d float64, alike func(i, j int32) float64) (out answering.List) {
	high, low := float64(p.Scores[0]), float64(p.Scores[len(p.Scores)-1])
	near := make([]float64, len(p.Items)) // likeness to the nearest of those picked
	left := make([]bool, len(p.Items))
	for k := range left {
		left[k] = true
	}
	for len(out.Items) < min(n, len(p.Items)) {
		best, most := -1, math.Inf(-1)
		for k := range p.Items {
			if !left[k] {
				continue
			}
			rel := 1.0
			if high > low {
				rel = (float64(p.Scores[k]) - low) / (high - low)
			}
			if value := (1-d)*rel - d*near[k]; value > most {
				best, most = k, value
			}
		}
		left[best] = false
		out.Items, out.Scores = append(out.Items, p.Items[best]), append(out.Scores, p.Scores[best])
		for k := range p.Items {
			if left[k] {
				near[k] = max(near[k], alike(v.stand(p.Items[k]), v.stand(p.Items[best])))
			}
		}
	}
	return out
}

// stand is the row of the run's catalogue that stands for a row: for an item that came later, the one that it is most like.
func (v *view) stand(row int32) int32 {
	if n := int(row) - v.engine.Items(); n >= 0 {
		return v.extra[n].near[0]
	}
	return row
}

// hits names the items of a list, with their reasons and parts where they are asked for.
func (v *view) hits(ctx context.Context, q *Query, placed *answering.Placed, p answering.List, from int) ([]Hit, error) {
	var explain func(int32) []model.Share
	if placed != nil && (q.Because || q.Parts) {
		var err error
		if explain, err = placed.Explain(0); err != nil {
			return nil, err
		}
	}
	hits := make([]Hit, 0, len(p.Items))
	for n, row := range p.Items {
		h := Hit{Rank: from + n + 1, Item: v.item(row), Score: float64(p.Scores[n]), Provisional: int(row) >= v.engine.Items()}
		if placed != nil && (q.Because || q.Parts) {
			if err := v.explain(ctx, &h, q, placed, explain, row); err != nil {
				return nil, err
			}
		}
		hits = append(hits, h)
	}
	return hits, ctx.Err()
}

// explain says what carried an item.
func (v *view) explain(ctx context.Context, h *Hit, q *Query, placed *answering.Placed, explain func(int32) []model.Share, row int32) error {
	if h.Provisional {
		x := &v.extra[int(row)-v.engine.Items()]
		for n, near := range x.near[:min(2, len(x.near))] {
			h.Because = append(h.Because, Reason{Item: v.item(near), Via: answering.ViaContent, Weight: float64(x.weights[n])})
		}
		if q.Parts {
			h.Parts = v.lent(x, explain, h.Score)
		}
		return nil
	}
	var shares []model.Share
	if explain != nil {
		shares = explain(row)
	}
	if q.Because {
		because, err := placed.Because(ctx, 0, row, shares)
		if err != nil {
			return err
		}
		for _, b := range because {
			r := Reason{Via: b.Via, Weight: b.Weight, Edge: b.Edge, Words: b.Words}
			if b.Item >= 0 {
				r.Item = v.item(b.Item)
			}
			h.Because = append(h.Because, r)
		}
	}
	if q.Parts {
		h.Parts = v.parts(shares, h.Score)
	}
	return nil
}
