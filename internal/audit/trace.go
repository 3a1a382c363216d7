package audit

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Columns of the table that holds one row a probed user.
const (
	twinTrain = iota
	twinHeld
	matchTrain
	matchHeld
	sTrain
	sHeld
	sControl
	baseTrain
	baseHeld
	baseControl
	columns
)

type row [columns]float64

const chunk = 256 // users whose regressions are mapped in one product

// label probes one held-out label.
func (p *prober) label(ctx context.Context, held *dataset.Lists, label dataset.Label) (LabelProbe, error) {
	held = p.living(held)
	var table []row
	for h := range p.maps {
		var users []int32
		for _, u := range p.probed {
			if half(u) == h && p.usable(u, held) {
				users = append(users, u)
			}
		}
		for lo := 0; lo < len(users); lo += chunk {
			if err := ctx.Err(); err != nil {
				return LabelProbe{}, fmt.Errorf("probe user vectors: %w", err)
			}
			table = append(table, p.chunk(users[lo:min(lo+chunk, len(users))], held, label, p.maps[h])...)
		}
	}
	return judge(table, label, p.opt), nil
}

// usable: a vector, two train items (one to test, one to explain it), a held-out item that is
// no train item, and few enough train items to leave room beside their span.
func (p *prober) usable(u int32, held *dataset.Lists) bool {
	t := p.train.Of(int(u))
	return p.present[u] && len(t) >= 2 && 2*len(t) <= p.items.Cols && len(fresh(held.Of(int(u)), t)) > 0
}

// fresh returns the items that are not in the sorted list known.
func fresh(items, known []int32) []int32 {
	var out []int32
	for _, i := range items {
		if _, found := slices.BinarySearch(known, i); !found {
			out = append(out, i)
		}
	}
	return out
}

// subject is one user under the probe.
type subject struct {
	user           int32
	train          []int32
	left, out      int32 // the train item that is taken out of the base, the held-out item
	rng            *rand.Rand
	meanB, meanT   []float32 // m of the base without left, and of all train items
	guessB, guessT []float32 // what the regression expects of p from them
}

func (p *prober) chunk(users []int32, held *dataset.Lists, label dataset.Label, r *ridge) []row {
	d := p.items.Cols
	means, guess := tensor.New(2*len(users), d), tensor.New(2*len(users), d)
	subjects := make([]subject, len(users))
	for k, u := range users {
		s := &subjects[k]
		s.user, s.train = u, p.train.Of(int(u))
		s.rng = rand.New(rand.NewPCG(p.opt.Seed, uint64(label)<<32|uint64(uint32(u))))
		s.left = s.train[s.rng.IntN(len(s.train))]
		candidates := fresh(held.Of(int(u)), s.train)
		s.out = candidates[s.rng.IntN(len(candidates))]
		s.meanB, s.meanT = means.Row(2*k), means.Row(2*k+1)
		s.guessB, s.guessT = guess.Row(2*k), guess.Row(2*k+1)
		p.mean(s.meanB, s.train, s.left)
		p.mean(s.meanT, s.train, -1)
	}
	tensor.Gemm(false, false, 1, means, r.at, 0, guess)
	table := make([]row, len(users))
	tensor.Parallel(len(users), 8, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			table[k] = p.trace(&subjects[k], r)
		}
	})
	return table
}

// trace measures one user: traces of the two items, and the plain cosines.
func (p *prober) trace(s *subject, r *ridge) row {
	vec := p.users.Row(int(s.user))
	base := make([]int32, 0, len(s.train))
	for _, i := range s.train {
		if i != s.left {
			base = append(base, i)
		}
	}
	span := newSpan(p.items, base)
	eTrain := span.residual(vec, s.guessB, r.bias)
	span.add(p.items.Row(int(s.left)))
	eHeld := span.residual(vec, s.guessT, r.bias)

	var out row
	poolB, poolT := p.pool(s, s.left), p.pool(s, s.out)
	out[matchTrain] = p.above(eTrain, s.left, p.matches(s.left, base, s.meanB, poolB))
	out[matchHeld] = p.above(eHeld, s.out, p.matches(s.out, s.train, s.meanT, poolT))
	p.common.project(eTrain)
	p.common.project(eHeld)
	out[twinTrain] = p.above(eTrain, s.left, p.twinsOf(s, s.left))
	out[twinHeld] = p.above(eHeld, s.out, p.twinsOf(s, s.out))
	for _, i := range s.train {
		x := p.items.Row(int(i))
		out[sTrain] += dot(vec, x) / float64(len(s.train))
		out[baseTrain] += dot(s.meanT, x) / float64(len(s.train))
	}
	out[sHeld] = dot(vec, p.items.Row(int(s.out)))
	out[baseHeld] = dot(s.meanT, p.items.Row(int(s.out)))
	for _, c := range poolT {
		x := p.items.Row(int(c))
		out[sControl] += dot(vec, x) / float64(len(poolT))
		out[baseControl] += dot(s.meanT, x) / float64(len(poolT))
	}
	return out
}

// above returns e·x minus the mean of e·x_c over the controls; 0 without controls.
func (p *prober) above(e []float32, item int32, controls []int32) float64 {
	if len(controls) == 0 {
		return 0
	}
	var c float64
	for _, i := range controls {
		c += dot(e, p.items.Row(int(i)))
	}
	return dot(e, p.items.Row(int(item))) - c/float64(len(controls))
}

// foreign reports whether the item is none of the user's, train or held out.
func (p *prober) foreign(s *subject, item int32) bool {
	if _, found := slices.BinarySearch(s.train, item); found {
		return false
	}
	_, found := slices.BinarySearch(p.held.Of(int(s.user)), item)
	return !found
}

func (p *prober) twinsOf(s *subject, item int32) []int32 {
	var out []int32
	for _, c := range p.twins[item] {
		if len(out) < p.opt.Twins && p.foreign(s, c) {
			out = append(out, c)
		}
	}
	return out
}

// pool draws items of like popularity: from a window of the popularity order around
// the item.
func (p *prober) pool(s *subject, item int32) []int32 {
	n := len(p.byPop)
	width := max(4*p.opt.Pool, n/10)
	lo := max(0, min(int(p.popRank[item])-width/2, n-width))
	hi := min(n, lo+width)
	var out []int32
	for try := 0; try < 4*p.opt.Pool && len(out) < p.opt.Pool; try++ {
		if c := p.byPop[lo+s.rng.IntN(hi-lo)]; c != item && p.foreign(s, c) {
			out = append(out, c)
		}
	}
	return out
}

// matches returns those of the pool that are about as close to the base as the item.
func (p *prober) matches(item int32, base []int32, mean []float32, pool []int32) []int32 {
	near := func(i int32) (avg, top float64) {
		x := p.items.Row(int(i))
		top = math.Inf(-1)
		for _, b := range base {
			top = max(top, dot(x, p.items.Row(int(b))))
		}
		return dot(x, mean), top
	}
	avg, top := near(item)
	var out []int32
	var offs []float64 // of out, ascending
	for _, c := range pool {
		a, t := near(c)
		off := math.Abs(a-avg) + math.Abs(t-top)
		at := len(offs)
		for at > 0 && offs[at-1] > off {
			at--
		}
		if at < p.opt.Matches {
			offs, out = slices.Insert(offs, at, off), slices.Insert(out, at, c)
			n := min(len(out), p.opt.Matches)
			offs, out = offs[:n], out[:n]
		}
	}
	return out
}
