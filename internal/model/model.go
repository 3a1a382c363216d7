// Package model holds what all recommenders share: the interface, the inputs, the
// settings, the registry and the initialisers. Each recommender is a package of its
// own below this one; package model/all links all of them in.
package model

import (
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Inputs is what a model may learn from. A model takes what it needs and reports
// what is missing; nothing in it is modified.
type Inputs struct {
	Train        *dataset.Histories // train interactions only
	Users, Items int
	ItemFeatures *tensor.Matrix   // Items × d_f, rows x_i (Eq. 5)
	UserFeatures *tensor.Matrix   // Users × d_f, rows p_u (Eq. 13)
	FoldFeatures []*tensor.Matrix // optional: user features blind to one fold of the user's train items each
	FoldOf       []uint8          // with FoldFeatures: the fold of each train row, by position in Train.Lists().Items
	Graph        *tensor.CSR      // Items × Items, the normalised item graph L̂ (Eq. 12)
	Seed         uint64           // of the initial parameters
}

// Batch is one training step's triples: Users[b] chose Pos[b] and not Neg[b].
type Batch struct {
	Users, Pos, Neg []int32
	Rows            []int32 // position of the pair (Users[b], Pos[b]) in Train.Lists().Items
}

// Model is a recommender that is trained on triples and scores by inner products.
type Model interface {
	// Name returns the registered name.
	Name() string
	// Config returns every setting with its effective value.
	Config() map[string]string
	// Params returns the trainable parameters, in a fixed order.
	Params() []*autograd.Param
	// Loss puts the batch's loss on the tape, a 1×1 variable. The batch must stay
	// unchanged until the tape is reset.
	Loss(t *autograd.Tape, b Batch) *autograd.Var
	// Represent returns user and item vectors of equal width under the present
	// parameters; the score of (u, i) is their inner product. The caller owns them.
	Represent() (users, items *tensor.Matrix, err error)
}

// TextTowers is implemented by models that can place a user never seen in training
// from the vector of a preference text.
type TextTowers interface {
	// EmbedUsers maps n × d_f preference vectors to n user vectors.
	EmbedUsers(features *tensor.Matrix) (*tensor.Matrix, error)
}

// Base carries the parts of a Model that are the same everywhere.
type Base struct {
	name   string
	values Values
	params []*autograd.Param
}

// NewBase returns a Base for a model of the given registered name.
func NewBase(name string, values Values, params ...*autograd.Param) Base {
	return Base{name, values, params}
}

// Name implements Model.
func (b *Base) Name() string { return b.name }

// Config implements Model.
func (b *Base) Config() map[string]string { return b.values.Map() }

// Params implements Model.
func (b *Base) Params() []*autograd.Param { return b.params }

// Check reports inputs that contradict themselves, whatever the model.
func (in Inputs) Check() error {
	if in.Train == nil {
		return fmt.Errorf("model inputs: no train histories")
	}
	if in.Train.Users() != in.Users || in.Train.NumItems() != in.Items {
		return fmt.Errorf("model inputs: %d users and %d items, but histories of %d users over %d items", in.Users, in.Items, in.Train.Users(), in.Train.NumItems())
	}
	if in.Train.Len() == 0 {
		return usererr.New("check the split: at least one interaction must be labelled train", "no train interactions to learn from")
	}
	if err := checkRows("item", in.ItemFeatures, in.Items); err != nil {
		return err
	}
	if err := checkRows("user", in.UserFeatures, in.Users); err != nil {
		return err
	}
	if g := in.Graph; g != nil && (g.Rows != in.Items || g.Cols != in.Items) {
		return usererr.New("rebuild the graph for this data set", "item graph is %d×%d for %d items", g.Rows, g.Cols, in.Items)
	}
	return in.checkFolds()
}

func checkRows(what string, m *tensor.Matrix, rows int) error {
	if m != nil && m.Rows != rows {
		return usererr.New("encode the texts of this data set again, or check that the file belongs to it",
			"%d rows of %s features for %d %ss", m.Rows, what, rows, what)
	}
	return nil
}

func (in Inputs) checkFolds() error {
	if len(in.FoldFeatures) == 0 {
		if in.FoldOf != nil {
			return fmt.Errorf("model inputs: folds of train rows without fold features")
		}
		return nil
	}
	if len(in.FoldOf) != in.Train.Len() {
		return fmt.Errorf("model inputs: folds of %d train rows, but there are %d", len(in.FoldOf), in.Train.Len())
	}
	for row, f := range in.FoldOf {
		if int(f) >= len(in.FoldFeatures) {
			return fmt.Errorf("model inputs: train row %d is in fold %d of %d", row, f, len(in.FoldFeatures))
		}
	}
	for k, m := range in.FoldFeatures {
		if err := checkRows(fmt.Sprintf("fold %d user", k), m, in.Users); err != nil {
			return err
		}
		if in.UserFeatures == nil || m.Cols != in.UserFeatures.Cols {
			return usererr.New("encode the texts again", "features of fold %d are %d wide, unlike the full user features", k, m.Cols)
		}
	}
	return nil
}
