package pool

import (
	"encoding/binary"
	"hash/fnv"
	"math"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/rng"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// sampler chooses the items that stand for a large catalogue in one step: the targets of the
// batch, which come as often as items are popular, and items drawn uniformly, which reach all
// others. An item j that came m_j times where E[m_j] times were to be expected weighs m_j/E[m_j],
// so that the sum that the softmax divides by is, on average over batches and draws, that of the
// whole catalogue. Its logit gets the logarithm of that weight; the target's own gets none, for
// it is always there.
type sampler struct {
	seed      uint64
	negatives int
	items     int
	chosen    []int // how often each item is the target of a train pair that can be learnt from
	pairs     int   // the sum of chosen
	distinct  *model.Distinct
	offset    []float32
}

// newSampler returns nil where the softmax goes over the whole catalogue.
func newSampler(in model.Inputs, v model.Values) (*sampler, error) {
	way, full := v.Text("softmax"), v.Int("full_up_to")
	if v.Given("full_up_to") && way != softmaxAuto {
		return nil, usererr.New("Leave full_up_to out, or set softmax=auto.", "setting full_up_to has no effect with softmax=%s", way)
	}
	if way == softmaxAuto && in.Items > full {
		way = softmaxSampled
	}
	if way != softmaxSampled {
		if v.Given("negatives") {
			return nil, usererr.New("Leave negatives out, or set softmax=sampled.", "setting negatives has no effect where the softmax goes over all %d items", in.Items)
		}
		return nil, nil
	}
	s := &sampler{seed: in.Seed, negatives: v.Int("negatives"), items: in.Items, distinct: model.NewDistinct(in.Items)}
	s.chosen, s.pairs = learnable(in.Train.Lists())
	return s, nil
}

// learnable counts, by item, the train pairs whose user has other items too.
func learnable(lists *dataset.Lists) (chosen []int, pairs int) {
	chosen = make([]int, lists.Columns)
	for u := range lists.Len() {
		own := lists.Of(u)
		several := false
		for _, i := range own {
			several = several || i != own[0]
		}
		for _, i := range own {
			if several {
				chosen[i]++
				pairs++
			}
		}
	}
	return chosen, pairs
}

// candidates are the items of one step.
type candidates struct {
	items  []int32
	target []int32   // of each row, as a position in items
	offset []float32 // log weights
}

// draw returns the candidates of a batch whose targets are given. They depend on the seed and the
// batch's rows alone, so that a resumed run draws what the interrupted one would have drawn.
func (s *sampler) draw(t *autograd.Tape, b model.Batch, target []int32) candidates {
	h := fnv.New64a()
	var buf [4]byte
	for _, row := range b.Rows {
		binary.LittleEndian.PutUint32(buf[:], uint32(row))
		h.Write(buf[:])
	}
	r := rng.Stream(s.seed, "softmax sample", h.Sum64())
	all := t.Indices(len(target) + s.negatives)
	for k := copy(all, target); k < len(all); k++ {
		all[k] = r.Int32N(int32(s.items))
	}
	s.distinct.Reset()
	s.distinct.Number(all, all)
	c := candidates{items: s.distinct.Keys(), target: all[:len(target)]}
	if cap(s.offset) < len(c.items) {
		s.offset = make([]float32, len(c.items)+len(c.items)/8)
	}
	c.offset = s.offset[:len(c.items)]
	clear(c.offset)
	for _, k := range all {
		c.offset[k]++
	}
	for k, i := range c.items {
		c.offset[k] = float32(math.Log(float64(c.offset[k]) / s.expected(i, len(target))))
	}
	return c
}

// expected returns how often item i comes in a step of n targets, for a row with another target:
// the n−1 other rows are any of the other pairs.
func (s *sampler) expected(i int32, n int) float64 {
	e := float64(s.negatives) / float64(s.items)
	if s.pairs > 1 {
		e += float64(n-1) * float64(s.chosen[i]) / float64(s.pairs-1)
	}
	return e
}
