// Package mgcn is the recommender MGCN: what the items' pictures and texts have in common is told apart from what is
// each one's own, and weighed by how users behave. After Yu et al. (ACM MM 2023). With C the LightGCN vectors of all
// nodes, K_m the frozen graph of modality m and R̂ the users' part of the adjacency,
//
//	z_m = K_m·(I⁰ ⊙ σ(gate_m(T_m(F_m)))),  Z_m = [R̂ z_m ; z_m],  common = attention over the Z_m
//	side = (Σ_m σ(behave_m(C)) ⊙ (Z_m − common) + common)/(modalities + 1),  out = C + side
//	loss = BPR(out) + λ·½(‖u‖²+‖p‖²+‖n‖²)/B + c·(NCE(side, C) of positives and of users)
package mgcn

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/gated"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/model/neighbours"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func init() {
	model.Register(model.Spec{
		Name: "mgcn",
		Doc:  "MGCN (Yu et al., ACM MM 2023) gates the items' vectors by their ids and tells what the modalities have in common from what is each one's own.",
		Settings: []model.Setting{
			modality.Setting(),
			neighbours.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "2", Min: 0, Max: 16, Doc: "propagation layers over the user–item graph"},
			{Name: "item_layers", Kind: model.Int, Default: "1", Min: 0, Max: 16, Doc: "hops over the item graphs"},
			{Name: "k", Kind: model.Int, Default: "10", Min: 1, Max: 1000, Doc: "nearest items of each item, itself included"},
			{Name: "contrast_weight", Kind: model.Float, Default: "0.01", Doc: "weight c of the contrastive loss"},
			{Name: "temperature", Kind: model.Float, Default: "0.2", Min: 1e-3, Doc: "temperature of the contrastive loss"},
			layers.RegWeight("0.0001"),
			layers.RegBatch(),
		},
		Needs: func(v model.Values) model.Needs {
			return neighbours.Needs(model.Needs{ItemVectors: modality.Of(v)}, v)
		},
		Trainer:    map[string]string{"lr_decay": "0.96"},
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	gated.Tables
	sides     []side
	attention gated.Attention
	contrast  float32
	tau       float32
	reg       layers.Penalty
}

// side is one modality.
type side struct {
	features                 layers.Features
	projection, gate, behave layers.Linear
	hop                      gated.Hop
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d := v.Int("embedding_dim")
	m := &recommender{
		Tables:    gated.NewTables(in, gated.Plain(in), d, v.Int("layers")),
		attention: gated.NewAttention("common", d, in.Seed),
		contrast:  float32(v.Float("contrast_weight")), tau: float32(v.Float("temperature")), reg: layers.PenaltyOf(v),
	}
	params := append([]*autograd.Param{m.Users, m.Items}, m.attention.Params()...)
	for _, name := range modality.Of(v) {
		g, err := neighbours.Of(in, v, name, func(x *tensor.Matrix) (*tensor.CSR, error) { return neighbours.Weighted(x, v.Int("k")) })
		if err != nil {
			return nil, err
		}
		s := side{
			features: layers.Trainable(name+".features", in.ItemVectors[name]),
			gate:     layers.NewLinear(name+".gate", d, d, in.Seed),
			behave:   layers.NewLinear(name+".behaviour", d, d, in.Seed),
			hop:      gated.NewHop(g, v.Int("item_layers")),
		}
		s.projection = layers.NewLinear(name+".projection", s.features.Width(), d, in.Seed)
		m.sides = append(m.sides, s)
		params = append(append(params, s.features.Params()...), layers.Params(s.projection, s.gate, s.behave)...)
	}
	m.Base = model.NewBase("mgcn", v, params...)
	return m, nil
}

// forward returns the collaborative vectors of all nodes and those of their sides.
func (m *recommender) forward(t *autograd.Tape) (c, sides *autograd.Var) {
	items := t.Param(m.Items)
	c = m.Collaborative(t, t.Param(m.Users), items)
	var zs []*autograd.Var
	for _, s := range m.sides {
		z := t.Mul(items, s.gate.Gate(t, s.projection.Apply(t, s.features.On(t))))
		zs = append(zs, m.Lift(t, s.hop.Over(t, z)))
	}
	common := m.attention.Mix(t, zs...)
	parts := []*autograd.Var{common}
	for k, s := range m.sides {
		parts = append(parts, t.Mul(s.behave.Gate(t, c), gated.Minus(t, zs[k], common)))
	}
	return c, t.Mean(parts...)
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	c, sides := m.forward(t)
	out := m.Gather(t, t.Add(c, sides), b)
	loss := m.reg.Add(t, out.BPR(t), out.U, out.P, out.N)
	if m.contrast == 0 {
		return loss
	}
	return t.Add(loss, t.Scale(m.contrast, gated.Agree(t, m.Gather(t, sides, b), m.Gather(t, c, b), m.tau)))
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	c, sides := m.forward(t)
	return m.Tables.Represent(t.Add(c, sides))
}
