package modeltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/rng"
)

// Large is the size at which growth is measured: three million interactions.
var Large = Shape{Users: 300000, Items: 60000, Train: 2400000, Tastes: 300}

// MakePowerLaw draws a data set whose counts are skewed as in real shops: the item of rank r
// is chosen like (r+10)^−0.9, and the numbers of interactions a user are log-normal. Seven
// choices in ten fall on one of a user's two tastes, which is what there is to learn.
// There are no vectors and no graph: it is for models of interactions alone. Each user has
// one validation and one test interaction beside about Train/Users train ones.
func MakePowerLaw(s Shape, seed uint64) *Data {
	r := rng.Stream(seed, "power law", 0)
	ds := &dataset.Dataset{Name: "synthetic", Split: "leave-latest"}
	all := newUrn(s.Items)
	byTaste, urns := make([][]int32, s.Tastes), make([]*urn, s.Tastes)
	for k, i := range r.Perm(s.Items) { // item i has rank k
		ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprintf("i%d", len(ds.Items))})
		all.items[k] = int32(i)
		taste := r.IntN(s.Tastes)
		byTaste[taste] = append(byTaste[taste], int32(k))
	}
	for t, ranks := range byTaste {
		urns[t] = all.part(ranks)
	}
	const spread = 0.9 // of the logarithm of a user's count
	mean := float64(s.Train)/float64(s.Users) - minTrain
	for u := range s.Users {
		ds.UserIDs = append(ds.UserIDs, fmt.Sprintf("u%d", u))
		n := minTrain + int(mean*math.Exp(spread*r.NormFloat64()-spread*spread/2)+r.Float64())
		n = min(n, s.Items/4)
		tastes := [2]*urn{urns[r.IntN(s.Tastes)], urns[r.IntN(s.Tastes)]}
		for k, i := range draw(r, all, tastes, n+2) {
			ds.Append(dataset.Interaction{User: int32(u), Item: i, Label: labelOf(k, n), Time: int64(k)})
		}
	}
	train := ds.TrainHistories()
	return &Data{ds, model.Inputs{Train: train, Users: s.Users, Items: s.Items, Seed: seed}}
}

func labelOf(k, n int) dataset.Label {
	switch k {
	case n:
		return dataset.Valid
	case n + 1:
		return dataset.Test
	}
	return dataset.Train
}

// draw takes n distinct items, in the order drawn.
func draw(r *rand.Rand, all *urn, tastes [2]*urn, n int) (chosen []int32) {
	seen := map[int32]bool{}
	for tries := 0; len(chosen) < n; tries++ {
		from := all
		if t := tastes[r.IntN(2)]; r.Float64() < 0.7 && tries < 20*n && len(t.items) > 0 {
			from = t // the urn of a taste may be empty before the user is served
		}
		if i := from.draw(r); !seen[i] {
			seen[i] = true
			chosen = append(chosen, i)
		}
	}
	return chosen
}

// urn draws items by their weights.
type urn struct {
	items []int32
	ranks []int32
	upTo  []float64 // sums of the weights
}

func newUrn(n int) *urn {
	ranks := make([]int32, n)
	for k := range ranks {
		ranks[k] = int32(k)
	}
	u := &urn{items: make([]int32, n), ranks: ranks}
	u.weigh()
	return u
}

func (u *urn) weigh() {
	var sum float64
	for _, k := range u.ranks {
		sum += math.Pow(float64(k)+10, -0.9)
		u.upTo = append(u.upTo, sum)
	}
}

func (u *urn) part(ranks []int32) *urn {
	p := &urn{ranks: ranks}
	for _, k := range ranks {
		p.items = append(p.items, u.items[k])
	}
	p.weigh()
	return p
}

func (u *urn) draw(r *rand.Rand) int32 {
	k, _ := slices.BinarySearch(u.upTo, r.Float64()*u.upTo[len(u.upTo)-1])
	return u.items[min(k, len(u.items)-1)]
}
