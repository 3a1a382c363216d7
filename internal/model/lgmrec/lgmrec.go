// Package lgmrec is the recommender LGMRec: local vectors over the user–item graph, by ids and by modality, and global
// ones over hyperedges that items and users are assigned to by what the items' vectors say. After Guo et al.
// (AAAI 2024), in the form of the authors' code.
//
//	C = prop(Â,[U;I]);  of modality m: x = F_m W_m, users the mean over their items, Z_m = Â^L [users; x]
//	local = C + Σ_m Z_m/‖·‖
//	ã_m = dropout(softmax((F_m H_m + g)/τ)),  b̃_m = dropout(softmax((R F_m H_m + g)/τ))   g Gumbel noise
//	from r = C_I, several times: h = ãᵀ r, r = ã h, u = b̃ h;   global_m = [u; r]
//	out = local + α·(Σ_m global_m)/‖·‖
//	loss = BPR(out) + c·Σ (contrast of the modalities' global vectors, with all rows as negatives) + λ·EmbNorm(out)
//
// The authors' code draws Gumbel noise when it ranks, too, so that its scores are random. Ours leaves noise and
// dropout to training.
package lgmrec

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func init() {
	model.Register(model.Spec{
		Name: "lgmrec",
		Doc:  "LGMRec (Guo et al., AAAI 2024) joins local vectors over the user–item graph with global ones over learnt hyperedges.",
		Settings: []model.Setting{
			modality.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "2", Min: 0, Max: 16, Doc: "propagation layers of the ids"},
			{Name: "modality_layers", Kind: model.Int, Default: "2", Min: 0, Max: 16, Doc: "propagation layers of the modalities, of which the last counts"},
			{Name: "hyper_layers", Kind: model.Int, Default: "1", Min: 1, Max: 16, Doc: "passes over the hyperedges"},
			{Name: "hyperedges", Kind: model.Int, Default: "4", Min: 1, Max: 4096, Doc: "number of hyperedges of a modality"},
			{Name: "keep", Kind: model.Float, Default: "0.5", Min: 0.01, Max: 1, Doc: "share of the assignments that a step keeps"},
			{Name: "noise", Kind: model.Float, Default: "1", Doc: "scale of the Gumbel noise of the assignments"},
			{Name: "global_weight", Kind: model.Float, Default: "0.3", Doc: "weight α of the global vectors"},
			{Name: "contrast_weight", Kind: model.Float, Default: "0.0001", Doc: "weight c of the contrastive loss, a sum over the batch"},
			{Name: "reg_weight", Kind: model.Float, Default: "1e-06", Doc: "weight of the embedding-norm penalty"},
		},
		Needs:      func(v model.Values) model.Needs { return model.Needs{ItemVectors: modality.Of(v)} },
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

const tau = 0.2 // of the assignments and of the contrast, fixed in the published code

type recommender struct {
	model.Base
	users, items   *autograd.Param
	sides          []side
	adjacency      *tensor.CSR
	mean, meanT    *tensor.CSR // users × items: the mean of a user's items
	sum, sumT      *tensor.CSR // users × items: R
	layers         int
	modalityLayers int
	hyperLayers    int
	noise          *layers.Noise
	amplitude      float32
	drop           float64
	alpha          float32
	contrast       float32
	reg            float32
}

// side is one modality.
type side struct {
	name         string
	features     *tensor.Matrix
	weight       *autograd.Param // W, in × d
	hyperedges   *autograd.Param // H, in × hyperedges
	noiseOfItems string          // purposes of its streams of noise
	noiseOfUsers string
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d := v.Int("embedding_dim")
	m := &recommender{
		users: layers.Embedding("user_embedding", in.Users, d, in.Seed), items: layers.Embedding("item_embedding", in.Items, d, in.Seed),
		adjacency: bipartite.Symmetric(in.Train),
		layers:    v.Int("layers"), modalityLayers: v.Int("modality_layers"), hyperLayers: v.Int("hyper_layers"),
		noise: layers.NewNoise(in.Seed), amplitude: float32(v.Float("noise")), drop: 1 - v.Float("keep"),
		alpha: float32(v.Float("global_weight")), contrast: float32(v.Float("contrast_weight")), reg: float32(v.Float("reg_weight")),
	}
	m.sum = ones(bipartite.Block(m.adjacency, in.Users))
	m.mean = means(m.sum)
	m.sumT, m.meanT = m.sum.Transpose(), m.mean.Transpose()
	params := []*autograd.Param{m.users, m.items}
	for _, name := range modality.Of(v) {
		x := in.ItemVectors[name]
		s := side{name: name, features: x, weight: layers.Embedding(name+".projection", x.Cols, d, in.Seed),
			hyperedges:   layers.Embedding(name+".hyperedges", x.Cols, v.Int("hyperedges"), in.Seed),
			noiseOfItems: "lgmrec items " + name, noiseOfUsers: "lgmrec users " + name}
		m.sides = append(m.sides, s)
		params = append(params, s.weight, s.hyperedges)
	}
	m.Base = model.NewBase("lgmrec", v, params...)
	return m, nil
}

// ones is the pattern of s.
func ones(s *tensor.CSR) *tensor.CSR {
	for e := range s.Values {
		s.Values[e] = 1
	}
	return s
}

// means has the rows of s divided by the number of their entries, plus 1e-7.
func means(s *tensor.CSR) *tensor.CSR {
	m := &tensor.CSR{Rows: s.Rows, Cols: s.Cols, Indptr: s.Indptr, Indices: s.Indices, Values: make([]float32, s.NNZ())}
	for u := range m.Rows {
		_, values := m.Row(u)
		for e := range values {
			values[e] = float32(1 / (float64(len(values)) + bipartite.LightGCNEpsilon))
		}
	}
	return m
}

// StartEpoch implements model.EpochStarter.
func (m *recommender) StartEpoch(epoch int) error {
	m.noise.StartEpoch(epoch)
	return nil
}

// global are a modality's vectors over its hyperedges.
type global struct{ users, items *autograd.Var }

// forward returns the vectors of users and items, and the global ones of each modality; random says
// whether noise is drawn.
func (m *recommender) forward(t *autograd.Tape, random bool) (out *autograd.Var, globals []global) {
	users, items := t.Param(m.users), t.Param(m.items)
	c := t.Propagate(m.adjacency, m.adjacency, t.ConcatRows(users, items), m.layers, 1/float32(m.layers+1))
	cItems := t.SliceRows(c, users.Rows(), c.Rows())
	local := []*autograd.Var{c}
	var joined []*autograd.Var
	for _, s := range m.sides {
		features := t.Const(s.features)
		x := t.MatMul(features, false, t.Param(s.weight), false)
		z := t.ConcatRows(t.SpMM(m.mean, m.meanT, x), x)
		for range m.modalityLayers {
			z = t.SpMM(m.adjacency, m.adjacency, z)
		}
		local = append(local, t.NormalizeRows(z, 1e-12))
		g := m.overHyperedges(t, s, features, cItems, random)
		globals = append(globals, g)
		joined = append(joined, t.ConcatRows(g.users, g.items))
	}
	return t.Add(t.Add(local...), t.Scale(m.alpha, t.NormalizeRows(t.Add(joined...), 1e-12))), globals
}

func (m *recommender) overHyperedges(t *autograd.Tape, s side, features, items *autograd.Var, random bool) (g global) {
	logits := t.MatMul(features, false, t.Param(s.hyperedges), false)
	ofItems := m.assign(t, logits, s.noiseOfItems, random)
	ofUsers := m.assign(t, t.SpMM(m.sum, m.sumT, logits), s.noiseOfUsers, random)
	g.items = items
	for range m.hyperLayers {
		h := t.MatMul(ofItems, true, g.items, false)
		g.items, g.users = t.MatMul(ofItems, false, h, false), t.MatMul(ofUsers, false, h, false)
	}
	return g
}

// assign turns logits into shares of the hyperedges.
func (m *recommender) assign(t *autograd.Tape, logits *autograd.Var, purpose string, random bool) *autograd.Var {
	if random && m.amplitude != 0 {
		g := m.noise.Uniform(t, purpose, logits.Rows(), logits.Cols())
		for i, u := range g.Value.Data {
			g.Value.Data[i] = float32(-math.Log(-math.Log((float64(u) + 0.5/(1<<24)) / (1 + 1.0/(1<<24))))) // u in [0, 1): never at either end
		}
		logits = t.Add(logits, t.Scale(m.amplitude, g))
	}
	shares := t.SoftmaxRows(t.Scale(1/tau, logits))
	if random {
		shares = m.noise.Dropout(t, shares, purpose+" dropout", m.drop)
	}
	return shares
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	m.noise.StartStep()
	out, globals := m.forward(t, true)
	n := m.users.Value.Rows
	items := t.SliceRows(out, n, out.Rows())
	u, p, neg := t.Gather(out, b.Users), t.Gather(items, b.Pos), t.Gather(items, b.Neg)
	loss := t.BPR(t.RowDots(u, nil, p, nil), t.RowDots(u, nil, neg, nil))
	if m.contrast != 0 {
		rows := float32(len(b.Users)) // the published loss is a sum
		for k := range len(globals) - 1 {
			one, two := globals[k], globals[k+1]
			agree := t.Add(t.Contrast(t.Gather(one.users, b.Users), two.users, b.Users, tau), t.Contrast(t.Gather(one.items, b.Pos), two.items, b.Pos, tau))
			loss = t.Add(loss, t.Scale(m.contrast*rows, agree))
		}
	}
	if m.reg != 0 {
		loss = t.Add(loss, t.Scale(m.reg, t.EmbNorm(u, p, neg)))
	}
	return loss
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	out, _ := m.forward(autograd.NewTape(), false)
	n := m.users.Value.Rows
	return out.Value.RowRange(0, n), out.Value.RowRange(n, out.Rows()), nil
}
