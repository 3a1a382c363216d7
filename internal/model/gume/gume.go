// Package gume is the recommender GUME: the user–item graph is widened by edges between items that are alike by both
// modalities, and users get a vector for each modality. After Lin et al. (CIKM 2024), in the form of the authors' code.
// With Â the widened graph, normalised by row sums on both sides, R̂ its users' part, K_m the frozen graphs and
// x_m the projected vectors,
//
//	ex_m = K_m^n·(I⁰ ⊙ σ(W x_m)),  X_m = [R̂ ex_m ; ex_m],  H = prop(Â, [U;I]),  Y = mean_m prop(Â, [U_m ; ex_m])
//	coarse = attention over X_v, X_t;  fine_m = σ(b_m(H)) ⊙ (X_m − coarse);  integ = (fine_v + fine_t + coarse)/3
//	out = H + integ
//	loss = BPR(out) + λ₁ penalty(out) + vt·(gap of the moments of X_v and X_t)
//	     + bm·(NCE(integ, H) of users and positives)
//	     + um·(NCE(Y, integ) of users + noise(integ) + noise(Y)) + λ₂·½‖Y_p‖²/B
//
// noise(Z) is the NCE of Z with two disturbances, sign(Z) ⊙ unit rows of uniform numbers · 0.1.
package gume

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
		Name: "gume",
		Doc:  "GUME (Lin et al., CIKM 2024) adds edges between items that are alike by both modalities, and gives users a vector for each.",
		Settings: []model.Setting{
			modality.Setting(),
			neighbours.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "3", Min: 0, Max: 16, Doc: "propagation layers over the widened graph"},
			{Name: "item_layers", Kind: model.Int, Default: "2", Min: 0, Max: 16, Doc: "hops over the item graphs"},
			{Name: "k", Kind: model.Int, Default: "10", Min: 1, Max: 1000, Doc: "nearest items of each item, itself included"},
			{Name: "behaviour_weight", Kind: model.Float, Default: "0.01", Doc: "weight bm of the contrast with behaviour"},
			{Name: "behaviour_temperature", Kind: model.Float, Default: "0.4", Min: 1e-3, Doc: "its temperature"},
			{Name: "user_weight", Kind: model.Float, Default: "0.01", Doc: "weight um of the contrast of the users' vectors"},
			{Name: "user_temperature", Kind: model.Float, Default: "0.1", Min: 1e-3, Doc: "its temperature"},
			{Name: "moment_weight", Kind: model.Float, Default: "0.1", Doc: "weight vt of the gap between the modalities' moments"},
			{Name: "noise", Kind: model.Float, Default: "0.1", Doc: "length of the disturbances of users' vectors"},
			layers.RegWeight("1e-05"),
			{Name: "interest_reg_weight", Kind: model.Float, Default: "0.1", Doc: "weight λ₂ of the penalty on the positives' interest vectors"},
			layers.RegBatch(),
		},
		Needs: func(v model.Values) model.Needs {
			return neighbours.Needs(model.Needs{ItemVectors: modality.Of(v)}, v)
		},
		Check:      modality.Two("gume", "compares"),
		Trainer:    map[string]string{"lr_decay": "0.96"},
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	gated.Tables
	sides            [2]side
	coarse           gated.Attention
	noise            *layers.Noise
	amplitude        float32
	behaviour, users contrast
	moments          float32
	reg              layers.Penalty
	interest         float64 // λ₂/2B
}

type contrast struct{ weight, tau float32 }

// side is one modality.
type side struct {
	users                    *autograd.Param
	features                 layers.Features
	projection, gate, behave layers.Linear
	hop                      gated.Hop
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	names := modality.Of(v)
	d := v.Int("embedding_dim")
	graph, err := widened(in, names, v.Int("k"))
	if err != nil {
		return nil, err
	}
	m := &recommender{
		Tables: gated.NewTables(in, graph, d, v.Int("layers")), coarse: gated.NewAttention("coarse", d, in.Seed),
		noise: layers.NewNoise(in.Seed), amplitude: float32(v.Float("noise")), moments: float32(v.Float("moment_weight")),
		behaviour: contrast{float32(v.Float("behaviour_weight")), float32(v.Float("behaviour_temperature"))},
		users:     contrast{float32(v.Float("user_weight")), float32(v.Float("user_temperature"))},
		reg:       layers.PenaltyOf(v), interest: v.Float("interest_reg_weight") / 2 / float64(v.Int("reg_batch")),
	}
	params := append([]*autograd.Param{m.Users, m.Items}, m.coarse.Params()...)
	for k, name := range names {
		g, err := neighbours.Of(in, v, name, func(x *tensor.Matrix) (*tensor.CSR, error) { return neighbours.Weighted(x, v.Int("k")) })
		if err != nil {
			return nil, err
		}
		s := side{
			users:    layers.Embedding(name+".user_embedding", in.Users, d, in.Seed),
			features: layers.Trainable(name+".features", in.ItemVectors[name]),
			gate:     layers.NewLinear(name+".gate", d, d, in.Seed),
			behave:   layers.NewLinear(name+".behaviour", d, d, in.Seed),
			hop:      gated.NewHop(g, v.Int("item_layers")),
		}
		s.projection = layers.NewLinear(name+".projection", s.features.Width(), d, in.Seed)
		m.sides[k] = s
		params = append(append(append(params, s.users), s.features.Params()...), layers.Params(s.projection, s.gate, s.behave)...)
	}
	m.Base = model.NewBase("gume", v, params...)
	return m, nil
}

// StartEpoch implements model.EpochStarter.
func (m *recommender) StartEpoch(epoch int) error {
	m.noise.StartEpoch(epoch)
	return nil
}

// views are a step's vectors of all nodes.
type views struct {
	h, y, integrated, out *autograd.Var
	x                     [2]*autograd.Var
}

func (m *recommender) forward(t *autograd.Tape) (v views) {
	items := t.Param(m.Items)
	v.h = m.Collaborative(t, t.Param(m.Users), items)
	var interests []*autograd.Var
	for k, s := range m.sides {
		ex := s.hop.Over(t, t.Mul(items, s.gate.Gate(t, s.projection.Apply(t, s.features.On(t)))))
		v.x[k] = m.Lift(t, ex)
		interests = append(interests, m.Collaborative(t, t.Param(s.users), ex))
	}
	v.y = t.Mean(interests...)
	coarse := m.coarse.Mix(t, v.x[:]...)
	parts := []*autograd.Var{coarse}
	for k, s := range m.sides {
		parts = append(parts, t.Mul(s.behave.Gate(t, v.h), gated.Minus(t, v.x[k], coarse)))
	}
	v.integrated = t.Mean(parts...)
	v.out = t.Add(v.h, v.integrated)
	return v
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	m.noise.StartStep()
	v := m.forward(t)
	out, h, y, integrated := m.Gather(t, v.out, b), m.Gather(t, v.h, b), m.Gather(t, v.y, b), m.Gather(t, v.integrated, b)
	loss := m.reg.Add(t, out.BPR(t), out.U, out.P, out.N)
	if m.moments != 0 {
		loss = t.Add(loss, t.Scale(m.moments, t.MomentGap(v.x[0], v.x[1])))
	}
	if m.behaviour.weight != 0 {
		loss = t.Add(loss, t.Scale(m.behaviour.weight, gated.Agree(t, integrated, h, m.behaviour.tau)))
	}
	if m.users.weight != 0 {
		agree := t.Add(t.InfoNCE(y.U, integrated.U, m.users.tau), m.disturbed(t, integrated.U, "gume side"), m.disturbed(t, y.U, "gume interest"))
		loss = t.Add(loss, t.Scale(m.users.weight, agree))
	}
	if m.interest != 0 {
		loss = t.Add(loss, t.SquaredNorm(m.interest, y.P))
	}
	return loss
}

// disturbed is the InfoNCE of two disturbances of the batch's users. A user who occurs twice in the batch is
// disturbed apart each time; in the published code the disturbance is of the user.
func (m *recommender) disturbed(t *autograd.Tape, z *autograd.Var, purpose string) *autograd.Var {
	return t.InfoNCE(m.disturb(t, z, purpose+" 1"), m.disturb(t, z, purpose+" 2"), m.users.tau)
}

func (m *recommender) disturb(t *autograd.Tape, z *autograd.Var, purpose string) *autograd.Var {
	if m.amplitude == 0 {
		return z
	}
	noise := t.NormalizeRows(m.noise.Uniform(t, purpose, z.Rows(), z.Cols()), 1e-12).Value
	for i, v := range z.Value.Data {
		switch {
		case v < 0:
			noise.Data[i] *= -m.amplitude
		case v > 0:
			noise.Data[i] *= m.amplitude
		default:
			noise.Data[i] = 0
		}
	}
	return t.Add(z, t.Const(noise))
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	return m.Tables.Represent(m.forward(autograd.NewTape()).out)
}
