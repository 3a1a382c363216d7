// Package mmgcn is the recommender MMGCN: a graph convolution of its own for each modality, tied together by the
// id vectors. After Wei et al. (ACM MM 2019). With P_m the users' preferences in a modality, trained, F_m the items' vectors,
// first projected where they are wide, e the id vectors and φ LeakyReLU,
//
//	X = rows of [P_m ; F_m] divided by their lengths
//	three times:  h = φ(mean of the neighbours' X · W),  x̂ = φ(X·A + a) + e,  X = φ([h ; x̂]·G + g)
//	vectors = mean over the modalities of the last X
//	loss = BPR(u,p,n) + λ (mean of e_u² + e_i² over the batch's pairs + Σ_m mean of P_m²)
//
// Worked out from the paper and from two public programs, which agree on the layers. In the reference framework e and
// P_m are never trained, since they are not registered as parameters, only the preferences of the pictures
// are penalised, and scores are those of the last training step; here e and P_m are trained, as in the paper, all of
// P_m is penalised, and scores are those of the present parameters.
package mmgcn

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

const slope = 0.01 // of LeakyReLU on negative numbers

func init() {
	model.Register(model.Spec{
		Name: "mmgcn",
		Doc:  "MMGCN (Wei et al., ACM MM 2019) convolves each modality over the user–item graph and takes the mean; worked out from the paper and public code.",
		Settings: []model.Setting{
			modality.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "latent_dim", Kind: model.Int, Default: "256", Min: 1, Max: 4096, Doc: "width to which vectors more than twice as wide are projected first"},
			{Name: "layers", Kind: model.Int, Default: "3", Min: 1, Max: 16, Doc: "graph convolutions of a modality"},
			{Name: "reg_weight", Kind: model.Float, Default: "0.0001", Doc: "weight of the penalty on id vectors and preferences"},
		},
		Needs:      func(v model.Values) model.Needs { return model.Needs{ItemVectors: modality.Of(v)} },
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

type recommender struct {
	model.Base
	users, items *autograd.Param // id vectors
	branches     []branch
	mean, meanT  *tensor.CSR // over a node's neighbours
	reg          float64
}

// branch is the convolution of one modality.
type branch struct {
	features   *tensor.Matrix
	squeeze    *layers.Linear // nil: the vectors are taken as they are
	preference *autograd.Param
	layers     []convolution
}

// convolution is one layer of it: W, A and G.
type convolution struct{ neighbours, own, joined layers.Linear }

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d := v.Int("embedding_dim")
	m := &recommender{
		users: autograd.NewParam("user_embedding", in.Users, d),
		items: autograd.NewParam("item_embedding", in.Items, d),
		mean:  bipartite.Mean(in.Train),
		reg:   v.Float("reg_weight"),
	}
	m.meanT = m.mean.Transpose()
	model.XavierNormal(m.users, in.Seed)
	model.XavierNormal(m.items, in.Seed)
	params := []*autograd.Param{m.users, m.items}
	for _, name := range modality.Of(v) {
		b, own := newBranch(in, name, v)
		m.branches, params = append(m.branches, b), append(params, own...)
	}
	m.Base = model.NewBase("mmgcn", v, params...)
	return m, nil
}

func newBranch(in model.Inputs, name string, v model.Values) (branch, []*autograd.Param) {
	b := branch{features: in.ItemVectors[name]}
	var params []*autograd.Param
	width, d := b.features.Cols, v.Int("embedding_dim")
	if latent := v.Int("latent_dim"); width > 2*latent {
		l := layers.NewLinear(name+".squeeze", width, latent, in.Seed)
		b.squeeze, width, params = &l, latent, l.Params()
	}
	b.preference = autograd.NewParam(name+".preference", in.Users, width)
	model.XavierNormal(b.preference, in.Seed)
	params = append(params, b.preference)
	for k := range v.Int("layers") {
		layer := func(part string, in, out int, seed uint64, bias bool) layers.Linear {
			full := fmt.Sprintf("%s.%s%d", name, part, k+1)
			l := layers.NewUnbiased(full, in, out, seed)
			if bias {
				l = layers.NewLinear(full, in, out, seed)
			}
			model.XavierNormal(l.Weight, seed)
			params = append(params, l.Params()...)
			return l
		}
		c := convolution{
			neighbours: layer("neighbours", width, width, in.Seed, false),
			own:        layer("own", width, d, in.Seed, true),
			joined:     layer("joined", width+d, d, in.Seed, true),
		}
		b.layers, width = append(b.layers, c), d
	}
	return b, params
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	users, items := t.Param(m.users), t.Param(m.items)
	x := m.forward(t, users, items, t.Param)
	pos, neg := m.nodes(t, b.Pos), m.nodes(t, b.Neg)
	loss := t.BPR(t.RowDots(x, b.Users, x, pos), t.RowDots(x, b.Users, x, neg))
	if m.reg == 0 {
		return loss
	}
	pairs := m.reg / float64(2*len(b.Users)*users.Cols()) // the user of a triple stands in two of them
	penalties := []*autograd.Var{loss,
		t.SquaredNorm(2*pairs, t.Gather(users, b.Users)), t.SquaredNorm(pairs, t.Gather(items, b.Pos), t.Gather(items, b.Neg))}
	for _, branch := range m.branches {
		p := t.Param(branch.preference)
		penalties = append(penalties, t.SquaredNorm(m.reg/float64(len(p.Value.Data)), p))
	}
	return t.Add(penalties...)
}

// nodes returns the graph nodes of items.
func (m *recommender) nodes(t *autograd.Tape, items []int32) []int32 {
	nodes := t.Indices(len(items))
	for r, i := range items {
		nodes[r] = i + int32(m.users.Value.Rows)
	}
	return nodes
}

// forward returns the vectors of all nodes; on puts a parameter on the tape.
func (m *recommender) forward(t *autograd.Tape, users, items *autograd.Var, on func(*autograd.Param) *autograd.Var) *autograd.Var {
	apply := func(l layers.Linear, x *autograd.Var) *autograd.Var {
		var bias *autograd.Var
		if l.Bias != nil {
			bias = on(l.Bias)
		}
		return t.LinearLeakyReLU(x, on(l.Weight), bias, slope)
	}
	ids := t.ConcatRows(users, items)
	var all []*autograd.Var
	for _, b := range m.branches {
		features := t.Const(b.features)
		if b.squeeze != nil {
			features = t.Linear(features, on(b.squeeze.Weight), on(b.squeeze.Bias))
		}
		x := t.NormalizeRows(t.ConcatRows(on(b.preference), features), 1e-12)
		for _, l := range b.layers {
			h := apply(l.neighbours, t.SpMM(m.mean, m.meanT, x))
			own := t.Add(apply(l.own, x), ids)
			x = apply(l.joined, t.ConcatCols(h, own))
		}
		all = append(all, x)
	}
	return t.Mean(all...)
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	constant := func(p *autograd.Param) *autograd.Var { return t.Const(p.Value) }
	x := m.forward(t, constant(m.users), constant(m.items), constant).Value
	n := m.users.Value.Rows
	return x.RowRange(0, n), x.RowRange(n, x.Rows), nil
}
