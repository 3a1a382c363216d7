// Package pool is a recommender of two item tables: a user is the pooled input rows of their
// history, and the whole catalogue's output rows compete for the next item. With A and B the
// input and output tables, h the user's history without the target i, and a_j the number of
// its items that are newer than j,
//
//	u      = Σ_{j∈h} γ^{a_j} A_j, at unit length
//	s_ui   = τ u·B_i/‖B_i‖
//	L      = −mean log softmax(s_u)_i
//
// A, B and τ are trained. Both tables begin as the principal components of the items' text
// vectors, so that items nobody chose have a place too. Such an item's input row gets no gradient,
// and its output row only that of a competitor of everybody's choice, which would take it to the
// end of every list: it is held where it began, and competes from there.
//
// γ is one for training and another for scoring: all histories of the data set teach alike, while
// what comes next depends on what was chosen last.
package pool

import (
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const name = "pool"

// Where the tables begin.
const (
	seedContent = "content"
	seedRandom  = "random"
)

// Over what the softmax goes.
const (
	softmaxFull    = "full"
	softmaxSampled = "sampled"
	softmaxAuto    = "auto"
)

// What becomes of items that nobody chose in train.
const (
	newKeep    = "keep"
	newCompete = "compete"
)

// usualDim is the width of the vectors unless the text vectors are narrower.
const usualDim = 128

// startLength is the root mean square length of the tables' rows at the start. Adam moves each
// number by about the step size, whatever its size, so that the length decides how far a step
// turns a row. The components of text vectors of length 1 are about this long; tables that begin
// at 0.2 or 0.08 learn and overfit in fewer epochs, and rank worse at their best.
const startLength = 0.65

// tiny is the length below which a row is not scaled up to unit length.
const tiny = 1e-6

// Names of the parameters.
const (
	inputTable  = "item_input"
	outputTable = "item_output"
	scaleName   = "scale"
)

func init() {
	model.Register(model.Spec{
		Name: name,
		Doc:  "Pool sums the vectors of a user's history, newer items counting more, and trains them on a softmax over the whole catalogue.",
		Settings: []model.Setting{
			{Name: "embedding_dim", Kind: model.Int, Default: "0", Max: 4096, Doc: "width of the user and item vectors; 0 is 128, or the width of the text vectors where they are narrower"},
			{Name: "seed", Kind: model.Choice, Default: seedContent, Choices: []string{seedContent, seedRandom},
				Doc: "where the item vectors begin: content, the principal components of the items' text vectors; random, which needs no text vectors"},
			{Name: "decay", Kind: model.Float, Default: "0.6", Min: 0.01, Max: 1, Doc: "weight of an item of the history in proportion to the next newer one, for scoring; 1 counts all alike and needs no times"},
			{Name: "train_decay", Kind: model.Float, Default: "1", Min: 0.01, Max: 1, Doc: "the same, for training"},
			{Name: "scale", Kind: model.Float, Default: "20", Min: 1, Max: 80, Doc: "initial factor τ on the cosines, which is trained"},
			{Name: "new_items", Kind: model.Choice, Default: newKeep, Choices: []string{newKeep, newCompete},
				Doc: "items that nobody chose in train: keep, their rows stay where they begin; compete, what the softmax pushes away from all users is trained too"},
			{Name: "softmax", Kind: model.Choice, Default: softmaxAuto, Choices: []string{softmaxAuto, softmaxFull, softmaxSampled},
				Doc: "over what a step's softmax goes: full, the whole catalogue; sampled, the items of the batch and random ones, weighted so that they stand for the catalogue; auto, full up to full_up_to items"},
			{Name: "full_up_to", Kind: model.Int, Default: "20000", Min: 1, Doc: "largest catalogue that softmax=auto takes in full"},
			{Name: "negatives", Kind: model.Int, Default: "8192", Min: 1, Max: 1 << 20, Doc: "random items of a step; for the sampled softmax only"},
		},
		Needs:            needs,
		New:              build,
		RestoreHistories: restoreHistories,
	})
}

type recommender struct {
	model.Base
	input, output *autograd.Param
	scale         *autograd.Param // τ, 1×1
	train         *dataset.Lists
	decay         *decay // for scoring
	trainDecay    *decay
	held          []int32  // items whose output rows are not trained
	sampler       *sampler // nil where the softmax goes over the whole catalogue
}

// needs implements model.Spec.
func needs(v model.Values) model.Needs {
	n := model.Needs{Times: v.Float("decay") != 1 || v.Float("train_decay") != 1}
	if v.Text("seed") == seedContent {
		n.ItemVectors = []string{model.Text}
	}
	return n
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	dim, err := width(in, v)
	if err != nil {
		return nil, err
	}
	m := &recommender{
		input: autograd.NewParam(inputTable, in.Items, dim), output: autograd.NewParam(outputTable, in.Items, dim), scale: autograd.NewVector(scaleName, 1),
		train: in.Train.Lists(), decay: newDecay(v.Float("decay")), trainDecay: newDecay(v.Float("train_decay")),
	}
	if _, pairs := learnable(m.train); pairs == 0 {
		return nil, usererr.New("Check the split, or choose another model.", "no user has two different train items, so that no item can be told from the others of its user")
	}
	m.scale.Value.Data[0] = float32(v.Float("scale"))
	if err := m.begin(in, v); err != nil {
		return nil, err
	}
	if v.Text("new_items") == newKeep {
		m.held = unchosen(m.train)
	}
	if m.sampler, err = newSampler(in, v); err != nil {
		return nil, err
	}
	m.Base = model.NewBase(name, v, m.input, m.output, m.scale)
	return m, nil
}

// width returns the width of the vectors.
func width(in model.Inputs, v model.Values) (int, error) {
	dim, text := v.Int("embedding_dim"), in.ItemVectors[model.Text]
	if dim == 0 {
		dim = usualDim
		if text != nil {
			dim = min(dim, text.Cols)
		}
	}
	if text != nil && dim > text.Cols {
		return 0, usererr.New("Leave embedding_dim out, or set seed=random.", "setting embedding_dim=%d: the items' text vectors, which the vectors begin as, have %d numbers", dim, text.Cols)
	}
	return dim, nil
}

// begin fills both tables. At random they differ, as there is no reason for them to agree.
func (m *recommender) begin(in model.Inputs, v model.Values) error {
	if v.Text("seed") == seedRandom {
		model.NormalRows(m.input, startLength, in.Seed)
		model.NormalRows(m.output, startLength, in.Seed)
		return nil
	}
	c, err := components(in.ItemVectors[model.Text], m.input.Value.Cols)
	if err != nil {
		return err
	}
	copy(m.input.Value.Data, c.Data)
	copy(m.output.Value.Data, c.Data)
	return nil
}

// Loss implements model.Model. The mean is over the pairs whose user has other items; a batch
// without any costs nothing.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	contexts := newRagged(m.input.Value.Rows)
	target := t.Indices(len(b.Pos))[:0]
	for k, u := range b.Users {
		if contexts.add(m.train.Of(int(u)), b.Pos[k], m.trainDecay) {
			target = append(target, b.Pos[k])
		}
	}
	if len(target) == 0 {
		return t.Const(tensor.New(1, 1))
	}
	s := contexts.csr()
	users := t.NormalizeRows(t.SpMM(s, s.Transpose(), t.Param(m.input)), tiny)
	users = t.ScaleBy(t.Param(m.scale), users)
	output := t.HoldRows(t.Param(m.output), m.held)
	if m.sampler == nil {
		return t.CrossEntropy(users, t.NormalizeRows(output, tiny), target, nil)
	}
	c := m.sampler.draw(t, b, target)
	return t.CrossEntropy(users, t.NormalizeRows(t.Gather(output, c.items), tiny), c.target, c.offset)
}

// unchosen returns the items that do not occur in train. Such an item is nobody's target: all that
// the softmax could teach its output row is that nobody wants the item.
func unchosen(train *dataset.Lists) (items []int32) {
	chosen := make([]bool, train.Columns)
	for _, i := range train.Items {
		chosen[i] = true
	}
	for i, yes := range chosen {
		if !yes {
			items = append(items, int32(i))
		}
	}
	return items
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	histories := make([][]int32, m.train.Len())
	for u := range histories {
		histories[u] = m.train.Of(u)
	}
	items = m.output.Value.Clone()
	items.NormalizeRows(tiny)
	return pooled(m.input.Value, histories, m.decay), items, nil
}

// PlaceHistories implements model.HistoryPlacer.
func (m *recommender) PlaceHistories(histories [][]int32) (*tensor.Matrix, error) {
	p := placer{m.input.Value, m.decay}
	return p.PlaceHistories(histories)
}

// placer is a trained input table. That is all it takes to place people never seen.
type placer struct {
	input *tensor.Matrix
	decay *decay
}

// restoreHistories implements model.Spec.
func restoreHistories(w model.Weights, v model.Values) (model.HistoryPlacer, error) {
	input, err := w.Matrix(inputTable, model.Any, model.Any)
	if err != nil {
		return nil, err
	}
	if dim := v.Int("embedding_dim"); dim != 0 && dim != input.Cols {
		_, err := w.Matrix(inputTable, model.Any, dim)
		return nil, err
	}
	return &placer{input, newDecay(v.Float("decay"))}, nil
}

// PlaceHistories implements model.HistoryPlacer.
func (p *placer) PlaceHistories(histories [][]int32) (*tensor.Matrix, error) {
	for n, h := range histories {
		if len(h) == 0 {
			return nil, usererr.New("Give at least one item.", "history %d is empty", n+1)
		}
		for _, i := range h {
			if i < 0 || int(i) >= p.input.Rows {
				return nil, fmt.Errorf("place history %d: it holds item row %d, the model was trained on %d items", n+1, i, p.input.Rows)
			}
		}
	}
	return pooled(p.input, histories, p.decay), nil
}
