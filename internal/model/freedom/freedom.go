// Package freedom is the recommender FREEDOM: LightGCN over a thinned user–item graph, with one hop over a frozen
// item–item graph of the items' vectors. After Zhou and Shen (ACM MM 2023), in the form of the reference
// framework,
//
//	G = Σ_m w_m G_m        each G_m the k nearest by cosine, all alike, normalised by their number
//	[U;I] = 1/(L+1) Σ_l Â^l [U⁰;I⁰],  I += G·I⁰
//	loss = BPR(u,p,n) + λ Σ_m BPR(u, T_m(F_m)_p, T_m(F_m)_n)
//
// Before each epoch the user–item graph is thinned: edges are kept with a probability that falls with the degrees of
// their ends. The items' vectors F_m are trained; they and their projections T_m learn through the second term only.
package freedom

import (
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
		Name: "freedom",
		Doc:  "FREEDOM (Zhou and Shen, ACM MM 2023) propagates over a thinned user–item graph and over a frozen graph of similar items.",
		Settings: []model.Setting{
			modality.Setting(),
			neighbours.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "2", Min: 0, Max: 16, Doc: "propagation layers over the user–item graph"},
			{Name: "item_layers", Kind: model.Int, Default: "1", Min: 0, Max: 16, Doc: "hops over the item graph"},
			{Name: "k", Kind: model.Int, Default: "10", Min: 1, Max: 1000, Doc: "nearest items of each item, itself included"},
			{Name: "first_weight", Kind: model.Float, Default: "0.1", Max: 1, Doc: "weight of the first modality's graph; the others share the rest alike"},
			{Name: "drop_edges", Kind: model.Float, Default: "0.8", Max: 0.99, Doc: "share of the user–item edges that an epoch leaves out"},
			{Name: "feature_weight", Kind: model.Float, Default: "0.001", Doc: "weight λ of the ranking loss by the projected vectors"},
		},
		Needs: func(v model.Values) model.Needs {
			return neighbours.Needs(model.Needs{ItemVectors: modality.Of(v)}, v)
		},
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	users, items *autograd.Param
	features     []layers.Features
	projections  []layers.Linear
	whole        *tensor.CSR // user–item graph
	thin         *tensor.CSR // that of the epoch
	edges        *edges      // nil: none are dropped
	graph        *tensor.CSR // of items
	graphT       *tensor.CSR
	layers, hops int
	lambda       float32
	batch        *model.Distinct
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d := v.Int("embedding_dim")
	m := &recommender{
		users:  layers.Embedding("user_embedding", in.Users, d, in.Seed),
		items:  layers.Embedding("item_embedding", in.Items, d, in.Seed),
		whole:  bipartite.Symmetric(in.Train),
		layers: v.Int("layers"), hops: v.Int("item_layers"), lambda: float32(v.Float("feature_weight")),
		batch: model.NewDistinct(in.Items),
	}
	m.thin = m.whole
	if share := v.Float("drop_edges"); share > 0 {
		m.edges = newEdges(in, share)
	}
	params := []*autograd.Param{m.users, m.items}
	for _, name := range modality.Of(v) {
		f := layers.TrainableByRows(name+".features", in.ItemVectors[name])
		p := layers.NewLinear(name+".projection", f.Width(), d, in.Seed)
		m.features, m.projections = append(m.features, f), append(m.projections, p)
		if m.lambda != 0 {
			params = append(append(params, f.Params()...), p.Params()...)
		}
	}
	var err error
	if m.graph, err = itemGraph(in, v); err != nil {
		return nil, err
	}
	m.graphT = m.graph.Transpose()
	m.Base = model.NewBase("freedom", v, params...)
	return m, nil
}

// itemGraph is the weighted sum of the modalities' graphs.
func itemGraph(in model.Inputs, v model.Values) (*tensor.CSR, error) {
	names := modality.Of(v)
	if v.Text(neighbours.GraphName) == neighbours.Refined {
		return in.Graph, nil
	}
	var graphs []*tensor.CSR
	weights := make([]float32, len(names))
	for k, name := range names {
		g, err := neighbours.Of(in, v, name, func(x *tensor.Matrix) (*tensor.CSR, error) { return neighbours.Binary(x, v.Int("k")) })
		if err != nil {
			return nil, err
		}
		graphs = append(graphs, g)
		if first := v.Float("first_weight"); len(names) == 1 {
			weights[k] = 1
		} else if k == 0 {
			weights[k] = float32(first)
		} else {
			weights[k] = float32((1 - first) / float64(len(names)-1))
		}
	}
	return neighbours.Mix(weights, graphs...), nil
}

// StartEpoch implements model.EpochStarter: it thins the user–item graph.
func (m *recommender) StartEpoch(epoch int) error {
	if m.edges != nil {
		m.thin = m.edges.draw(epoch)
	}
	return nil
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	users, items := m.propagate(t, m.thin, t.Param(m.users), t.Param(m.items))
	loss := t.BPR(t.RowDots(users, b.Users, items, b.Pos), t.RowDots(users, b.Users, items, b.Neg))
	if m.lambda == 0 {
		return loss
	}
	pos, neg := t.Indices(len(b.Pos)), t.Indices(len(b.Neg))
	m.batch.Reset()
	m.batch.Number(pos, b.Pos)
	m.batch.Number(neg, b.Neg)
	for k, f := range m.features {
		x := m.projections[k].Apply(t, f.Rows(t, m.batch.Keys()))
		by := t.BPR(t.RowDots(users, b.Users, x, pos), t.RowDots(users, b.Users, x, neg))
		loss = t.Add(loss, t.Scale(m.lambda, by))
	}
	return loss
}

// propagate returns the users' and items' vectors over a user–item graph.
func (m *recommender) propagate(t *autograd.Tape, graph *tensor.CSR, users, items *autograd.Var) (u, i *autograd.Var) {
	h := t.Propagate(graph, graph, t.ConcatRows(users, items), m.layers, 1/float32(m.layers+1))
	similar := items
	for range m.hops {
		similar = t.SpMM(m.graph, m.graphT, similar)
	}
	return t.SliceRows(h, 0, users.Rows()), t.Add(t.SliceRows(h, users.Rows(), h.Rows()), similar)
}

// Represent implements model.Model. It propagates over all edges.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	u, i := m.propagate(t, m.whole, t.Const(m.users.Value), t.Const(m.items.Value))
	return u.Value, i.Value, nil
}
