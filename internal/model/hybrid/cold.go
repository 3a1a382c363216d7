package hybrid

import (
	"context"
	"slices"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// An item that nobody chose has no audience: the views over choices score it 0, which is no
// judgement, and would keep it out of every list. What such a view would say of it is therefore
// estimated from what the view text says, by the regression of the one on the other over the
// items that were chosen. Popularity, which nobody can know of it, is taken for the mean.

// cold says what is put in the place of scores that do not exist.
type cold struct {
	items []int32   // those that nobody chose
	slope []float32 // by view: of its standardised scores on those of the view text, times a gain
	trial bool      // items that were chosen stand for cold ones: the view pool has learnt them, too
}

// estimated reports whether a view's scores of cold items are estimated. Those of the view pool
// are its own: its tables begin as the items' texts.
func (c *cold) estimated(view string) bool {
	return slices.Contains([]string{neighbours, kernel, spectral, order}, view) || c.trial && view == pool
}

// fill puts estimates into the standardised scores of one view; said are those of the view text
// for the cold items, a row a person.
func (r *Ranker) fill(v int, scores, said *tensor.Matrix) {
	if said == nil || !r.cold.estimated(r.names[v]) && r.names[v] != popularity {
		return
	}
	for n := range scores.Rows {
		row := scores.Row(n)
		for c, i := range r.cold.items {
			row[i] = 0
			if r.names[v] != popularity {
				row[i] = r.cold.slope[v] * said.Row(n)[c]
			}
		}
	}
}

// said takes the scores of the cold items out of those of the view text; nil where there are
// none, or no such view.
func (r *Ranker) said(v int, scores *tensor.Matrix) *tensor.Matrix {
	if r.names[v] != text || len(r.cold.items) == 0 {
		return nil
	}
	said := tensor.New(scores.Rows, len(r.cold.items))
	for n := range scores.Rows {
		for c, i := range r.cold.items {
			said.Row(n)[c] = scores.Row(n)[i]
		}
	}
	return said
}

// inOrder returns the views with text first, which the others may need.
func (r *Ranker) inOrder() []int {
	var all []int
	for v := range r.names {
		all = append(all, v)
	}
	slices.SortStableFunc(all, func(a, b int) int {
		switch {
		case r.names[a] == text && r.names[b] != text:
			return -1
		case r.names[b] == text && r.names[a] != text:
			return 1
		}
		return 0
	})
	return all
}

// regressionUsers are how many of the validation users the slopes are from.
const regressionUsers = 1000

// regress finds the cold items and the slopes, from the train histories of some users.
func (s *search) regress(ctx context.Context) error {
	chosen := make([]bool, s.r.size)
	for _, i := range s.in.Train.Lists().Items {
		chosen[i] = true
	}
	s.r.cold = cold{slope: make([]float32, len(s.r.names))}
	for i, is := range chosen {
		if !is {
			s.r.cold.items = append(s.r.cold.items, int32(i))
		}
	}
	at := slices.Index(s.r.names, text)
	if at < 0 || len(s.r.cold.items) == 0 {
		return nil
	}
	products, square := make([]float64, len(s.r.names)), 0.0
	other := tensor.New(blockUsers, s.r.size)
	err := s.blocks(ctx, sample(s.users, regressionUsers), whole, func(_ int, people []model.Person, room *tensor.Matrix) {
		s.r.standardised(at, people, s.r.decays[at], room)
		for _, x := range room.Data {
			square += float64(x) * float64(x)
		}
		for v, name := range s.r.names {
			if v == at || name == preference || name == popularity {
				continue
			}
			block := other.RowRange(0, len(people))
			s.r.standardised(v, people, s.r.decays[v], block)
			for n := range people {
				products[v] += float64(tensor.Dot(room.Row(n), block.Row(n)))
			}
		}
	})
	if err != nil || square == 0 {
		return err
	}
	for v := range products {
		s.r.cold.slope[v] = float32(products[v] / square)
	}
	return nil
}

// tryGains are the factors on the slopes that are tried: a regression is near the mean, and a list
// is made of what is far from it.
var tryGains = []float32{1, 1.5, 2, 2.5, 3, 4}

// trialOf is how many chosen items there are for each that stands for a cold one.
const trialOf = 20

// gain chooses the factor on the slopes: one in twenty of the items that were chosen are
// taken for cold, and validation says with which factor all lists are best.
func (s *search) gain(ctx context.Context, found map[string]string) error {
	at := slices.Index(s.r.names, text)
	if at < 0 || len(s.r.cold.items) == 0 {
		return nil
	}
	real := s.r.cold.items
	known := make([]bool, s.r.size)
	for _, i := range real {
		known[i] = true
	}
	trial := slices.Clone(real)
	warm := 0
	for i := range int32(s.r.size) {
		if !known[i] {
			if warm++; warm%trialOf == 0 {
				trial = append(trial, i)
			}
		}
	}
	slices.Sort(trial)
	s.r.cold.items, s.r.cold.trial = trial, true
	defer func() { s.r.cold.items, s.r.cold.trial = real, false }()
	users := sample(s.f.Validation.Users(), shortUsers)
	all, err := s.candidates(ctx, users, whole)
	if err != nil {
		return err
	}
	weights := s.r.weights[lengths-1]
	var sum float32 // of what a unit of the view text adds through the estimates
	for v, name := range s.r.names {
		if s.r.cold.estimated(name) {
			sum += weights[v] * s.r.cold.slope[v]
		}
	}
	fuse(all, weights)
	for n := range all {
		c := &all[n]
		row := make([]float32, len(c.items))
		for e, i := range c.items {
			if _, is := slices.BinarySearch(trial, i); is {
				row[e] = sum * c.scores[at*len(c.items)+e]
			}
		}
		c.scores = append(c.scores, row...)
	}
	best, chosen := -1.0, float32(1)
	for _, gain := range tryGains {
		g, err := s.measure(users, all, len(s.r.names), gain-1)
		if err != nil {
			return err
		}
		if g > best {
			best, chosen = g, gain
		}
	}
	for v := range s.r.cold.slope {
		s.r.cold.slope[v] *= chosen
	}
	found["items that nobody chose"] = "estimated from their texts, times " + number(float64(chosen))
	return nil
}
