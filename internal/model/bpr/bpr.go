// Package bpr is matrix factorisation trained on pairwise ranking. It follows Rendle et
// al. (UAI 2009), with the loss of the reference framework:
//
//	−mean log(1e-10 + σ(u·p − u·n)) + λ (‖U‖_F + ‖P‖_F + ‖N‖_F) / b
//
// where U, P, N are the b rows of the batch's users, positives and negatives.
package bpr

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func init() {
	model.Register(model.Spec{
		Name: "bpr",
		Doc:  "BPR (Rendle et al., UAI 2009) factorises the interactions into user and item vectors and reads nothing else.",
		Settings: []model.Setting{
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "reg_weight", Kind: model.Float, Default: "0.1", Doc: "weight of the embedding-norm penalty"},
		},
		New: build,
	})
}

type recommender struct {
	model.Base
	users, items *autograd.Param
	reg          float32
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d := v.Int("embedding_dim")
	m := &recommender{
		users: autograd.NewParam("user_embedding", in.Users, d),
		items: autograd.NewParam("item_embedding", in.Items, d),
		reg:   float32(v.Float("reg_weight")),
	}
	model.XavierNormal(m.users, in.Seed)
	model.XavierNormal(m.items, in.Seed)
	m.Base = model.NewBase("bpr", v, m.users, m.items)
	return m, nil
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	users, items := t.Param(m.users), t.Param(m.items)
	u, p, n := t.Gather(users, b.Users), t.Gather(items, b.Pos), t.Gather(items, b.Neg)
	loss := t.BPRGamma(t.RowDots(u, nil, p, nil), t.RowDots(u, nil, n, nil))
	if m.reg == 0 {
		return loss
	}
	return t.Add(loss, t.Scale(m.reg, t.EmbNorm(u, p, n)))
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	return m.users.Value.Clone(), m.items.Value.Clone(), nil
}
