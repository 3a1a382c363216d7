package shop

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Crowd is newcomers to the shop, each with a taste that can change: for simulations of a shop that is served.
type Crowd struct {
	products []product
	tastes   []taste
	rng      *rand.Rand
}

// NewCrowd draws n newcomers.
func NewCrowd(seed uint64, n int) *Crowd {
	c := &Crowd{products: makeProducts(seed), rng: rand.New(rand.NewPCG(seed, 7_000_000))}
	for range n {
		c.tastes = append(c.tastes, makeTaste(c.rng))
	}
	return c
}

// Len is how many they are.
func (c *Crowd) Len() int { return len(c.tastes) }

// ID is the id of a newcomer.
func (c *Crowd) ID(u int) string { return fmt.Sprintf("newcomer-%03d", u+1) }

// Item is the id of a product by its row.
func (c *Crowd) Item(i int) string { return c.products[i].item.ID }

// Change gives a newcomer another taste.
func (c *Crowd) Change(u int) { c.tastes[u] = makeTaste(c.rng) }

// Best returns the ids of the n products that suit a newcomer best, popularity with everybody counted in, less those that they have.
func (c *Crowd) Best(u, n int, not map[string]bool) map[string]bool {
	var rows []int
	for i := range c.products {
		if !not[c.products[i].item.ID] {
			rows = append(rows, i)
		}
	}
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(c.utility(u, b), c.utility(u, a)) })
	best := map[string]bool{}
	for _, i := range rows[:n] {
		best[c.products[i].item.ID] = true
	}
	return best
}

func (c *Crowd) utility(u, i int) float64 {
	p := c.products[i]
	return c.tastes[u].likes(p) + weighAppeal*p.appeal
}

// Choose returns the id of the product that a newcomer takes from some, each with a probability proportional to exp(utility); with none given, from
// the whole shop. not are those that they have.
func (c *Crowd) Choose(u int, among []string, not map[string]bool) string {
	best, most := "", math.Inf(-1)
	for i, p := range c.products {
		id := p.item.ID
		if not[id] || among != nil && !slices.Contains(among, id) {
			continue
		}
		gumbel := -math.Log(-math.Log(1 - c.rng.Float64()*(1-1e-16)))
		if v := c.utility(u, i) + gumbel; v > most {
			best, most = id, v
		}
	}
	return best
}
