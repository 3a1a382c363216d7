// Package model holds what all recommenders share: the interface, the inputs and which
// of them a model needs, the settings, the registry and the initialisers. Each recommender is a package of its
// own below this one; package model/all links all of them in.
package model

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Inputs is what a model may learn from. A model gets what it needs of it (see [Needs])
// and modifies nothing.
type Inputs struct {
	Train        *dataset.Histories // train interactions only
	Users, Items int
	// ItemVectors holds one matrix a modality, Items × its width. The rows of modality
	// [Text] are the x_i of Eq. 5.
	ItemVectors map[string]*tensor.Matrix
	// Preferences holds the users' preference texts as vectors, Users × d_f: the p_u of
	// Eq. 13.
	Preferences *tensor.Matrix
	// FoldPreferences is for cross-fitting, and may be missing: matrix k holds the vectors
	// of preference texts that were written without fold k of the user's train items. FoldOf
	// then gives the fold of each train interaction, by position in Train.Lists().Items.
	FoldPreferences []*tensor.Matrix
	FoldOf          []uint8
	Graph           *tensor.CSR // Items × Items, the normalised item graph L̂ (Eq. 11)
	Times           []int64     // when each train interaction happened, by position in Train.Lists().Items
	Seed            uint64      // of the initial parameters
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

// EpochStarter is a model that draws something anew for each epoch, such as the edges that it keeps,
// or that does something in the first step of an epoch only.
type EpochStarter interface {
	// StartEpoch is called before the first step of an epoch, from 1, a resumed one too. What
	// it draws depends on the model's seed and on epoch alone, so that an interrupted training goes on
	// with the same bits.
	StartEpoch(epoch int) error
}

// Placer places people never seen in training among a trained model's users. Models that
// read preference texts implement it, and [Spec.Restore] builds one from weights alone,
// which is safe for concurrent use.
type Placer interface {
	// Place maps n × d_f vectors of preference texts (Eq. 13) to n user vectors. The vector
	// of one person does not depend on who else is placed in the same call.
	Place(preferences *tensor.Matrix) (*tensor.Matrix, error)
}

// HistoryPlacer places people never seen in training by the items they chose. Models whose
// users are made of their items implement it, and [Spec.RestoreHistories] builds one from
// weights alone, which is safe for concurrent use.
type HistoryPlacer interface {
	// PlaceHistories maps histories, item rows with the oldest first, to user vectors. The vector
	// of one person does not depend on who else is placed in the same call. An empty history is
	// the user's mistake.
	PlaceHistories(histories [][]int32) (*tensor.Matrix, error)
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
		return usererr.New("Check the split: at least one interaction must be labelled train.", "no train interactions to learn from")
	}
	if in.Times != nil && len(in.Times) != in.Train.Len() {
		return fmt.Errorf("model inputs: times of %d train interactions, but there are %d", len(in.Times), in.Train.Len())
	}
	for _, modality := range slices.Sorted(maps.Keys(in.ItemVectors)) {
		if err := checkRows(modality+" item features", in.ItemVectors[modality], in.Items, "items"); err != nil {
			return err
		}
	}
	if err := checkRows("user features", in.Preferences, in.Users, "users"); err != nil {
		return err
	}
	if g := in.Graph; g != nil && (g.Rows != in.Items || g.Cols != in.Items) {
		return usererr.New("Build the graph for this data set again.", "item graph is %d×%d for %d items", g.Rows, g.Cols, in.Items)
	}
	return in.checkFolds()
}

// checkRows reports a matrix that has not one row for each of n users or items, as of
// says; what names the matrix.
func checkRows(what string, m *tensor.Matrix, n int, of string) error {
	if m != nil && m.Rows != n {
		return usererr.New("Encode the texts of this data set again, or check that the file belongs to it.",
			"%d rows of %s for %d %s", m.Rows, what, n, of)
	}
	return nil
}

func (in Inputs) checkFolds() error {
	if len(in.FoldPreferences) == 0 {
		if in.FoldOf != nil {
			return fmt.Errorf("model inputs: folds of train rows without fold features")
		}
		return nil
	}
	if len(in.FoldOf) != in.Train.Len() {
		return fmt.Errorf("model inputs: folds of %d train rows, but there are %d", len(in.FoldOf), in.Train.Len())
	}
	for row, f := range in.FoldOf {
		if int(f) >= len(in.FoldPreferences) {
			return fmt.Errorf("model inputs: train row %d is in fold %d of %d", row, f, len(in.FoldPreferences))
		}
	}
	for k, m := range in.FoldPreferences {
		if err := checkRows(fmt.Sprintf("user features of fold %d", k), m, in.Users, "users"); err != nil {
			return err
		}
		if in.Preferences == nil || m.Cols != in.Preferences.Cols {
			return usererr.New("Encode the texts again.", "features of fold %d are %d wide, unlike the full user features", k, m.Cols)
		}
	}
	return nil
}
