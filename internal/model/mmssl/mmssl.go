// Package mmssl is the recommender MMSSL: each modality says how much an edge between user and item counts, is made
// to agree with the whole by contrast, and is taught by an adversary to choose as the users do. After Wei et al.
// (WWW 2023). With E the ids' vectors, W_m F_m the projected items' vectors with a part dropped out, Â the adjacency, R̂ its
// users' part, N_u the items of a user and un what divides rows by their lengths,
//
//	f_m: users R̂·W_m F_m, items R̂ᵀ·users'              how a modality sees users and items
//	e_u^m = Σ_{i∈N_u} α_ui E_i,  α_u = softmax of un(f_m)_u·un(f_m)_i/τ;  e_i^m alike over the users of i
//	z = [Σ_m' a_h,m' e^m' of each head h]·M,  a_h = mean over m of softmax over m' of (e^m Q_h)·(e^m' K_h)/√d_h
//	out = prop(Â, E + η un(z)) + ω Σ_m un(f_m)
//	loss = BPR(out) + λ penalty(out) + c Σ_m NCE_τ(e_u^m, out_u) + λ_f ½Σ_m ‖f_m‖²/N + critic
//
// The critic D, two hidden layers, is shown rows of users over all items: fake ones, how a modality ranks what the user has not
// chosen, and real ones, the same by out, with the softmax of the user's choices and a little Gumbel noise g,
//
//	fake_m = un((f_m,u · f_mᵀ) ⊙ (1−R_u)),  real = un(softmax(R_u + ν g) + κ un((out_u · outᵀ) ⊙ (1−R_u)))
//	critic = mean D(fake) − mean D(real) + μ mean (‖∇D(mixtures of both)‖ − 1)²
//
// D learns to make it small, and the modalities, by γ times the turned gradient, to make it large.
//
// Worked out from the paper and from public code, from which it differs: (1) There, a modality's relation of users
// and items is a list of the best items, which with the default settings is empty on Amazon Baby from the second step
// on, so that e^m is zero. Here it weighs the edges that there are, with gradients. (2) The critic's first layer is
// 64 wide rather than a quarter of the items, sees the users of a part of the batch, has no batch normalisation,
// dropout or sigmoid, and its LeakyReLU bends (there its slope is 1); an epoch of Amazon Baby then takes less than a
// minute of one core, where the published one would take an estimated quarter of an hour or more. (3) It learns in
// the same step as the model, with the same Adam. (4) Keys of the heads have matrices of their own, as in the paper;
// there they are the queries. (5) One adjacency, normalised on both sides, is used throughout, and the last layer has
// no softmax. (6) The contrast has the other view's rows as negatives, not those of its own. (7) Adam has no weight
// decay; the public code's AdamW has 0.01.
package mmssl

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/gated"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

const least = 1e-12 // length by which a row is divided at least

func init() {
	model.Register(model.Spec{
		Name: "mmssl",
		Doc:  "MMSSL (Wei et al., WWW 2023) teaches each modality by an adversary and by contrast to relate users and items as choices do; worked out from the paper and public code.",
		Settings: []model.Setting{
			modality.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "2", Min: 0, Max: 16, Doc: "propagation layers over the user–item graph"},
			{Name: "heads", Kind: model.Int, Default: "4", Min: 1, Max: 64, Doc: "heads of the attention between modalities"},
			{Name: "dropout", Kind: model.Float, Default: "0.2", Max: 0.99, Doc: "share of the projected vectors' elements that a step leaves out"},
			{Name: "id_weight", Kind: model.Float, Default: "0.36", Doc: "weight η of what the modalities add to the ids before propagation"},
			{Name: "modality_weight", Kind: model.Float, Default: "0.55", Doc: "weight ω of each modality's vectors in the end"},
			{Name: "contrast_weight", Kind: model.Float, Default: "0.03", Doc: "weight c of the contrast between a modality's users and the whole's"},
			{Name: "temperature", Kind: model.Float, Default: "0.5", Min: 1e-3, Doc: "temperature τ of the contrast and of the weights of edges"},
			{Name: "adversarial_weight", Kind: model.Float, Default: "0.0001", Doc: "weight γ of what the critic teaches the modalities; 0: no critic"},
			{Name: "critic_dim", Kind: model.Int, Default: "64", Min: 2, Max: 4096, Doc: "width of the critic's first hidden layer; the second is half as wide"},
			{Name: "critic_users", Kind: model.Int, Default: "256", Min: 1, Doc: "users of a batch, at most, that the critic is shown"},
			{Name: "gradient_penalty", Kind: model.Float, Default: "0.3", Doc: "weight μ of the penalty that keeps the critic's slope at 1"},
			{Name: "real_weight", Kind: model.Float, Default: "100", Doc: "weight κ of the model's own ranking in real rows"},
			{Name: "noise", Kind: model.Float, Default: "0.002", Doc: "size ν of the Gumbel noise of real rows"},
			layers.RegWeight("1e-05"),
			layers.RegBatch(),
			{Name: "feature_reg_weight", Kind: model.Float, Default: "1e-05", Doc: "weight λ_f of the penalty on the modalities' vectors"},
		},
		Needs:      func(v model.Values) model.Needs { return model.Needs{ItemVectors: modality.Of(v)} },
		Trainer:    map[string]string{"lr": "0.00055", "lr_decay": "0.96"},
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	gated.Tables
	sides             *bipartite.Sides
	toUsers, toItems  *tensor.CSR // blocks of the adjacency
	features          []*tensor.Matrix
	projections       []layers.Linear
	query, key, merge layers.Linear
	heads, width      int // width of a head
	critic            *critic
	noise             *layers.Noise
	dropout           float64
	ids, ends         float32
	contrast, tau     float32
	reg               layers.Penalty
	featureReg        float64
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d, heads := v.Int("embedding_dim"), v.Int("heads")
	graph := gated.Plain(in)
	m := &recommender{
		Tables: gated.NewTables(in, graph, d, v.Int("layers")), sides: bipartite.NewSides(in.Train), toUsers: graph.Block, toItems: graph.Block.Transpose(),
		heads: heads, width: (d + heads - 1) / heads, noise: layers.NewNoise(in.Seed), dropout: v.Float("dropout"),
		ids: float32(v.Float("id_weight")), ends: float32(v.Float("modality_weight")), contrast: float32(v.Float("contrast_weight")), tau: float32(v.Float("temperature")),
		reg: layers.PenaltyOf(v), featureReg: v.Float("feature_reg_weight") / 2 / float64(in.Items),
	}
	m.query, m.key = xavier("query", d, heads*m.width, in.Seed), xavier("key", d, heads*m.width, in.Seed)
	m.merge = xavier("merge", heads*d, d, in.Seed)
	params := []*autograd.Param{m.Users, m.Items}
	names := modality.Of(v)
	for _, name := range names {
		x := in.ItemVectors[name]
		p := layers.NewLinear(name+".projection", x.Cols, d, in.Seed)
		model.XavierUniform(p.Weight, in.Seed)
		m.features, m.projections = append(m.features, x), append(m.projections, p)
		params = append(params, p.Params()...)
	}
	if m.ids != 0 {
		params = append(params, m.merge.Weight)
		if len(names) > 1 { // of one modality, the heads have no choice
			params = append(params, m.query.Weight, m.key.Weight)
		}
	}
	if gamma := v.Float("adversarial_weight"); gamma != 0 {
		m.critic = newCritic(in, v)
		params = append(params, m.critic.params()...)
	}
	m.Base = model.NewBase("mmssl", v, params...)
	return m, nil
}

// xavier is a layer without bias whose weight is drawn by Xavier's uniform rule.
func xavier(name string, in, out int, seed uint64) layers.Linear {
	l := layers.NewUnbiased(name, in, out, seed)
	model.XavierUniform(l.Weight, seed)
	return l
}

// StartEpoch implements model.EpochStarter.
func (m *recommender) StartEpoch(epoch int) error {
	m.noise.StartEpoch(epoch)
	return nil
}

// pair holds vectors of users and of items.
type pair struct{ users, items *autograd.Var }

// views are a step's vectors.
type views struct {
	out     pair
	content []pair          // f_m
	related []*autograd.Var // e^m, of all nodes
}

func (m *recommender) forward(t *autograd.Tape, dropout float64) (v views) {
	users, items := t.Param(m.Users), t.Param(m.Items)
	var ends []*autograd.Var
	for k, x := range m.features {
		f := m.noise.Dropout(t, m.projections[k].Apply(t, t.Const(x)), "mmssl "+m.projections[k].Weight.Name, dropout)
		u := t.SpMM(m.toUsers, m.toItems, f)
		c := pair{u, t.SpMM(m.toItems, m.toUsers, u)}
		unit := pair{t.NormalizeRows(c.users, least), t.NormalizeRows(c.items, least)}
		alpha, beta := m.sides.Softmax(t, t.Scale(1/m.tau, t.RowDots(unit.users, m.sides.User, unit.items, m.sides.Item)))
		v.content = append(v.content, c)
		v.related = append(v.related, t.ConcatRows(t.EdgeMul(m.sides.ToUsers, alpha, items), t.EdgeMul(m.sides.ToItems, beta, users)))
		ends = append(ends, t.ConcatRows(unit.users, unit.items))
	}
	if m.ids != 0 {
		z := t.NormalizeRows(m.attend(t, v.related), least)
		users, items = m.Split(t, t.Add(t.ConcatRows(users, items), t.Scale(m.ids, z)))
	}
	all := t.Add(m.Collaborative(t, users, items), t.Scale(m.ends, t.Add(ends...)))
	v.out.users, v.out.items = m.Split(t, all)
	return v
}

// attend is z: what the heads make of the modalities' vectors.
func (m *recommender) attend(t *autograd.Tape, related []*autograd.Var) *autograd.Var {
	var queries, keys []*autograd.Var
	for _, e := range related {
		queries, keys = append(queries, m.query.Apply(t, e)), append(keys, m.key.Apply(t, e))
	}
	var parts []*autograd.Var
	for h := range m.heads {
		lo, hi := h*m.width, (h+1)*m.width
		var shares []*autograd.Var
		for _, q := range queries {
			var fits []*autograd.Var
			for _, k := range keys {
				fits = append(fits, t.RowDots(t.SliceCols(q, lo, hi), nil, t.SliceCols(k, lo, hi), nil))
			}
			shares = append(shares, t.SoftmaxRows(t.Scale(float32(1/math.Sqrt(float64(m.width))), t.ConcatCols(fits...))))
		}
		share := t.Mean(shares...)
		var sum []*autograd.Var
		for k, e := range related {
			sum = append(sum, t.ScaleRows(e, share, k))
		}
		parts = append(parts, t.Add(sum...))
	}
	return m.merge.Apply(t, t.ConcatCols(parts...))
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	m.noise.StartStep()
	v := m.forward(t, m.dropout)
	out := gated.Triple{U: t.Gather(v.out.users, b.Users), P: t.Gather(v.out.items, b.Pos), N: t.Gather(v.out.items, b.Neg)}
	terms := []*autograd.Var{m.reg.Add(t, out.BPR(t), out.U, out.P, out.N)}
	if m.contrast != 0 {
		for _, e := range v.related {
			terms = append(terms, t.Scale(m.contrast, t.InfoNCE(t.Gather(e, b.Users), out.U, m.tau)))
		}
	}
	if m.featureReg != 0 {
		for _, c := range v.content {
			terms = append(terms, t.SquaredNorm(m.featureReg, c.users, c.items))
		}
	}
	if m.critic != nil {
		terms = append(terms, m.critic.loss(t, m.noise, v, b.Users))
	}
	return t.Add(terms...)
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	v := m.forward(autograd.NewTape(), 0)
	return v.out.users.Value, v.out.items.Value, nil
}
