// Package grcn is the recommender GRCN: what users like in each modality is found by routing, and how well an
// item fits it says how much its edge counts in the convolution of the id vectors. After Wei et al. (ACM MM 2020).
// In each modality, with F = rows of φ(F_m·W + b) divided by their lengths, φ LeakyReLU, and the users' preferences P
// trained,
//
//	P = rn(P); three times:  α_ui = softmax over u's items of P_u·F_i,  P_u = rn(P_u + Σ_i α_ui F_i)
//	C_u = P_u + Σ_i α_ui F_i,  C_i = F_i + Σ_u β_iu P_u,  β softmax over i's users
//	weight of the message from i to u: the largest over the modalities of α_ui·s_im, at least 0, s_im the
//	confidence of node i in modality m, trained; from u to i alike by β_iu·s_um
//	x = rn(e), x₁ = its sum over neighbours by these weights, x₂ that of x₁
//	vectors = [x + x₁ + x₂ ; C of each modality]
//	loss = BPR(u,p,n) + λ (mean of e_u² + e_i² over the batch's pairs + Σ_m mean of P_u² over them)
//
// Worked out from the paper and from public code. That code hands messages from users to items only while
// it routes, so that its preferences do not move; here they do, as in the paper. It also penalises all preferences
// in the first modality once more, and ranks by the vectors of the last training step; here the present parameters rank.
package grcn

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

const (
	slope = 0.01  // of LeakyReLU on negative numbers
	least = 1e-12 // length by which a row is divided at least
)

func init() {
	model.Register(model.Spec{
		Name: "grcn",
		Doc:  "GRCN (Wei et al., ACM MM 2020) weighs the user–item edges by how well an item fits what its user likes in each modality; worked out from the paper and public code.",
		Settings: []model.Setting{
			modality.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the id vectors and of each modality's"},
			{Name: "routings", Kind: model.Int, Default: "3", Min: 0, Max: 16, Doc: "rounds in which a user's preference moves to the items that it fits"},
			{Name: "layers", Kind: model.Int, Default: "2", Min: 0, Max: 16, Doc: "propagation layers of the id vectors"},
			{Name: "reg_weight", Kind: model.Float, Default: "0.001", Doc: "weight of the penalty on id vectors and preferences"},
		},
		Needs:      func(v model.Values) model.Needs { return model.Needs{ItemVectors: modality.Of(v)} },
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	users, items                   *autograd.Param // id vectors
	userConfidence, itemConfidence *autograd.Param // a column a modality
	branches                       []branch
	sides                          *bipartite.Sides
	zero                           *tensor.Matrix // a number an edge
	routings, layers               int
	reg                            float64
}

// branch is what a modality has of its own.
type branch struct {
	features   *tensor.Matrix
	projection layers.Linear
	preference *autograd.Param
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d, names := v.Int("embedding_dim"), modality.Of(v)
	table := func(name string, rows, cols int) *autograd.Param {
		p := autograd.NewParam(name, rows, cols)
		model.XavierNormal(p, in.Seed)
		return p
	}
	m := &recommender{
		users:          table("user_embedding", in.Users, d),
		items:          table("item_embedding", in.Items, d),
		userConfidence: table("user_confidence", in.Users, len(names)),
		itemConfidence: table("item_confidence", in.Items, len(names)),
		sides:          bipartite.NewSides(in.Train),
		routings:       v.Int("routings"), layers: v.Int("layers"), reg: v.Float("reg_weight"),
	}
	m.zero = tensor.New(len(m.sides.User), 1)
	params := []*autograd.Param{m.users, m.items, m.userConfidence, m.itemConfidence}
	for _, name := range names {
		b := branch{features: in.ItemVectors[name], preference: table(name+".preference", in.Users, d)}
		b.projection = layers.NewLinear(name+".projection", b.features.Cols, d, in.Seed)
		model.XavierNormal(b.projection.Weight, in.Seed)
		m.branches = append(m.branches, b)
		params = append(append(params, b.preference), b.projection.Params()...)
	}
	m.Base = model.NewBase("grcn", v, params...)
	return m, nil
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	x := m.forward(t, t.Param)
	loss := t.BPR(t.RowDots(x.users, b.Users, x.items, b.Pos), t.RowDots(x.users, b.Users, x.items, b.Neg))
	if m.reg == 0 {
		return loss
	}
	users, items := t.Param(m.users), t.Param(m.items)
	pairs := m.reg / float64(2*len(b.Users)*users.Cols()) // the user of a triple stands in two of them
	penalties := []*autograd.Var{loss,
		t.SquaredNorm(2*pairs, t.Gather(users, b.Users)), t.SquaredNorm(pairs, t.Gather(items, b.Pos), t.Gather(items, b.Neg))}
	for _, branch := range m.branches {
		penalties = append(penalties, t.SquaredNorm(2*pairs, t.Gather(t.Param(branch.preference), b.Users)))
	}
	return t.Add(penalties...)
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	x := m.forward(t, func(p *autograd.Param) *autograd.Var { return t.Const(p.Value) })
	return x.users.Value, x.items.Value, nil
}
