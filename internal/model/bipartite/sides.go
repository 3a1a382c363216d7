package bipartite

import (
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
)

// Sides is the user–item graph with weights that are learnt, seen from both sides. An edge stands by its user
// first, and again by its item.
type Sides struct {
	ToUsers, ToItems *autograd.Edges // messages from items to users, and back
	User, Item       []int32         // ends of the edges of ToUsers
	Sender           []int32         // users of the edges of ToItems
	Turned           []int32         // which edge of ToUsers each edge of ToItems is
}

// NewSides returns the graph of the train interactions.
func NewSides(train *dataset.Histories) *Sides {
	g := &Sides{}
	g.User, g.Item = Edges(train)
	n := len(g.User)
	byUser, byItem := make([]int64, train.Users()+1), make([]int64, train.NumItems()+1)
	for e, u := range g.User {
		byUser[u+1]++
		byItem[g.Item[e]+1]++
	}
	accumulate(byUser)
	accumulate(byItem)
	next := append([]int64(nil), byItem...)
	g.Sender, g.Turned = make([]int32, n), make([]int32, n)
	for e, i := range g.Item {
		g.Sender[next[i]], g.Turned[next[i]] = g.User[e], int32(e)
		next[i]++
	}
	g.ToUsers = autograd.NewEdges(train.Users(), train.NumItems(), byUser, g.Item)
	g.ToItems = autograd.NewEdges(train.NumItems(), train.Users(), byItem, g.Sender)
	return g
}

// Softmax returns the softmax of how well the ends of each edge fit, over the items of each user and over the
// users of each item.
func (g *Sides) Softmax(t *autograd.Tape, fit *autograd.Var) (overItems, overUsers *autograd.Var) {
	return t.EdgeSoftmax(g.ToUsers, fit), t.EdgeSoftmax(g.ToItems, t.Gather(fit, g.Turned))
}

func accumulate(counts []int64) {
	for k := range counts[1:] {
		counts[k+1] += counts[k]
	}
}
