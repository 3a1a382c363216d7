// Package soil is the recommender SOIL: graphs of what users' histories have in common beside those of what items
// have in common. After Su et al. (ACM MM 2024), in the form of the authors' code.
//
//	C = prop(Â⁺, [U;I]);  z_m = G_m·(I⁰ ⊙ σ(W x_m)),  Z_m = [R̂⁺ z_m ; z_m],  common = attention over the Z_m
//	side = (Σ_m Z_m − common)/(modalities + 1),  out = C + side
//	loss = BPR(out) + c₁·(NCE(side, C) of positives and of users)
//	     + c₂·(NCE(out_u, C_p) + NCE(out_u, side_p))
//
// The graphs: G_m joins the nearest items by modality m with edges from what a user chose to what is most like all of
// their history; Â⁺ and R̂⁺ join the user–item graph with edges from users to items that are most like single items of theirs by all
// modalities at once. See graph.go.
package soil

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
		Name: "soil",
		Doc:  "SOIL (Su et al., ACM MM 2024) adds to the graphs what users' histories have in common, in each modality and in all at once.",
		Settings: []model.Setting{
			modality.Setting(),
			neighbours.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "2", Min: 0, Max: 16, Doc: "propagation layers over the user–item graph"},
			{Name: "item_layers", Kind: model.Int, Default: "1", Min: 0, Max: 16, Doc: "hops over the item graphs"},
			{Name: "k", Kind: model.Int, Default: "10", Min: 1, Max: 1000, Doc: "nearest items of each item, itself included"},
			{Name: "k_interest", Kind: model.Int, Default: "10", Min: 1, Max: 1000, Doc: "items most like a history, by each modality, that its items are linked to"},
			{Name: "k_attractive", Kind: model.Int, Default: "2", Min: 0, Max: 1000, Doc: "items most like single items of a history that the user is linked to"},
			{Name: "column_factor", Kind: model.Choice, Default: published, Choices: []string{published, degree},
				Doc: "what edges from users to items are divided by on the items' side when they carry the items' sides to users: published, the degree of the user whose number the item has, a slip of the authors' code; degree, the item's own"},
			{Name: "contrast_weight", Kind: model.Float, Default: "0.01", Doc: "weight c₁ of the contrast of sides and behaviour"},
			{Name: "attract_weight", Kind: model.Float, Default: "0.01", Doc: "weight c₂ of the contrast of users and positives"},
			{Name: "temperature", Kind: model.Float, Default: "0.2", Min: 1e-3, Doc: "temperature of the contrastive losses"},
		},
		Needs: func(v model.Values) model.Needs {
			return neighbours.Needs(model.Needs{ItemVectors: modality.Of(v)}, v)
		},
		Trainer:    map[string]string{"lr_decay": "0.96", "patience": "10"},
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	gated.Tables
	sides             []side
	attention         gated.Attention
	contrast, attract float32
	tau               float32
}

// side is one modality.
type side struct {
	features         layers.Features
	projection, gate layers.Linear
	hop              gated.Hop
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d, names := v.Int("embedding_dim"), modality.Of(v)
	g := newGraphs(in, v, names)
	joint, err := g.joint()
	if err != nil {
		return nil, err
	}
	m := &recommender{
		Tables:    gated.NewTables(in, joint, d, v.Int("layers")),
		attention: gated.NewAttention("common", d, in.Seed),
		contrast:  float32(v.Float("contrast_weight")), attract: float32(v.Float("attract_weight")), tau: float32(v.Float("temperature")),
	}
	params := append([]*autograd.Param{m.Users, m.Items}, m.attention.Params()...)
	ofItems, err := g.ofItems()
	if err != nil {
		return nil, err
	}
	for k, name := range names {
		s := side{
			features: layers.Frozen(in.ItemVectors[name]),
			gate:     layers.NewLinear(name+".gate", d, d, in.Seed),
			hop:      gated.NewHop(ofItems[k], v.Int("item_layers")),
		}
		s.projection = layers.NewLinear(name+".projection", s.features.Width(), d, in.Seed)
		m.sides = append(m.sides, s)
		params = append(params, layers.Params(s.projection, s.gate)...)
	}
	m.Base = model.NewBase("soil", v, params...)
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
	return c, t.Mean(append(zs, t.Scale(-1, common))...)
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	c, sides := m.forward(t)
	out, ours, by := m.Gather(t, t.Add(c, sides), b), m.Gather(t, sides, b), m.Gather(t, c, b)
	loss := out.BPR(t)
	if m.contrast != 0 {
		loss = t.Add(loss, t.Scale(m.contrast, gated.Agree(t, ours, by, m.tau)))
	}
	if m.attract != 0 {
		loss = t.Add(loss, t.Scale(m.attract, t.Add(t.InfoNCE(out.U, by.P, m.tau), t.InfoNCE(out.U, ours.P, m.tau))))
	}
	return loss
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	c, sides := m.forward(t)
	return m.Tables.Represent(t.Add(c, sides))
}
