package grcn

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// graph is the user–item graph, seen from both sides. An edge stands by its user first, and again by its item.
type graph struct {
	toUsers, toItems *autograd.Edges // messages from items to users, and back
	user, item       []int32         // ends of the edges of toUsers
	sender           []int32         // users of the edges of toItems
	turned           []int32         // which edge of toUsers each edge of toItems is
	zero             *tensor.Matrix  // a number an edge
}

func newGraph(in model.Inputs) *graph {
	g := &graph{}
	g.user, g.item = bipartite.Edges(in.Train)
	n := len(g.user)
	byUser, byItem := make([]int64, in.Users+1), make([]int64, in.Items+1)
	for e, u := range g.user {
		byUser[u+1]++
		byItem[g.item[e]+1]++
	}
	accumulate(byUser)
	accumulate(byItem)
	next := append([]int64(nil), byItem...)
	g.sender, g.turned = make([]int32, n), make([]int32, n)
	for e, i := range g.item {
		g.sender[next[i]], g.turned[next[i]] = g.user[e], int32(e)
		next[i]++
	}
	g.toUsers = autograd.NewEdges(in.Users, in.Items, byUser, g.item)
	g.toItems = autograd.NewEdges(in.Items, in.Users, byItem, g.sender)
	g.zero = tensor.New(n, 1)
	return g
}

func accumulate(counts []int64) {
	for k := range counts[1:] {
		counts[k+1] += counts[k]
	}
}

// vectors are those of users and items.
type vectors struct{ users, items *autograd.Var }

// forward returns the vectors of all users and items; on puts a parameter on the tape.
func (m *recommender) forward(t *autograd.Tape, on func(*autograd.Param) *autograd.Var) vectors {
	g := m.graph
	var contents []vectors
	var toUsers, toItems []*autograd.Var
	userConfidence, itemConfidence := on(m.userConfidence), on(m.itemConfidence)
	for k, b := range m.branches {
		content, alpha, beta := m.route(t, b, on)
		contents = append(contents, content)
		toUsers = append(toUsers, t.Mul(alpha, t.Gather(t.SliceCols(itemConfidence, k, k+1), g.item)))
		toItems = append(toItems, t.Mul(beta, t.Gather(t.SliceCols(userConfidence, k, k+1), g.sender)))
	}
	zero := t.Const(g.zero)
	weightU, weightI := t.Max(append(toUsers, zero)...), t.Max(append(toItems, zero)...)
	x := vectors{t.NormalizeRows(on(m.users), least), t.NormalizeRows(on(m.items), least)}
	sumU, sumI := []*autograd.Var{x.users}, []*autograd.Var{x.items}
	for range m.layers {
		x = vectors{t.EdgeMul(g.toUsers, weightU, x.items), t.EdgeMul(g.toItems, weightI, x.users)}
		sumU, sumI = append(sumU, x.users), append(sumI, x.items)
	}
	users, items := []*autograd.Var{t.Add(sumU...)}, []*autograd.Var{t.Add(sumI...)}
	for _, c := range contents {
		users, items = append(users, c.users), append(items, c.items)
	}
	return vectors{t.ConcatCols(users...), t.ConcatCols(items...)}
}

// route finds what users like in one modality. alpha is how much each item of a user fits it, beta
// how much each user of an item does.
func (m *recommender) route(t *autograd.Tape, b branch, on func(*autograd.Param) *autograd.Var) (content vectors, alpha, beta *autograd.Var) {
	g := m.graph
	weight, bias := on(b.projection.Weight), on(b.projection.Bias)
	f := t.NormalizeRows(t.LinearLeakyReLU(t.Const(b.features), weight, bias, slope), least)
	p := t.NormalizeRows(on(b.preference), least)
	for range m.routings {
		fit := t.EdgeSoftmax(g.toUsers, t.RowDots(p, g.user, f, g.item))
		p = t.NormalizeRows(t.Add(p, t.EdgeMul(g.toUsers, fit, f)), least)
	}
	fit := t.RowDots(p, g.user, f, g.item)
	alpha, beta = t.EdgeSoftmax(g.toUsers, fit), t.EdgeSoftmax(g.toItems, t.Gather(fit, g.turned))
	return vectors{t.Add(p, t.EdgeMul(g.toUsers, alpha, f)), t.Add(f, t.EdgeMul(g.toItems, beta, p))}, alpha, beta
}
