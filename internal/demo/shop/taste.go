package shop

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
)

// Shoppers is the number of simulated shoppers.
const Shoppers = 2500

// The part each trait plays in a shopper's choice, in units of the noise.
const (
	weighColour   = 2.4
	weighPattern  = 1.2
	weighCategory = 1.9
	weighStyle    = 1.2
	weighBrand    = 1.0
	weighAppeal   = 1.0
)

// taste is what a simulated shopper likes: the truth behind the interactions, which no
// recommender gets to see.
type taste struct {
	colours    [2]colour // the favourite, whose neighbours please by half, and one liked by two thirds
	pattern    pattern
	style      style
	brand      int
	categories []category // those they shop for most
}

func makeTaste(rng *rand.Rand) taste {
	t := taste{pattern: pattern(rng.IntN(int(patterns))), style: style(rng.IntN(len(styles)))}
	t.colours[0] = colour(rng.IntN(len(colours)))
	for t.colours[1] = t.colours[0]; t.colours[1] == t.colours[0]; {
		t.colours[1] = colour(rng.IntN(len(colours)))
	}
	t.brand = pickBrand(rng, t.style)
	for _, k := range rng.Perm(len(categories))[:3] {
		t.categories = append(t.categories, category(k))
	}
	return t
}

// likes is how well a product suits the taste, without popularity and noise.
func (t taste) likes(p product) float64 {
	u := weighColour * t.colour(p.look.colour)
	if p.look.pattern == t.pattern {
		u += weighPattern
	}
	if p.style == t.style {
		u += weighStyle
	}
	if p.brand == t.brand {
		u += weighBrand
	}
	if slices.Contains(t.categories, p.category) {
		u += weighCategory
	}
	return u
}

func (t taste) colour(c colour) float64 {
	switch {
	case c == t.colours[0]:
		return 1
	case c == t.colours[1]:
		return 2.0 / 3
	case slices.Contains(colours[t.colours[0]].like, c):
		return 0.5
	}
	return 0
}

// Times lie in the two years before this moment (1 January 2026).
const (
	lastMoment = 1767225600
	span       = 2 * 365 * 24 * 3600
)

// shop lets one shopper choose: a Gumbel draw a product makes taking the highest sums
// the same as choosing one by one, each time with probability proportional to
// exp(utility) among what is left. The order of purchase is independent of the taste.
func (t taste) shop(rng *rand.Rand, user int32, products []product) []dataset.Interaction {
	type offer struct {
		item int32
		u    float64
	}
	offers := make([]offer, len(products))
	for i, p := range products {
		gumbel := -math.Log(-math.Log(1 - rng.Float64()*(1-1e-16)))
		offers[i] = offer{int32(i), t.likes(p) + weighAppeal*p.appeal + gumbel}
	}
	n := 5 + int(math.Floor(16*math.Pow(rng.Float64(), 1.5)))
	slices.SortFunc(offers, func(a, b offer) int {
		return cmp.Or(-cmp.Compare(a.u, b.u), cmp.Compare(a.item, b.item))
	})
	bought := make([]dataset.Interaction, n)
	for i, o := range offers[:n] {
		bought[i] = dataset.Interaction{User: user, Item: o.item, Rating: 5, Time: lastMoment - int64(rng.IntN(span))}
	}
	slices.SortStableFunc(bought, func(a, b dataset.Interaction) int { return cmp.Compare(a.Time, b.Time) })
	return bought
}

// makeShoppers returns the shoppers' tastes and ids and all that they bought, by shopper
// and time.
func makeShoppers(seed uint64, products []product) (tastes []taste, ids []string, bought []dataset.Interaction) {
	for u := range Shoppers {
		rng := rand.New(rand.NewPCG(seed, 1000+uint64(u)))
		t := makeTaste(rng)
		tastes = append(tastes, t)
		ids = append(ids, fmt.Sprintf("shopper-%04d", u+1))
		bought = append(bought, t.shop(rng, int32(u), products)...)
	}
	return tastes, ids, bought
}
