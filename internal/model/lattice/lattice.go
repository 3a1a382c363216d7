// Package lattice is the recommender LATTICE: an item–item graph that is learnt from projections of the items'
// vectors, beside LightGCN. After Zhang et al. (ACM MM 2021), in the form of the reference framework. With
// a = softmax of one number a modality, O_m the frozen graph of the vectors as they came and C_m the nearest
// items by the projected vectors,
//
//	C = Σ_m a_m C_m,  G = (1−λ)·D^{-1/2} C D^{-1/2} + λ Σ_m a_m O_m
//	[U;I] = mean of the layers over (D+I)^{-1}(A+I),  I += rows of G·I⁰ divided by their lengths
//	loss = BPR(u,p,n) + reg·½(‖u‖²+‖p‖²+‖n‖²)/B
//
// G is built in the first step of each epoch, and that step alone sends gradients into it; the others take it
// as it is.
package lattice

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/model/neighbours"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func init() {
	model.Register(model.Spec{
		Name: "lattice",
		Doc:  "LATTICE (Zhang et al., ACM MM 2021) learns a graph of similar items from projections of their vectors, beside LightGCN.",
		Settings: []model.Setting{
			modality.Setting(),
			neighbours.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "2", Min: 0, Max: 16, Doc: "propagation layers over the user–item graph"},
			{Name: "item_layers", Kind: model.Int, Default: "1", Min: 0, Max: 16, Doc: "hops over the item graph"},
			{Name: "k", Kind: model.Int, Default: "10", Min: 1, Max: 1000, Doc: "nearest items of each item, itself included"},
			{Name: "frozen_share", Kind: model.Float, Default: "0.9", Max: 1, Doc: "weight λ of the frozen graph beside the learnt one"},
			layers.RegWeight("0.0001"),
			layers.RegBatch(),
		},
		Needs: func(v model.Values) model.Needs {
			return neighbours.Needs(model.Needs{ItemVectors: modality.Of(v)}, v)
		},
		Trainer:    map[string]string{"lr_decay": "0.96", "lr": "0.0005"},
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	users, items *autograd.Param
	logits       *autograd.Param // one a modality
	features     []layers.Features
	projections  []layers.Linear
	frozen       []*tensor.CSR // O_m
	frozenT      []*tensor.CSR
	adjacency    *tensor.CSR
	adjacencyT   *tensor.CSR
	layers, hops int
	k            int
	share        float32
	reg          layers.Penalty

	first         bool        // the next step builds the graph
	graph, graphT *tensor.CSR // as the first step of the epoch left it
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d, names := v.Int("embedding_dim"), modality.Of(v)
	m := &recommender{
		users:     layers.Embedding("user_embedding", in.Users, d, in.Seed),
		items:     layers.Embedding("item_embedding", in.Items, d, in.Seed),
		logits:    autograd.NewVector("modality_weights", len(names)),
		adjacency: bipartite.RowStochastic(in.Train),
		layers:    v.Int("layers"), hops: v.Int("item_layers"), k: v.Int("k"), share: float32(v.Float("frozen_share")),
		reg: layers.PenaltyOf(v), first: true,
	}
	m.adjacencyT = m.adjacency.Transpose()
	for k := range names {
		m.logits.Value.Data[k] = 1 / float32(len(names))
	}
	params := []*autograd.Param{m.logits, m.users, m.items}
	for _, name := range names {
		own := func(x *tensor.Matrix) (*tensor.CSR, error) { return neighbours.Weighted(x, m.k) }
		g, err := neighbours.Of(in, v, name, own)
		if err != nil {
			return nil, err
		}
		f := layers.Trainable(name+".features", in.ItemVectors[name])
		p := layers.NewLinear(name+".projection", f.Width(), d, in.Seed)
		m.features, m.projections = append(m.features, f), append(m.projections, p)
		m.frozen, m.frozenT = append(m.frozen, g), append(m.frozenT, g.Transpose())
		params = append(append(params, f.Params()...), p.Params()...)
	}
	m.Base = model.NewBase("lattice", v, params...)
	return m, nil
}

// StartEpoch implements model.EpochStarter.
func (m *recommender) StartEpoch(int) error {
	m.first = true
	return nil
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	users, items := t.Param(m.users), t.Param(m.items)
	var hop func(x *autograd.Var) *autograd.Var
	if m.first {
		m.first = false
		g, err := m.learn(t)
		if err != nil { // projections that are not finite: the loss says so to the trainer
			return t.Const(tensor.FromSlice(1, 1, []float32{float32(math.NaN())}))
		}
		m.graph = g.frozen(m)
		m.graphT = m.graph.Transpose()
		hop = func(x *autograd.Var) *autograd.Var { return g.hop(t, m, x) }
	} else {
		hop = func(x *autograd.Var) *autograd.Var { return t.SpMM(m.graph, m.graphT, x) }
	}
	u, i := m.propagate(t, users, items, hop)
	eu, ep, en := t.Gather(u, b.Users), t.Gather(i, b.Pos), t.Gather(i, b.Neg)
	return m.reg.Add(t, t.BPR(t.RowDots(eu, nil, ep, nil), t.RowDots(eu, nil, en, nil)), eu, ep, en)
}

func (m *recommender) propagate(t *autograd.Tape, users, items *autograd.Var, hop func(*autograd.Var) *autograd.Var) (u, i *autograd.Var) {
	h := items
	for range m.hops {
		h = hop(h)
	}
	all := t.Propagate(m.adjacency, m.adjacencyT, t.ConcatRows(users, items), m.layers, 1/float32(m.layers+1))
	return t.SliceRows(all, 0, users.Rows()), t.Add(t.SliceRows(all, users.Rows(), all.Rows()), t.NormalizeRows(h, 1e-12))
}

// Represent implements model.Model. The graph is that of the present parameters.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	g, err := m.learn(t)
	if err != nil {
		return nil, nil, err
	}
	graph := g.frozen(m)
	hop := func(x *autograd.Var) *autograd.Var { return t.SpMM(graph, graph, x) } // no way back is gone
	u, i := m.propagate(t, t.Const(m.users.Value), t.Const(m.items.Value), hop)
	return u.Value, i.Value, nil
}
