// Package vbpr is the recommender VBPR: matrix factorisation in which half of an item's vector is a
// projection of what its picture and text say. After He and McAuley (AAAI 2016), in the form of the
// reference framework: the item is [id ; W·[text ; image] + b], the user one vector of twice the
// width; there are no biases of items.
//
//	−mean log(1e-10 + σ(u·p − u·n)) + λ (‖U‖_F + ‖P‖_F + ‖N‖_F) / b
//
// The penalty is on these whole vectors, so that the projection is held by its results.
package vbpr

import (
	"slices"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func init() {
	model.Register(model.Spec{
		Name: "vbpr",
		Doc:  "VBPR (He and McAuley, AAAI 2016) factorises the interactions with items that are half id and half a projection of their vectors.",
		Settings: []model.Setting{
			modality.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the id vectors, half that of users and items"},
			{Name: "reg_weight", Kind: model.Float, Default: "0.1", Doc: "weight of the embedding-norm penalty"},
		},
		Needs: func(v model.Values) model.Needs { return model.Needs{ItemVectors: modality.Of(v)} },
		New:   build,
	})
}

type recommender struct {
	model.Base
	users, items *autograd.Param
	projection   layers.Linear
	features     *tensor.Matrix // of all modalities, side by side
	batch        *model.Distinct
	reg          float32
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d := v.Int("embedding_dim")
	m := &recommender{
		users:    layers.Embedding("user_embedding", in.Users, 2*d, in.Seed),
		items:    layers.Embedding("item_embedding", in.Items, d, in.Seed),
		features: sideBySide(in, modality.Of(v)),
		batch:    model.NewDistinct(in.Items),
		reg:      float32(v.Float("reg_weight")),
	}
	m.projection = layers.NewLinear("projection", m.features.Cols, d, in.Seed)
	model.XavierNormal(m.projection.Weight, in.Seed)
	clear(m.projection.Bias.Value.Data)
	m.Base = model.NewBase("vbpr", v, append([]*autograd.Param{m.users, m.items}, m.projection.Params()...)...)
	return m, nil
}

// sideBySide joins the vectors of the modalities, the last one first: the published model has the text
// before the picture.
func sideBySide(in model.Inputs, modalities []string) *tensor.Matrix {
	width := 0
	for _, name := range modalities {
		width += in.ItemVectors[name].Cols
	}
	all := tensor.New(in.Items, width)
	for i := range in.Items {
		row := all.Row(i)
		for _, name := range slices.Backward(modalities) {
			row = row[copy(row, in.ItemVectors[name].Row(i)):]
		}
	}
	return all
}

// Loss implements model.Model. Only the batch's items are projected, each once.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	pos, neg := t.Indices(len(b.Pos)), t.Indices(len(b.Neg))
	m.batch.Reset()
	m.batch.Number(pos, b.Pos)
	m.batch.Number(neg, b.Neg)
	features := t.Buffer(len(m.batch.Keys()), m.features.Cols)
	tensor.Gather(features, m.features, m.batch.Keys())
	items := t.ConcatCols(t.Gather(t.Param(m.items), m.batch.Keys()), m.projection.Apply(t, t.Const(features)))
	u, p, n := t.Gather(t.Param(m.users), b.Users), t.Gather(items, pos), t.Gather(items, neg)
	loss := t.BPRGamma(t.RowDots(u, nil, p, nil), t.RowDots(u, nil, n, nil))
	if m.reg == 0 {
		return loss
	}
	return t.Add(loss, t.Scale(m.reg, t.EmbNorm(u, p, n)))
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	items = t.ConcatCols(t.Const(m.items.Value), m.projection.Apply(t, t.Const(m.features))).Value
	return m.users.Value.Clone(), items, nil
}
