package mllmrec

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Recommendation is one ranked item.
type Recommendation struct {
	Rank    int      `json:"rank"`              // from 1, the best
	Item    string   `json:"item"`              // the source's id
	Title   string   `json:"title"`             // "" where the source has none
	Score   float64  `json:"score"`             // by the run's model; compares items of one list only
	Because []Reason `json:"because,omitempty"` // the strongest first; may be empty
	Parts   []Part   `json:"parts,omitempty"`   // what the score is the sum of, the largest first; with [WithParts]
}

// Recommender ranks the catalogue of one workspace with one trained run. Several
// goroutines may use it at the same time, and what it answers does not change when other
// runs are built in the workspace.
type Recommender struct {
	run    Run
	loaded atomic.Pointer[loaded] // nil once it is closed
}

// Option changes how a workspace is opened.
type Option func(*options)

type options struct {
	run, writer string
	trust       bool
	parts       bool
}

// TrustWorkspace lets the workspace name the servers that are asked, the environment
// variables whose values go there as keys, and the folders that are read. Without it these
// are used only if the user has agreed to them before ('mllmrec trust'), and the error is
// KindUntrusted where not: a workspace can be somebody else's.
func TrustWorkspace() Option { return func(o *options) { o.trust = true } }

// WithRun chooses a run by its id; the default is the one that was built or chosen last.
// [Runs] lists those of a workspace.
func WithRun(id string) Option { return func(o *options) { o.run = id } }

// WithWriter chooses who writes the preferences of people never seen (see
// [Recommender.ForHistory]): "offline" needs no model server. The default is the writer of
// the preferences that the run was made from.
func WithWriter(mllm string) Option { return func(o *options) { o.writer = mllm } }

// Open loads a run of the workspace in dir. It reads the data set and the vectors of the
// run; what else a question takes, such as the encoder of a sentence, is read when it is
// first asked. No lock is taken: a workspace can be open in any number of processes, also
// while one builds in it.
//
// The error is KindUnknown where there is no such workspace or run, KindNotReady where
// nothing was trained yet, and KindNotProvable where a file is not, byte for byte, what was
// recorded.
func Open(ctx context.Context, dir string, opts ...Option) (*Recommender, error) {
	var o options
	for _, set := range opts {
		set(&o)
	}
	l, err := load(ctx, dir, o)
	if err != nil {
		return nil, public(ctx, err)
	}
	r := &Recommender{run: l.run}
	r.loaded.Store(l)
	return r, nil
}

// Close lets go of the memory that the Recommender holds. Questions that are being
// answered are answered still; those asked later are mistakes. It may be called more than
// once, from any goroutine, and returns no error.
func (r *Recommender) Close() error {
	r.loaded.Store(nil)
	return nil
}

// get returns what is loaded.
func (r *Recommender) get() (*loaded, error) {
	l := r.loaded.Load()
	if l == nil {
		return nil, usererr.New("Open the workspace again.", "the recommender of run %s is closed", r.run.ID)
	}
	return l, nil
}

// Run says which training run answers, and whether it is leaky.
func (r *Recommender) Run() Run { return r.run }

// Users returns the ids of the users of the data set; nil once the Recommender is closed.
func (r *Recommender) Users() []string {
	l, err := r.get()
	if err != nil {
		return nil
	}
	return slices.Clone(l.ds.UserIDs)
}

// Item returns an item of the catalogue by its id.
func (r *Recommender) Item(id string) (dataset.Item, error) {
	l, err := r.get()
	if err != nil {
		return dataset.Item{}, AsError(err)
	}
	i, err := l.item(id)
	if err != nil {
		return dataset.Item{}, AsError(err)
	}
	return l.ds.Items[i], nil
}

// History returns the train items of a known user, oldest first: those that ForUser
// leaves out. It is empty for a user who is in the held-out part alone.
func (r *Recommender) History(user string) ([]dataset.Item, error) {
	l, err := r.get()
	if err != nil {
		return nil, AsError(err)
	}
	u, err := l.user(user)
	if err != nil {
		return nil, AsError(err)
	}
	var items []dataset.Item
	for _, i := range l.train.Items(u) {
		items = append(items, l.ds.Items[i])
	}
	return items, nil
}

// ForUser recommends k items to a known user, the best first. Items of the user's train
// history are left out, so the list is shorter than k where fewer are left. An unknown
// user is an error of KindUnknown, a k below 1 a mistake.
func (r *Recommender) ForUser(ctx context.Context, user string, k int) ([]Recommendation, error) {
	return one(r.ForUsers(ctx, []string{user}, k))
}

// ForUsers is ForUser for several users at once, which is faster: all are ranked in one
// matrix product. List n is exactly what ForUser gives for users[n]. An error about one
// of them is the error of all.
func (r *Recommender) ForUsers(ctx context.Context, users []string, k int) ([][]Recommendation, error) {
	return ask(ctx, r, (*loaded).forUsers, users, k)
}

// ForHistory recommends k items to somebody never seen, from the ids of items chosen,
// oldest first: a preference is written from them and placed by the user side of the
// model, with no retraining (cold start). The items themselves are left out. A model whose
// users are made of their items, such as pool, places them as they are, and none is written.
//
// The preference is written by the writer of the run's own, which may be a model on a
// server; where that does not answer, the error is KindUnavailable, and [WithWriter]
// names another. An unknown item is an error of KindUnknown. An empty history is a
// mistake, and so is asking a run of a model that knows users by their id only, such as
// bpr.
func (r *Recommender) ForHistory(ctx context.Context, items []string, k int) ([]Recommendation, error) {
	return one(r.ForHistories(ctx, [][]string{items}, k))
}

// ForHistories is ForHistory for several people at once, which is faster. List n is
// exactly what ForHistory gives for histories[n], as long as the writer gives the same
// history the same words. An error about one of them is the error of all.
func (r *Recommender) ForHistories(ctx context.Context, histories [][]string, k int) ([][]Recommendation, error) {
	return ask(ctx, r, (*loaded).forHistories, histories, k)
}

// ForText recommends k items to somebody who says in a sentence what they like. The
// sentence takes the place of a preference: the encoder of the run's preferences turns it
// into a vector and the user side of the model places it. Nothing is left out.
//
// A sentence without any word of the catalogue is a mistake where the encoder is fitted
// on the catalogue, and so is asking a run of a model that knows users by their id only,
// such as bpr.
func (r *Recommender) ForText(ctx context.Context, text string, k int) ([]Recommendation, error) {
	return one(r.ForTexts(ctx, []string{text}, k))
}

// ForTexts is ForText for several people at once, which is faster. List n is exactly what
// ForText gives for texts[n]. An error about one of them is the error of all.
func (r *Recommender) ForTexts(ctx context.Context, texts []string, k int) ([][]Recommendation, error) {
	return ask(ctx, r, (*loaded).forTexts, texts, k)
}

// Similar returns the k items whose vectors in the run are nearest to that of an item, by
// cosine, which is their score: from −1 to 1. The item itself is left out. Any run can be
// asked.
func (r *Recommender) Similar(ctx context.Context, item string, k int) ([]Recommendation, error) {
	return one(ask(ctx, r, func(l *loaded, ctx context.Context, items []string, k int) ([][]Recommendation, error) {
		list, err := l.similar(ctx, items[0], k)
		return [][]Recommendation{list}, err
	}, []string{item}, k))
}

// ask puts several questions of one kind to what is loaded. What can be found wrong at no
// cost is found before a model is asked.
func ask[Q any](ctx context.Context, r *Recommender, answer func(*loaded, context.Context, []Q, int) ([][]Recommendation, error), questions []Q, k int) ([][]Recommendation, error) {
	l, err := r.get()
	if err != nil {
		return nil, AsError(err)
	}
	if k < 1 {
		return nil, AsError(usererr.New("Ask for 10, for example.", "k is %d; at least 1 item must be asked for", k))
	}
	if len(questions) == 0 {
		return [][]Recommendation{}, nil
	}
	lists, err := answer(l, ctx, questions, k)
	if err != nil {
		return nil, public(ctx, err)
	}
	return lists, nil
}

// one returns the only list.
func one(lists [][]Recommendation, err error) ([]Recommendation, error) {
	if err != nil {
		return nil, err
	}
	return lists[0], nil
}
