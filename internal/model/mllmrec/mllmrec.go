// Package mllmrec is the recommender of the paper "MLLMRec": two MLP towers over frozen
// text vectors, trained with BPR. With X the item vectors of Eq. 5, P the preference
// vectors of Eq. 13 and φ = LeakyReLU(0.01):
//
//	X_l = L̂ X_{l-1}, X_0 = X                    one propagation layer over the item graph (Eq. 11)
//	E   = Σ_{l=0}^{L} X_l                       propagated item vectors (Eq. 12)
//	H_U = V₂ φ(V₁ P + c₁) + c₂                  user tower (Eq. 14)
//	H_I = W₂ φ(W₁ E + b₁) + b₂                  item tower (Eq. 14)
//	L   = −mean log σ(h_u·h_p − h_u·h_n)        BPR (Eq. 15)
//
// Vectors and graph are frozen, so E is computed once, and a training step runs the
// towers on the distinct rows of its batch only.
//
// With cross-fitting (Inputs.FoldPreferences) the pair (u, i) trains on the vector of
// u's text that was written without i; representations use the full text.
package mllmrec

import (
	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const name = "mllmrec"

// The variants of the paper's ablation that are variants of the model. (Those
// without denoising and without topology enhancement are options of the graph.)
const (
	full        = "full"
	noReasoning = "no_reasoning" // −RS: trainable user vectors instead of texts
	noGCN       = "no_gcn"       // −GCN: E = X
	uiGCN       = "ui_gcn"       // + convolution over the user–item graph
)

func init() {
	model.Register(model.Spec{
		Name: name,
		Doc:  "MLLMRec (the paper) trains one MLP on the users' preference texts and one on the items' texts, which a refined item graph propagates.",
		Settings: []model.Setting{
			{Name: "variant", Kind: model.Choice, Default: full, Choices: []string{full, noReasoning, noGCN, uiGCN},
				Doc: "full; no_reasoning: random trainable user vectors in place of preference texts; no_gcn: no item–item propagation; ui_gcn: adds a user–item graph convolution"},
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 1, Max: 4096, Doc: "width d of the user and item vectors"},
			{Name: "hidden_dim", Kind: model.Int, Default: "0", Max: 65536, Doc: "width of the towers' hidden layer; 0 is 4·embedding_dim"},
			{Name: "layers", Kind: model.Int, Default: "1", Min: 1, Max: 16, Doc: "item–item propagation layers L; without effect, hence refused, in variant no_gcn"},
			{Name: "ui_layers", Kind: model.Int, Default: "2", Min: 1, Max: 16, Doc: "user–item propagation layers; for variant ui_gcn only"},
			{Name: "init", Kind: model.Choice, Default: "pytorch", Choices: []string{"pytorch", "xavier"},
				Doc: "initial tower weights: pytorch, U(±1/√in) as in the published code; xavier, as in the paper"},
		},
		Needs:      needs,
		WholeGraph: func(v model.Values) bool { return v.Text("variant") == uiGCN },
		New:        build,
		Restore:    restore,
	})
}

type recommender struct {
	model.Base
	variant   string
	items     *tower
	users     *tower          // nil in variant no_reasoning, which has
	table     *autograd.Param // user vectors instead
	features  *tensor.Matrix  // E, Items × d_f
	texts     *tensor.Matrix  // P, Users × d_f; nil in variant no_reasoning
	folds     []*tensor.Matrix
	foldOf    []uint8
	adjacency *tensor.CSR // Â of variant ui_gcn
	uiLayers  int

	batchUsers, batchItems *model.Distinct
}

// needs implements model.Spec.
func needs(v model.Values) model.Needs {
	variant := v.Text("variant")
	return model.Needs{ItemVectors: []string{model.Text}, Preferences: variant != noReasoning, Graph: variant != noGCN}
}

// sizes returns the width of the vectors and of the towers' hidden layer.
func sizes(v model.Values) (dim, hidden int) {
	dim, hidden = v.Int("embedding_dim"), v.Int("hidden_dim")
	if hidden == 0 {
		hidden = 4 * dim
	}
	return dim, hidden
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	m := &recommender{variant: v.Text("variant"), uiLayers: v.Int("ui_layers")}
	if err := check(in, v); err != nil {
		return nil, err
	}
	m.features = in.ItemVectors[model.Text]
	if m.variant != noGCN {
		m.features = itemgraph.Propagate(in.Graph, m.features, v.Int("layers"))
	}
	init := v.Text("init")
	d, hidden := sizes(v)
	m.items = newTower("item", m.features.Cols, hidden, d, init, in.Seed)
	params := m.items.params()
	m.batchItems = model.NewDistinct(in.Items)
	if m.variant == noReasoning {
		m.table = autograd.NewParam("user.embedding", in.Users, d)
		model.XavierUniform(m.table, in.Seed)
		params = append(params, m.table)
	} else {
		m.users = newTower("user", in.Preferences.Cols, hidden, d, init, in.Seed)
		params = append(params, m.users.params()...)
		m.texts, m.folds, m.foldOf = in.Preferences, in.FoldPreferences, in.FoldOf
		m.batchUsers = model.NewDistinct(in.Users * max(1, len(m.folds)))
	}
	if m.variant == uiGCN {
		m.adjacency = bipartite.Symmetric(in.Train)
	}
	m.Base = model.NewBase(name, v, params...)
	return m, nil
}

// check reports settings that the variant would ignore and inputs that contradict it.
func check(in model.Inputs, v model.Values) error {
	variant := v.Text("variant")
	if variant == noGCN && v.Given("layers") {
		return usererr.New("Leave layers out, or choose another variant.", "setting layers has no effect in variant no_gcn")
	}
	if variant != uiGCN && v.Given("ui_layers") {
		return usererr.New("Leave ui_layers out, or set variant=ui_gcn.", "setting ui_layers has no effect in variant %s", variant)
	}
	if variant == uiGCN && len(in.FoldPreferences) > 0 {
		// The convolution needs one vector a user, whatever pair is being trained.
		return usererr.New("Train without folds, or choose another variant.", "variant ui_gcn cannot be cross-fitted")
	}
	return nil
}

// Loss implements model.Model (Eq. 15).
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	if m.variant == uiGCN {
		h := m.convolve(t, m.users.forward(t, t.Const(m.texts)), m.items.forward(t, t.Const(m.features)))
		pos, neg := m.itemNodes(t, b.Pos), m.itemNodes(t, b.Neg)
		return t.BPR(t.RowDots(h, b.Users, h, pos), t.RowDots(h, b.Users, h, neg))
	}
	m.batchItems.Reset()
	pos, neg := t.Indices(len(b.Pos)), t.Indices(len(b.Neg))
	m.batchItems.Number(pos, b.Pos)
	m.batchItems.Number(neg, b.Neg)
	items := m.items.forward(t, t.Gather(t.Const(m.features), m.batchItems.Keys()))
	users, of := m.userVectors(t, b)
	return t.BPR(t.RowDots(users, of, items, pos), t.RowDots(users, of, items, neg))
}

// userVectors returns the vectors of the batch's distinct users, and the row of each
// triple's user among them. Under cross-fitting a user counts once a fold.
func (m *recommender) userVectors(t *autograd.Tape, b model.Batch) (users *autograd.Var, of []int32) {
	if m.table != nil {
		return t.Param(m.table), b.Users
	}
	of = t.Indices(len(b.Users))
	m.batchUsers.Reset()
	if len(m.folds) == 0 {
		m.batchUsers.Number(of, b.Users)
		return m.users.forward(t, t.Gather(t.Const(m.texts), m.batchUsers.Keys())), of
	}
	k := int32(len(m.folds))
	for r, u := range b.Users {
		of[r] = u*k + int32(m.foldOf[b.Rows[r]])
	}
	m.batchUsers.Number(of, of)
	keys := m.batchUsers.Keys()
	x := t.Buffer(len(keys), m.texts.Cols)
	tensor.Parallel(len(keys), 256, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			copy(x.Row(r), m.folds[keys[r]%k].Row(int(keys[r]/k)))
		}
	})
	return m.users.forward(t, t.Const(x)), of
}

// convolve returns H + Σ_{l=0}^{L} Â^l rn(H) for H = [H_U; H_I], rn dividing rows by
// their norms: the user–item convolution of the paper's ablation.
func (m *recommender) convolve(t *autograd.Tape, users, items *autograd.Var) *autograd.Var {
	h := t.ConcatRows(users, items)
	return t.Add(h, t.Propagate(m.adjacency, m.adjacency, t.NormalizeRows(h, 1e-12), m.uiLayers, 1))
}

// itemNodes returns the user–item graph's nodes of items.
func (m *recommender) itemNodes(t *autograd.Tape, items []int32) []int32 {
	nodes := t.Indices(len(items))
	for r, i := range items {
		nodes[r] = i + int32(m.texts.Rows)
	}
	return nodes
}

// Represent implements model.Model. Users are placed by their full texts.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	items = m.items.apply(m.features)
	if m.table != nil {
		return m.table.Value.Clone(), items, nil
	}
	users = m.users.apply(m.texts)
	if m.variant == uiGCN {
		t := autograd.NewTape()
		h := m.convolve(t, t.Const(users), t.Const(items)).Value
		return h.RowRange(0, users.Rows), h.RowRange(users.Rows, h.Rows), nil
	}
	return users, items, nil
}

// Place implements model.Placer (Eq. 14).
func (m *recommender) Place(preferences *tensor.Matrix) (*tensor.Matrix, error) {
	if m.users == nil {
		return nil, cannotPlace()
	}
	p := placer{m.users.freeze(), m.variant == uiGCN}
	return p.Place(preferences)
}
