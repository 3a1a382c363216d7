// Package answering answers from one trained run: it restores what scores the catalogue, places known users and people
// never seen, and says what carried an item. It speaks of rows of users and items; ids, titles and forms are
// those of whom it works for: the library and the server.
package answering

import (
	"context"
	"strings"
	"sync"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/serving"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Options say which run answers, and how.
type Options struct {
	Run    string // "": the one that was built or chosen last
	Writer string // who writes preferences of people never seen; "": who wrote the run's
	Trust  bool   // the workspace may name servers, keys and folders
}

// Engine answers from one run. Several goroutines may use it at the same time. Nothing in it changes once it is
// open but for what is read later, when a question first needs it.
type Engine struct {
	Run     *training.Run
	Address string // of the run
	Data    *dataset.Dataset
	Train   *dataset.Histories

	session *stage.Session
	writer  string
	users   *tensor.Matrix // M×d
	items   *tensor.Matrix // N×d
	ranker  *serving.Catalogue
	fitted  *model.UserScorer  // of a fitted model, which has no vectors; nil of others
	nearest func() *directions // for similar items
	reasons *reasons
	userRow map[string]int32
	itemRow map[string]int32

	preferences *kept[[]string]

	// What places people never seen: see people.go.
	placers   *kept[model.Placer]
	encoders  *kept[encoder.Encoder] // of preferences
	itemSide  *kept[encoder.Encoder] // of items
	contents  *kept[*directions]     // of the items' texts
	writers   *kept[writer]
	listener  *kept[model.Ranker]        // of a fitted model, for those who said themselves what they like
	histories *kept[model.HistoryPlacer] // of a model that places histories as they are
}

// Open loads a run of the workspace in dir. It reads the data set and the vectors of the run.
func Open(ctx context.Context, dir string, o Options) (*Engine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ws, err := workspace.Open(dir)
	if err != nil {
		return nil, err
	}
	run, address, err := training.Find(ws, o.Run)
	if err != nil {
		return nil, err
	}
	e := &Engine{session: stage.NewSession(ws, nil), Run: run, Address: address, writer: o.Writer, userRow: map[string]int32{}, itemRow: map[string]int32{}}
	if e.Data, err = ws.Dataset(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Trust {
		e.session.Consent.TrustAll()
	}
	e.Train = e.Data.TrainHistories()
	if err := e.loadVectors(); err != nil {
		return nil, err
	}
	for u, id := range e.Data.UserIDs {
		e.userRow[id] = int32(u)
	}
	for i, item := range e.Data.Items {
		e.itemRow[item.ID] = int32(i)
	}
	e.reasons = newReasons(e)
	e.placers, e.encoders, e.itemSide = keep(e.loadPlacer), keep(e.loadEncoder), keep(e.loadItemSide)
	e.contents, e.preferences = keep(e.loadContents), keep(e.loadPreferences)
	e.writers, e.histories, e.listener = keep(e.loadWriter), keep(e.loadHistories), keep(e.loadListener)
	return e, nil
}

func (e *Engine) loadVectors() (err error) {
	run := e.Run
	if training.Fits(run.Model) {
		e.fitted, err = training.Scorer(e.session, run, e.Address)
		return err
	}
	if e.users, err = e.session.Matrix(e.Address, workspace.RunUsersFile); err != nil {
		return err
	}
	if e.items, err = e.session.Matrix(e.Address, workspace.RunItemsFile); err != nil {
		return err
	}
	if e.users.Rows != e.Data.Users() || e.items.Rows != e.Data.NumItems() {
		return usererr.Of(usererr.KindDamaged, "Train again.", "run %s holds %d users and %d items, the workspace %d and %d",
			run.ID, e.users.Rows, e.items.Rows, e.Data.Users(), e.Data.NumItems())
	}
	e.ranker = serving.NewCatalogue(e.items)
	e.nearest = sync.OnceValue(func() *directions { return newDirections(e.items) })
	return nil
}

// Workspace is where the run lies.
func (e *Engine) Workspace() *workspace.Workspace { return e.session.WS }

// User returns the row of a user of the data set.
func (e *Engine) User(id string) (int32, error) {
	u, ok := e.userRow[id]
	if !ok {
		return 0, usererr.Of(usererr.KindUnknown, "For somebody never seen, ask by a history of items or by a sentence.", "unknown user %q", id)
	}
	return u, nil
}

// Item returns the row of an item of the catalogue.
func (e *Engine) Item(id string) (int32, error) {
	i, ok := e.itemRow[id]
	if !ok {
		return 0, usererr.Of(usererr.KindUnknown, "Ids are those of the imported catalogue.", "unknown item %q", id)
	}
	return i, nil
}

// input is the address of what the run was made from; "" where it was not.
func (e *Engine) input(kind workspace.Kind) string {
	run, _ := e.session.WS.Artefact(e.Address)
	return run.Inputs[kind].Address
}

// itemVectors is the address of the vectors that say which items are alike: those of texts, or
// else of the first other modality that the run was made from; "" where it was made from none.
func (e *Engine) itemVectors() string {
	run, _ := e.session.WS.Artefact(e.Address)
	for _, kind := range run.InputKinds() { // texts first
		if _, ok := kind.Modality(); ok {
			return run.Inputs[kind].Address
		}
	}
	return ""
}

// Asker is somebody who asks. Items that they chose are left out of what they get, unless they name others to leave out.
type Asker struct {
	User    int32   // row of a user of the data set; Stranger for somebody never seen
	History []int32 // item rows that they chose, oldest first
	Text    string  // what they like, in words; "": as the run has it of a user, or as it is written from the history
}

// Stranger is the User of an Asker who is none of the data set.
const Stranger int32 = -1

// Known is a user of the data set as the run knows them.
func (e *Engine) Known(u int32) Asker { return Asker{User: u, History: e.Train.Items(int(u))} }

// Said is somebody who says what they like.
func Said(text string) Asker { return Asker{User: Stranger, Text: text} }

// Chose is somebody who chose items.
func Chose(items []int32) Asker { return Asker{User: Stranger, History: items} }

// check finds what is wrong with a question at no cost.
func (a Asker) check() error {
	switch {
	case a.User >= 0 || len(a.History) > 0:
		return nil
	case a.Text == "":
		return usererr.New("Give at least one item id.", "empty history")
	case strings.TrimSpace(a.Text) == "":
		return usererr.New("Say in a sentence what is liked.", "empty sentence")
	}
	return nil
}
