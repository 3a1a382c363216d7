// Package dualgnn is the recommender DualGNN: each modality is propagated apart, every user weighs the modalities
// for himself, and then learns from the users who chose the same things. After Wang et al. (IEEE TMM 2021). With P_m
// the users' preferences in a modality, trained, F_m the items' vectors, φ LeakyReLU, Â the adjacency and rn what
// divides rows by their lengths,
//
//	X = rn[P_m ; B φ(A F_m + a) + b],  X_m = X + ÂX + Â²X
//	item = Σ_m X_m,i,  z_u = Σ_m w_um X_m,u,  user = z_u + Σ_v s_uv z_v
//	s_u = softmax of how many items u and v both chose, over the k users v with the most
//	loss = BPR(u,p,n) + λ (Σ_m mean of P_m² over the batch's users + mean of w²)
//
// Worked out from the paper and from public code, from which it differs where that does not do what the paper says;
// its convolutions and its sum over users, run once on the golden fixture, gave the same scores. Public code adds the
// second modality into the first in place, so that a user's weights act on their sum and on the second; here on each.
// It pads the list of a user with fewer than k neighbours with some of them, drawn by lot each epoch; here the
// softmax is over those that there are, and nothing is drawn. It makes a graph without a tenth of the items and does
// not use it; here there is none. It takes the loss by logarithms to base 2, so that its λ counts for 0.69 of ours,
// and penalises weights of the items that nothing reads. It ranks by the vectors of the last training step; here the
// present parameters rank. Users with equal counts are taken by number.
package dualgnn

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

const slope = 0.01 // of LeakyReLU on negative numbers

func init() {
	model.Register(model.Spec{
		Name: "dualgnn",
		Doc:  "DualGNN (Wang et al., IEEE TMM 2021) lets every user weigh the modalities and learn from the users who chose the same things; worked out from the paper and public code.",
		Settings: []model.Setting{
			modality.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 1024, Doc: "width of the user and item vectors; hidden layers of the items' vectors are four times as wide"},
			{Name: "layers", Kind: model.Int, Default: "2", Min: 0, Max: 16, Doc: "propagation layers of a modality over the user–item graph"},
			{Name: "k", Kind: model.Int, Default: "40", Min: 1, Max: 1000, Doc: "users who share the most items with a user, from whom he learns"},
			{Name: "reg_weight", Kind: model.Float, Default: "0.001", Doc: "weight λ of the penalty on preferences and on the weights of modalities"},
		},
		Needs:      func(v model.Values) model.Needs { return model.Needs{ItemVectors: modality.Of(v)} },
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	branches        []branch
	weights         *autograd.Param // of the modalities, by users
	adjacency       *tensor.CSR
	similar         *tensor.CSR // users × users
	similarT        *tensor.CSR
	users, layersOf int
	reg             float64
}

// branch is what a modality has of its own.
type branch struct {
	features      *tensor.Matrix
	widen, narrow layers.Linear
	preference    *autograd.Param
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d, names := v.Int("embedding_dim"), modality.Of(v)
	m := &recommender{
		weights: autograd.NewParam("modality_weights", in.Users, len(names)), adjacency: bipartite.Normalised(in.Train, 0),
		similar: users(in.Train, v.Int("k")), users: in.Users, layersOf: v.Int("layers"), reg: v.Float("reg_weight"),
	}
	m.similarT = m.similar.Transpose()
	model.XavierNormal(m.weights, in.Seed)
	shares(m.weights.Value)
	params := []*autograd.Param{m.weights}
	for _, name := range names {
		b := branch{features: in.ItemVectors[name], preference: autograd.NewParam(name+".preference", in.Users, d)}
		model.XavierNormal(b.preference, in.Seed)
		b.widen, b.narrow = layers.NewLinear(name+".widen", b.features.Cols, 4*d, in.Seed), layers.NewLinear(name+".narrow", 4*d, d, in.Seed)
		m.branches = append(m.branches, b)
		params = append(append(params, b.preference), layers.Params(b.widen, b.narrow)...)
	}
	m.Base = model.NewBase("dualgnn", v, params...)
	return m, nil
}

// shares puts the softmax of each row in its place: every user begins with weights that sum to 1.
func shares(w *tensor.Matrix) {
	for u := range w.Rows {
		row, sum := w.Row(u), 0.0
		for _, x := range row {
			sum += math.Exp(float64(x))
		}
		for k, x := range row {
			row[k] = float32(math.Exp(float64(x)) / sum)
		}
	}
}

// forward returns the vectors of users and items; on puts a parameter on the tape.
func (m *recommender) forward(t *autograd.Tape, on func(*autograd.Param) *autograd.Var) (users, items *autograd.Var) {
	w := on(m.weights)
	var own, all []*autograd.Var
	for k, b := range m.branches {
		hidden := t.LinearLeakyReLU(t.Const(b.features), on(b.widen.Weight), on(b.widen.Bias), slope)
		content := t.Linear(hidden, on(b.narrow.Weight), on(b.narrow.Bias))
		x := t.NormalizeRows(t.ConcatRows(on(b.preference), content), 1e-12)
		x = t.Propagate(m.adjacency, m.adjacency, x, m.layersOf, 1)
		own = append(own, t.ScaleRows(t.SliceRows(x, 0, m.users), w, k))
		all = append(all, t.SliceRows(x, m.users, x.Rows()))
	}
	z := t.Add(own...)
	return t.Add(z, t.SpMM(m.similar, m.similarT, z)), t.Add(all...)
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	users, items := m.forward(t, t.Param)
	loss := t.BPR(t.RowDots(users, b.Users, items, b.Pos), t.RowDots(users, b.Users, items, b.Neg))
	if m.reg == 0 {
		return loss
	}
	penalties := []*autograd.Var{loss, t.SquaredNorm(m.reg/float64(len(m.weights.Value.Data)), t.Param(m.weights))}
	for _, branch := range m.branches {
		p := t.Gather(t.Param(branch.preference), b.Users)
		penalties = append(penalties, t.SquaredNorm(m.reg/float64(len(p.Value.Data)), p))
	}
	return t.Add(penalties...)
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	u, i := m.forward(t, func(p *autograd.Param) *autograd.Var { return t.Const(p.Value) })
	return u.Value, i.Value, nil
}
