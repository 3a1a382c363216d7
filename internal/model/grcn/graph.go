package grcn

import "github.com/mllmrec/mllmrec/internal/nn/autograd"

// vectors are those of users and items.
type vectors struct{ users, items *autograd.Var }

// forward returns the vectors of all users and items; on puts a parameter on the tape.
func (m *recommender) forward(t *autograd.Tape, on func(*autograd.Param) *autograd.Var) vectors {
	g := m.sides
	var contents []vectors
	var toUsers, toItems []*autograd.Var
	userConfidence, itemConfidence := on(m.userConfidence), on(m.itemConfidence)
	for k, b := range m.branches {
		content, alpha, beta := m.route(t, b, on)
		contents = append(contents, content)
		toUsers = append(toUsers, t.Mul(alpha, t.Gather(t.SliceCols(itemConfidence, k, k+1), g.Item)))
		toItems = append(toItems, t.Mul(beta, t.Gather(t.SliceCols(userConfidence, k, k+1), g.Sender)))
	}
	zero := t.Const(m.zero)
	weightU, weightI := t.Max(append(toUsers, zero)...), t.Max(append(toItems, zero)...)
	x := vectors{t.NormalizeRows(on(m.users), least), t.NormalizeRows(on(m.items), least)}
	sumU, sumI := []*autograd.Var{x.users}, []*autograd.Var{x.items}
	for range m.layers {
		x = vectors{t.EdgeMul(g.ToUsers, weightU, x.items), t.EdgeMul(g.ToItems, weightI, x.users)}
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
	g := m.sides
	weight, bias := on(b.projection.Weight), on(b.projection.Bias)
	f := t.NormalizeRows(t.LinearLeakyReLU(t.Const(b.features), weight, bias, slope), least)
	p := t.NormalizeRows(on(b.preference), least)
	for range m.routings {
		fit := t.EdgeSoftmax(g.ToUsers, t.RowDots(p, g.User, f, g.Item))
		p = t.NormalizeRows(t.Add(p, t.EdgeMul(g.ToUsers, fit, f)), least)
	}
	fit := t.RowDots(p, g.User, f, g.Item)
	alpha, beta = g.Softmax(t, fit)
	return vectors{t.Add(p, t.EdgeMul(g.ToUsers, alpha, f)), t.Add(f, t.EdgeMul(g.ToItems, beta, p))}, alpha, beta
}
