// Package slmrec is the recommender SLMRec: what ids, pictures and texts say of an item is propagated apart, fused
// by one layer, and the modalities are made to agree. After Tao et al. (IEEE TMM 2022), in the form of the
// reference framework. With Â the adjacency and P_m projections of the items' vectors, whose rows have length 1,
//
//	G_id = prop(Â,[U;I]),  G_m = prop(Â,[U;P_m(F_m)])              the users' table is the same in all
//	user = F_u[G_id | G_m …],  item = F_i[G_id | G_m …]
//	loss = CE(û·p̂ᵀ/0.2) + α·(CE(x₁·y₁ᵀ/τ) + CE(x₂·y₂ᵀ/τ))
//
// where every other positive of the batch is a negative; x₁, y₁ are heads of G_id and of the first modality, x₂ a
// narrower head of x₁, y₂ one of the second modality. The sampled negatives are not read.
//
// The reference framework ranks by the sigmoid of the inner products, which orders alike but for ties where it
// saturates, and by the vectors from before the last step of an epoch. Ours are those of the parameters that are kept.
package slmrec

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func init() {
	model.Register(model.Spec{
		Name: "slmrec",
		Doc:  "SLMRec (Tao et al., IEEE TMM 2022) propagates ids, pictures and texts apart and makes them agree by self-supervision.",
		Settings: []model.Setting{
			modality.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 2, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "3", Min: 0, Max: 16, Doc: "propagation layers over the user–item graph"},
			{Name: "temperature", Kind: model.Float, Default: "0.2", Min: 1e-3, Doc: "temperature of the ranking loss"},
			{Name: "ssl_weight", Kind: model.Float, Default: "0.01", Doc: "weight α of the self-supervision"},
			{Name: "ssl_temperature", Kind: model.Float, Default: "0.1", Min: 1e-3, Doc: "temperature τ of the self-supervision"},
		},
		Needs: func(v model.Values) model.Needs { return model.Needs{ItemVectors: modality.Of(v)} },
		Check: func(v model.Values) error {
			if n := len(modality.Of(v)); n > 2 {
				return usererr.New("Name one or two modalities, or choose a model that reads any number, such as mgcn or freedom.", "model slmrec has heads for two modalities, not %d", n)
			}
			return nil
		},
		Trainer:    map[string]string{"weight_decay": "0.0001"},
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

const adjacencyEpsilon = 1e-8 // is added to the degrees

type recommender struct {
	model.Base
	users, items         *autograd.Param
	features             []*tensor.Matrix
	projections          []layers.Linear
	fuseUsers, fuseItems layers.Linear
	idHead               layers.Linear // x₁
	widen, narrow        layers.Linear // x₂ = narrow(widen(x₁))
	heads                []layers.Linear
	adjacency            *tensor.CSR
	layers               int
	tau, alpha, sslTau   float32
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	d, names := v.Int("embedding_dim"), modality.Of(v)
	m := &recommender{
		users:     layers.Embedding("user_embedding", in.Users, d, in.Seed),
		items:     layers.Embedding("item_embedding", in.Items, d, in.Seed),
		fuseUsers: xavier("user_fusion", (1+len(names))*d, d, in.Seed),
		fuseItems: xavier("item_fusion", (1+len(names))*d, d, in.Seed),
		adjacency: bipartite.Normalised(in.Train, adjacencyEpsilon),
		layers:    v.Int("layers"), tau: float32(v.Float("temperature")), alpha: float32(v.Float("ssl_weight")), sslTau: float32(v.Float("ssl_temperature")),
	}
	params := append([]*autograd.Param{m.users, m.items}, layers.Params(m.fuseUsers, m.fuseItems)...)
	for k, name := range names {
		x := in.ItemVectors[name].Clone()
		x.NormalizeRows(1e-12)
		m.features = append(m.features, x)
		m.projections = append(m.projections, xavier(name+".projection", x.Cols, d, in.Seed))
		params = append(params, m.projections[k].Params()...)
		if m.alpha == 0 {
			continue
		}
		width := d
		if k == 1 {
			width = d / 2
			m.widen, m.narrow = xavier("id.widen", d, d, in.Seed), xavier("id.narrow", d, width, in.Seed)
			params = append(params, layers.Params(m.widen, m.narrow)...)
		} else {
			m.idHead = xavier("id.head", d, d, in.Seed)
			params = append(params, m.idHead.Params()...)
		}
		m.heads = append(m.heads, xavier(name+".head", d, width, in.Seed))
		params = append(params, m.heads[k].Params()...)
	}
	m.Base = model.NewBase("slmrec", v, params...)
	return m, nil
}

// xavier is a layer whose weight is drawn by Xavier's uniform rule.
func xavier(name string, in, out int, seed uint64) layers.Linear {
	l := layers.NewLinear(name, in, out, seed)
	model.XavierUniform(l.Weight, seed)
	return l
}

// propagated are the vectors of all nodes by ids and by each modality.
func (m *recommender) propagated(t *autograd.Tape) (all []*autograd.Var) {
	users := t.Param(m.users)
	of := func(items *autograd.Var) *autograd.Var {
		return t.Propagate(m.adjacency, m.adjacency, t.ConcatRows(users, items), m.layers, 1/float32(m.layers+1))
	}
	all = append(all, of(t.Param(m.items)))
	for k, x := range m.features {
		all = append(all, of(m.projections[k].Apply(t, t.Const(x))))
	}
	return all
}

// rows takes the same rows of all and puts them side by side.
func rows(t *autograd.Tape, all []*autograd.Var, nodes []int32) (each []*autograd.Var, joined *autograd.Var) {
	for _, x := range all {
		each = append(each, t.Gather(x, nodes))
	}
	return each, t.ConcatCols(each...)
}

// Loss implements model.Model. Only the batch's users and positives are fused.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	all := m.propagated(t)
	nodes := t.Indices(len(b.Pos))
	for k, i := range b.Pos {
		nodes[k] = i + int32(m.users.Value.Rows)
	}
	_, u := rows(t, all, b.Users)
	each, p := rows(t, all, nodes)
	loss := t.InfoNCE(m.fuseUsers.Apply(t, u), m.fuseItems.Apply(t, p), m.tau)
	if m.alpha == 0 {
		return loss
	}
	x := m.idHead.Apply(t, each[0])
	agree := m.agree(t, x, m.heads[0].Apply(t, each[1]))
	if len(m.heads) == 2 {
		x = m.narrow.Apply(t, m.widen.Apply(t, x))
		agree = t.Add(agree, m.agree(t, x, m.heads[1].Apply(t, each[2])))
	}
	return t.Add(loss, t.Scale(m.alpha, agree))
}

// agree tells each row of x from the others by its row of y, neither divided by its length.
func (m *recommender) agree(t *autograd.Tape, x, y *autograd.Var) *autograd.Var {
	own := t.Indices(x.Rows())
	for i := range own {
		own[i] = int32(i)
	}
	return t.CrossEntropy(t.Scale(1/m.sslTau, x), y, own, nil)
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	all := t.ConcatCols(m.propagated(t)...)
	n := m.users.Value.Rows
	return m.fuseUsers.Apply(t, t.SliceRows(all, 0, n)).Value, m.fuseItems.Apply(t, t.SliceRows(all, n, all.Rows())).Value, nil
}
