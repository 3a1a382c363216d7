// Package bm3 is the recommender BM3, which learns without negatives: one view of a pair's vectors foretells
// another, of which a part is dropped out. After Zhou et al. (WWW 2023). With ids propagated as LightGCN does, F_m the
// items' vectors, trained, h one linear predictor, sg what gets no gradient, and d(a, b) = 1 − the mean cosine of
// the rows of a and of sg(dropout(b)),
//
//	[U;I] = prop(Â,[U⁰;I⁰]),  I += I⁰,  X_m = W_m F_m + b_m
//	loss = d(h(U_u), I_p) + d(h(I_p), U_u) + c Σ_m (d(h(X_m,p), I_p) + d(h(X_m,p), X_m,p)) + λ (‖U‖ + ‖I‖)/N
//	score = h(U)·h(I)
//
// over the pairs (u, p) of a batch; its negatives are not read.
//
// Worked out from the paper and from public code, which, run once on the golden fixture with nothing dropped out,
// gave the same losses, gradients and scores. One thing differs: each pair of a batch draws a dropout of its own,
// where public code draws one for each user and item. Setting targets=moving lets the targets learn too, an ablation
// under which vectors may collapse to one.
package bm3

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Whether targets get a gradient.
const (
	held   = "held"
	moving = "moving"
)

func init() {
	model.Register(model.Spec{
		Name: "bm3",
		Doc:  "BM3 (Zhou et al., WWW 2023) learns without negatives: each view of a pair foretells one that is partly dropped out; worked out from the paper and public code.",
		Settings: []model.Setting{
			modality.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "1", Min: 0, Max: 16, Doc: "propagation layers over the user–item graph"},
			{Name: "dropout", Kind: model.Float, Default: "0.5", Max: 0.99, Doc: "share of a target's elements that a step leaves out"},
			{Name: "contrast_weight", Kind: model.Float, Default: "2", Doc: "weight c of what the modalities foretell"},
			{Name: "reg_weight", Kind: model.Float, Default: "0.1", Doc: "weight λ of the embedding-norm penalty on all users and items"},
			{Name: "targets", Kind: model.Choice, Default: held, Choices: []string{held, moving}, Doc: "whether what is foretold gets no gradient, as published, or moves too"},
		},
		Needs:      func(v model.Values) model.Needs { return model.Needs{ItemVectors: modality.Of(v)} },
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	users, items *autograd.Param
	features     []layers.Features
	projections  []layers.Linear
	predictor    layers.Linear
	adjacency    *tensor.CSR
	layers       int
	noise        *layers.Noise
	dropout      float64
	contrast     float32
	reg          float32
	held         bool
	batch        *model.Distinct
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d := v.Int("embedding_dim")
	m := &recommender{
		users: layers.Embedding("user_embedding", in.Users, d, in.Seed), items: layers.Embedding("item_embedding", in.Items, d, in.Seed),
		predictor: xavier("predictor", d, d, in.Seed), adjacency: bipartite.Symmetric(in.Train), layers: v.Int("layers"),
		noise: layers.NewNoise(in.Seed), dropout: v.Float("dropout"), contrast: float32(v.Float("contrast_weight")), reg: float32(v.Float("reg_weight")),
		held: v.Text("targets") == held, batch: model.NewDistinct(in.Items),
	}
	params := append([]*autograd.Param{m.users, m.items}, m.predictor.Params()...)
	if m.contrast != 0 {
		for _, name := range modality.Of(v) {
			f := layers.TrainableByRows(name+".features", in.ItemVectors[name])
			p := xavier(name+".projection", f.Width(), d, in.Seed)
			m.features, m.projections = append(m.features, f), append(m.projections, p)
			params = append(append(params, f.Params()...), p.Params()...)
		}
	}
	m.Base = model.NewBase("bm3", v, params...)
	return m, nil
}

// xavier is a layer whose weight is drawn by Xavier's normal rule.
func xavier(name string, in, out int, seed uint64) layers.Linear {
	l := layers.NewLinear(name, in, out, seed)
	model.XavierNormal(l.Weight, seed)
	return l
}

// StartEpoch implements model.EpochStarter.
func (m *recommender) StartEpoch(epoch int) error {
	m.noise.StartEpoch(epoch)
	return nil
}

// forward returns the propagated vectors of users and items.
func (m *recommender) forward(t *autograd.Tape, users, items *autograd.Var) (u, i *autograd.Var) {
	x := t.Propagate(m.adjacency, m.adjacency, t.ConcatRows(users, items), m.layers, 1/float32(m.layers+1))
	return t.SliceRows(x, 0, users.Rows()), t.Add(t.SliceRows(x, users.Rows(), x.Rows()), items)
}

// target is what is to be foretold: x with a part dropped out, and without a gradient unless targets move.
func (m *recommender) target(t *autograd.Tape, x *autograd.Var, purpose string) *autograd.Var {
	if m.held {
		x = t.Const(x.Value)
	}
	return m.noise.Dropout(t, x, "bm3 "+purpose, m.dropout)
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	m.noise.StartStep()
	users, items := m.forward(t, t.Param(m.users), t.Param(m.items))
	u, p := t.Gather(users, b.Users), t.Gather(items, b.Pos)
	user, item := m.target(t, u, "users"), m.target(t, p, "items")
	terms := []*autograd.Var{m.apart(t, u, item), m.apart(t, p, user)}
	pos := t.Indices(len(b.Pos))
	m.batch.Reset()
	m.batch.Number(pos, b.Pos)
	for k, f := range m.features {
		x := t.Gather(m.projections[k].Apply(t, f.Rows(t, m.batch.Keys())), pos)
		own := m.target(t, x, m.projections[k].Weight.Name)
		terms = append(terms, t.Scale(m.contrast, t.Add(m.apart(t, x, item), m.apart(t, x, own))))
	}
	if m.reg != 0 {
		terms = append(terms, t.Scale(m.reg, t.EmbNorm(users, items)))
	}
	return t.Add(terms...)
}

// apart is 1 − the mean cosine of what the rows of x foretell and the targets.
func (m *recommender) apart(t *autograd.Tape, x, target *autograd.Var) *autograd.Var {
	const least = 1e-8
	cosines := t.RowDots(t.NormalizeRows(m.predictor.Apply(t, x), least), nil, t.NormalizeRows(target, least), nil)
	return t.Add(layers.Constant(t, 1, 1, 1), layers.Mean(t, -1, cosines))
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	u, i := m.forward(t, t.Const(m.users.Value), t.Const(m.items.Value))
	return m.predictor.Apply(t, u).Value, m.predictor.Apply(t, i).Value, nil
}
