package hybrid

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// What the search tries, in this order.
var (
	tryDecays  = []float32{1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4}
	tryWeights = []float32{0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.4, 2}
)

// sentenceTries are the weights of popularity that are tried beside a sentence of weight 1.
var sentenceTries = []float32{0, 0.05, 0.1, 0.2, 0.3}

const (
	searchUsers = 12000 // at most so many of the validation users are asked
	shortUsers  = 4000  // and so many, with histories cut, for the weights of short histories
	depth       = 150   // best items of each view that the fusion may choose from
	listLength  = 20    // of a fused list: what the metrics read
	blockUsers  = 128
	maxPasses   = 6
)

// goal is what validation is asked for.
func goal(metrics map[string]float64) float64 { return metrics["recall@20"] + metrics["ndcg@20"] }

// choose sets the decays and weights of the ranker by validation, and returns in words what it
// chose. The search is deterministic: from several starts the weights are moved one by one, each
// to the best of a few values, until none changes.
func choose(ctx context.Context, r *Ranker, in model.Inputs, v model.Values, f model.Fitting) (map[string]string, error) {
	s := &search{r: r, in: in, f: f, users: sample(f.Validation.Users(), searchUsers)}
	alone := make([]float64, len(r.names))
	for n := range r.names {
		if err := s.alone(ctx, n, v.Text("decay") == "auto" && in.Times != nil, alone); err != nil {
			return nil, err
		}
	}
	if err := s.regress(ctx); err != nil {
		return nil, err
	}
	all, err := s.candidates(ctx, s.users, whole)
	if err != nil {
		return nil, err
	}
	reached, err := s.start(ctx, all, alone)
	if err != nil {
		return nil, err
	}
	found := map[string]string{"valid goal, R@20 + N@20": number(reached)}
	for n, name := range r.names {
		found["view "+name] = fmt.Sprintf("weight %s, decay %s, alone %s", number(float64(r.weights[lengths-1][n])), number(float64(r.decays[n])), number(alone[n]))
	}
	if err := s.gain(ctx, found); err != nil {
		return nil, err
	}
	return found, s.short(ctx, found)
}

// start chooses the weights of long histories from several starts: the best view alone, all
// alike, and each as good as it is alone.
func (s *search) start(ctx context.Context, all []candidate, alone []float64) (reached float64, err error) {
	w := s.r.weights[lengths-1]
	best := make([]float32, len(w))
	for start := range 3 {
		for v := range w {
			switch start {
			case 0:
				w[v] = 0
				if v == slices.Index(alone, slices.Max(alone)) {
					w[v] = 1
				}
			case 1:
				w[v] = 0.5
			case 2:
				w[v] = float32(alone[v] / slices.Max(alone))
			}
		}
		g, err := s.descend(ctx, s.users, all, lengths-1, nil, tryWeights)
		if err != nil {
			return 0, err
		}
		if g > reached || start == 0 {
			reached = g
			copy(best, w)
		}
	}
	copy(w, best)
	return reached, nil
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', 4, 32) }

// sample takes n users at equal distances.
func sample(users []int32, n int) []int32 {
	if len(users) <= n {
		return users
	}
	out := make([]int32, n)
	for i := range out {
		out[i] = users[i*len(users)/n]
	}
	return out
}

type search struct {
	r     *Ranker
	in    model.Inputs
	f     model.Fitting
	users []int32
}

// people are users with at most the newest n items of their histories.
func (s *search) people(users []int32, n int) []model.Person {
	out := make([]model.Person, len(users))
	for i, u := range users {
		h := s.in.Train.Items(int(u))
		out[i].History = h[max(0, len(h)-n):]
		if s.in.Preferences != nil {
			out[i].Preference = s.in.Preferences.Row(int(u))
		}
	}
	return out
}

const whole = 1 << 30 // items of a history

// alone measures a view by itself, with each decay where histories have an order, and keeps the
// best one.
func (s *search) alone(ctx context.Context, v int, decays bool, alone []float64) error {
	try := tryDecays
	if !decays || s.r.kernels[v] == nil {
		try = tryDecays[:1]
	}
	alone[v] = -1
	for n, decay := range try {
		s.f.Say("measuring view "+s.r.names[v], float64(n), float64(len(try)))
		lists := make([][]int32, len(s.users))
		err := s.blocks(ctx, s.users, whole, func(lo int, people []model.Person, room *tensor.Matrix) {
			s.r.view(v, people, decay, room)
			s.mask(s.users[lo:lo+len(people)], room)
			top(room, listLength, lists[lo:])
		})
		if err != nil {
			return err
		}
		m, err := s.f.Validation.Measure(s.users, lists)
		if err != nil {
			return err
		}
		if g := goal(m); g > alone[v] {
			alone[v], s.r.decays[v] = g, decay
		}
	}
	s.f.Say("measuring view "+s.r.names[v], 1, 1)
	return nil
}

// blocks calls do with blocks of people and room for their scores.
func (s *search) blocks(ctx context.Context, users []int32, newest int, do func(lo int, people []model.Person, room *tensor.Matrix)) error {
	room := tensor.New(blockUsers, s.r.size)
	for lo := 0; lo < len(users); lo += blockUsers {
		if err := ctx.Err(); err != nil {
			return err
		}
		people := s.people(users[lo:min(lo+blockUsers, len(users))], newest)
		do(lo, people, room.RowRange(0, len(people)))
	}
	return nil
}

// mask takes the users' train items out.
func (s *search) mask(users []int32, scores *tensor.Matrix) {
	for n, u := range users {
		row := scores.Row(n)
		for _, i := range s.in.Train.Items(int(u)) {
			row[i] = masked
		}
	}
}

const masked = -1e30

// top puts the best items of each row into lists.
func top(scores *tensor.Matrix, k int, lists [][]int32) {
	k = min(k, scores.Cols)
	tensor.Parallel(scores.Rows, 8, func(lo, hi int) {
		values := make([]float32, k)
		for n := lo; n < hi; n++ {
			lists[n] = make([]int32, k)
			lists[n] = lists[n][:tensor.TopK(scores.Row(n), k, lists[n], values)]
		}
	})
}

// candidate is what the search knows of one user: the best items of every view, and all views'
// standardised scores of them.
type candidate struct {
	items  []int32
	scores []float32 // views × items
	fused  []float32 // of the items, by the weights so far
}

// candidates collects them for users with the newest items of their histories.
func (s *search) candidates(ctx context.Context, users []int32, newest int) ([]candidate, error) {
	all, views := make([]candidate, len(users)), len(s.r.names)
	scores := make([]*tensor.Matrix, views)
	for v := range scores {
		scores[v] = tensor.New(blockUsers, s.r.size)
	}
	err := s.blocks(ctx, users, newest, func(lo int, people []model.Person, room *tensor.Matrix) {
		best := make([][][]int32, views)
		var said *tensor.Matrix
		for _, v := range s.r.inOrder() {
			block := scores[v].RowRange(0, len(people))
			s.r.standardised(v, people, s.r.decays[v], block)
			if s.r.names[v] == text {
				said = s.r.said(v, block)
			}
			s.r.fill(v, block, said)
			copy(room.Data, block.Data)
			s.mask(users[lo:lo+len(people)], room)
			best[v] = make([][]int32, len(people))
			top(room, depth, best[v])
		}
		tensor.Parallel(len(people), 8, func(from, to int) {
			for n := from; n < to; n++ {
				own := map[int32]bool{}
				for _, i := range s.in.Train.Items(int(users[lo+n])) {
					own[i] = true
				}
				c := &all[lo+n]
				for v := range best {
					c.items = append(c.items, best[v][n]...)
				}
				slices.Sort(c.items)
				c.items = slices.DeleteFunc(slices.Compact(c.items), func(i int32) bool { return own[i] })
				c.items = slices.Clip(c.items)
				c.scores, c.fused = make([]float32, 0, len(c.items)*views), make([]float32, len(c.items))
				for v := range scores {
					row := scores[v].Row(n)
					for _, i := range c.items {
						c.scores = append(c.scores, row[i])
					}
				}
			}
		})
		s.f.Say("collecting candidates", float64(lo+len(people)), float64(len(users)))
	})
	return all, err
}

// fuse sums the views up by weights.
func fuse(all []candidate, weights []float32) {
	tensor.Parallel(len(all), 32, func(lo, hi int) {
		for n := lo; n < hi; n++ {
			c := &all[n]
			clear(c.fused)
			for v, w := range weights {
				if w != 0 {
					tensor.Axpy(w, c.scores[v*len(c.items):(v+1)*len(c.items)], c.fused)
				}
			}
		}
	})
}

// measure asks validation how the candidates do with the weight of one view changed by delta.
func (s *search) measure(users []int32, all []candidate, view int, delta float32) (float64, error) {
	lists := make([][]int32, len(all))
	tensor.Parallel(len(all), 32, func(lo, hi int) {
		var fused []float32
		at, values := make([]int32, listLength), make([]float32, listLength)
		for n := lo; n < hi; n++ {
			c := &all[n]
			fused = append(fused[:0], c.fused...)
			tensor.Axpy(delta, c.scores[view*len(c.items):(view+1)*len(c.items)], fused)
			k := min(listLength, len(fused))
			if k == 0 {
				continue
			}
			k = tensor.TopK(fused, k, at[:k], values[:k])
			list := make([]int32, k)
			for j, e := range at[:k] {
				list[j] = c.items[e]
			}
			lists[n] = list
		}
	})
	m, err := s.f.Validation.Measure(users, lists)
	return goal(m), err
}

// descend moves the weights of one bucket, or only those of the views given, one by one to the
// best value, until none changes.
func (s *search) descend(ctx context.Context, users []int32, all []candidate, b int, only []int, tries []float32) (float64, error) {
	w := s.r.weights[b]
	fuse(all, w)
	best, err := s.measure(users, all, 0, 0)
	if err != nil {
		return 0, err
	}
	for pass := range maxPasses {
		changed := false
		for v := range w {
			if only != nil && !slices.Contains(only, v) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			s.f.Say("choosing weights", float64(pass*len(w)+v), float64(maxPasses*len(w)))
			before := w[v]
			kept := before
			for _, try := range tries {
				if w[v] = try; try == before || zero(w) {
					continue
				}
				g, err := s.measure(users, all, v, try-before)
				if err != nil {
					return 0, err
				}
				if g > best {
					best, kept, changed = g, try, true
				}
			}
			if w[v] = kept; kept != before {
				fuse(all, w)
			}
		}
		if !changed {
			break
		}
	}
	s.f.Say("choosing weights", 1, 1)
	return best, nil
}

func zero(w []float32) bool { return !slices.ContainsFunc(w, func(x float32) bool { return x != 0 }) }

// short chooses what short histories take other weights for: validation users are asked with the
// rest of their histories left out. What is chosen is popularity's weight. Somebody without a
// history is known by a sentence alone: the view preference has the word, and popularity at most
// a fraction of it.
func (s *search) short(ctx context.Context, found map[string]string) error {
	popular, said := slices.Index(s.r.names, popularity), slices.Index(s.r.names, preference)
	users := sample(s.f.Validation.Users(), shortUsers)
	for b := range lengths - 1 {
		w, tries := s.r.weights[b], tryWeights
		switch {
		case b > 0:
			copy(w, s.r.weights[lengths-1])
		case said >= 0:
			clear(w)
			w[said], tries = 1, sentenceTries
		default:
			clear(w)
		}
		if b == 0 && said < 0 && popular >= 0 {
			w[popular] = 1
		}
		if popular < 0 || len(s.r.names) == 1 || b == 0 && said < 0 {
			continue
		}
		all, err := s.candidates(ctx, users, b)
		if err != nil {
			return err
		}
		if _, err := s.descend(ctx, users, all, b, []int{popular}, tries); err != nil {
			return err
		}
		found[fmt.Sprintf("histories of %d", b)] = "weight of popularity " + number(float64(w[popular]))
	}
	return nil
}
