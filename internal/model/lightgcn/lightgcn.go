// Package lightgcn is the recommender LightGCN: user and item vectors, propagated over the
// user–item graph without weights or activations. After He et al. (SIGIR 2020),
//
//	H = 1/(L+1) Σ_{l=0}^{L} Â^l [U;I],
//
// trained with −mean log(1e-10 + σ(h_u·h_p − h_u·h_n)) plus the embedding-norm
// penalty on the batch's layer-0 vectors, as the reference framework has it.
package lightgcn

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func init() {
	model.Register(model.Spec{
		Name: "lightgcn",
		Doc:  "LightGCN (He et al., SIGIR 2020) learns user and item vectors and averages them over the user–item graph; it reads nothing but the interactions.",
		Settings: []model.Setting{
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "3", Min: 1, Max: 16, Doc: "propagation layers L"},
			{Name: "reg_weight", Kind: model.Float, Default: "0.001", Doc: "weight of the embedding-norm penalty"},
		},
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	users, items *autograd.Param
	adjacency    *tensor.CSR // Â, its own transpose
	reach        *tensor.Reach
	batch        *model.Distinct // graph nodes of a batch
	layers       int
	reg          float32
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d := v.Int("embedding_dim")
	m := &recommender{
		users:     autograd.NewParam("user_embedding", in.Users, d),
		items:     autograd.NewParam("item_embedding", in.Items, d),
		adjacency: bipartite.Symmetric(in.Train),
		layers:    v.Int("layers"),
		reg:       float32(v.Float("reg_weight")),
	}
	m.reach, m.batch = tensor.NewReach(m.adjacency), model.NewDistinct(m.adjacency.Rows)
	model.XavierUniform(m.users, in.Seed)
	model.XavierUniform(m.items, in.Seed)
	m.Base = model.NewBase("lightgcn", v, m.users, m.items)
	return m, nil
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	users, items := t.Param(m.users), t.Param(m.items)
	loss := m.ranking(t, users, items, b)
	if m.reg == 0 {
		return loss
	}
	norm := t.EmbNorm(t.Gather(users, b.Users), t.Gather(items, b.Pos), t.Gather(items, b.Neg))
	return t.Add(loss, t.Scale(m.reg, norm))
}

// ranking is the loss without its penalty. It propagates over the neighbourhood of the
// batch's users and items, on which alone it depends.
func (m *recommender) ranking(t *autograd.Tape, users, items *autograd.Var, b model.Batch) *autograd.Var {
	pos, neg := m.itemNodes(t, b.Pos), m.itemNodes(t, b.Neg)
	if users.Cols()%8 != 0 { // the neighbourhood's sums would differ from the graph's in their last bits
		h := m.propagate(t, users, items)
		return t.BPRGamma(t.RowDots(h, b.Users, h, pos), t.RowDots(h, b.Users, h, neg))
	}
	m.batch.Reset()
	of := t.Indices(len(b.Users))
	m.batch.Number(of, b.Users)
	m.batch.Number(pos, pos)
	m.batch.Number(neg, neg)
	nodes := m.batch.Keys()
	h := t.PropagateRows(m.reach, m.adjacency, m.adjacency, t.ConcatRows(users, items), m.layers, 1/float32(m.layers+1), nodes)
	return t.BPRGamma(t.RowDots(h, of, h, pos), t.RowDots(h, of, h, neg))
}

func (m *recommender) propagate(t *autograd.Tape, users, items *autograd.Var) *autograd.Var {
	return t.Propagate(m.adjacency, m.adjacency, t.ConcatRows(users, items), m.layers, 1/float32(m.layers+1))
}

// itemNodes returns the graph nodes of items.
func (m *recommender) itemNodes(t *autograd.Tape, items []int32) []int32 {
	nodes := t.Indices(len(items))
	for r, i := range items {
		nodes[r] = i + int32(m.users.Value.Rows)
	}
	return nodes
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	h := m.propagate(t, t.Const(m.users.Value), t.Const(m.items.Value)).Value
	n := m.users.Value.Rows
	return h.RowRange(0, n), h.RowRange(n, h.Rows), nil
}
