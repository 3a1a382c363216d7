package mllmrec

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/answering"
	"github.com/mllmrec/mllmrec/internal/model"
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
	parts  bool                             // recommendations say what their scores are made of
	engine atomic.Pointer[answering.Engine] // nil once it is closed
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
	e, err := answering.Open(ctx, dir, answering.Options{Run: o.run, Writer: o.writer, Trust: o.trust})
	if err != nil {
		return nil, public(ctx, err)
	}
	if o.parts && !e.Explains() {
		return nil, AsError(noParts(e.Run.Model))
	}
	r := &Recommender{run: runOf(e.Run), parts: o.parts}
	r.engine.Store(e)
	return r, nil
}

// Close lets go of the memory that the Recommender holds. Questions that are being
// answered are answered still; those asked later are mistakes. It may be called more than
// once, from any goroutine, and returns no error.
func (r *Recommender) Close() error {
	r.engine.Store(nil)
	return nil
}

// get returns what answers.
func (r *Recommender) get() (*answering.Engine, error) {
	e := r.engine.Load()
	if e == nil {
		return nil, usererr.New("Open the workspace again.", "the recommender of run %s is closed", r.run.ID)
	}
	return e, nil
}

// Run says which training run answers, and whether it is leaky.
func (r *Recommender) Run() Run { return r.run }

// Users returns the ids of the users of the data set; nil once the Recommender is closed.
func (r *Recommender) Users() []string {
	e, err := r.get()
	if err != nil {
		return nil
	}
	return slices.Clone(e.Data.UserIDs)
}

// Item returns an item of the catalogue by its id.
func (r *Recommender) Item(id string) (dataset.Item, error) {
	e, err := r.get()
	if err != nil {
		return dataset.Item{}, AsError(err)
	}
	i, err := e.Item(id)
	if err != nil {
		return dataset.Item{}, AsError(err)
	}
	return e.Data.Items[i], nil
}

// History returns the train items of a known user, oldest first: those that ForUser
// leaves out. It is empty for a user who is in the held-out part alone.
func (r *Recommender) History(user string) ([]dataset.Item, error) {
	e, err := r.get()
	if err != nil {
		return nil, AsError(err)
	}
	u, err := e.User(user)
	if err != nil {
		return nil, AsError(err)
	}
	var items []dataset.Item
	for _, i := range e.Train.Items(int(u)) {
		items = append(items, e.Data.Items[i])
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
	return ask(ctx, r, users, k, func(e *answering.Engine, id string) (answering.Asker, error) {
		u, err := e.User(id)
		if err != nil {
			return answering.Asker{}, err
		}
		return e.Known(u), nil
	})
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
	return ask(ctx, r, histories, k, func(e *answering.Engine, ids []string) (a answering.Asker, err error) {
		a.User = answering.Stranger
		for _, id := range ids {
			i, err := e.Item(id)
			if err != nil {
				return a, err
			}
			a.History = append(a.History, i)
		}
		if len(ids) == 0 {
			err = usererr.New("Give at least one item id.", "empty history")
		}
		return a, err
	})
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
	return ask(ctx, r, texts, k, func(_ *answering.Engine, text string) (answering.Asker, error) {
		if strings.TrimSpace(text) == "" {
			return answering.Asker{}, usererr.New("Say in a sentence what is liked.", "empty sentence")
		}
		return answering.Said(text), nil
	})
}

// Similar returns the k items whose vectors in the run are nearest to that of an item, by
// cosine, which is their score: from −1 to 1. The item itself is left out. Any run can be
// asked.
func (r *Recommender) Similar(ctx context.Context, item string, k int) ([]Recommendation, error) {
	e, err := r.checked(k)
	if err != nil {
		return nil, AsError(err)
	}
	i, err := e.Item(item)
	if err != nil {
		return nil, AsError(err)
	}
	list, p, err := e.Similar(ctx, i, k, nil)
	if err != nil {
		return nil, public(ctx, err)
	}
	similar, err := r.told(ctx, e, p, 0, list)
	return similar, public(ctx, err)
}

// checked is get for a question that asks for k items.
func (r *Recommender) checked(k int) (*answering.Engine, error) {
	e, err := r.get()
	if err == nil && k < 1 {
		err = usererr.New("Ask for 10, for example.", "k is %d; at least 1 item must be asked for", k)
	}
	return e, err
}

// ask puts several questions of one kind, which asker makes people of. What can be found wrong at no
// cost is found before a model is asked.
func ask[Q any](ctx context.Context, r *Recommender, questions []Q, k int, asker func(*answering.Engine, Q) (answering.Asker, error)) ([][]Recommendation, error) {
	e, err := r.checked(k)
	if err != nil {
		return nil, AsError(err)
	}
	if len(questions) == 0 {
		return [][]Recommendation{}, nil
	}
	askers := make([]answering.Asker, len(questions))
	for n, q := range questions {
		if askers[n], err = asker(e, q); err != nil {
			return nil, AsError(err)
		}
	}
	lists, err := r.answer(ctx, e, askers, k)
	return lists, public(ctx, err)
}

// answer ranks the catalogue for people.
func (r *Recommender) answer(ctx context.Context, e *answering.Engine, askers []answering.Asker, k int) ([][]Recommendation, error) {
	p, err := e.Place(ctx, askers)
	if err != nil {
		return nil, err
	}
	ranked, err := p.Rank(ctx, k, nil)
	if err != nil {
		return nil, err
	}
	lists := make([][]Recommendation, len(askers))
	for n := range askers {
		if lists[n], err = r.told(ctx, e, p, n, ranked[n]); err != nil {
			return nil, err
		}
	}
	return lists, nil
}

// told makes the recommendations of a ranked list, with their reasons.
func (r *Recommender) told(ctx context.Context, e *answering.Engine, p *answering.Placed, n int, ranked answering.List) ([]Recommendation, error) {
	explain, err := p.Explain(n)
	if err != nil {
		return nil, err
	}
	list := make([]Recommendation, 0, len(ranked.Items))
	for place, i := range ranked.Items {
		var shares []model.Share
		if explain != nil {
			shares = explain(i)
		}
		because, err := p.Because(ctx, n, i, shares)
		if err != nil {
			return nil, err
		}
		one := Recommendation{Rank: place + 1, Item: e.Data.Items[i].ID, Title: e.Data.Items[i].Title, Score: float64(ranked.Scores[place]), Because: reasonsOf(e.Data, because)}
		if r.parts {
			one.Parts = partsOf(e.Data, shares)
		}
		list = append(list, one)
	}
	return list, ctx.Err()
}

// one returns the only list.
func one(lists [][]Recommendation, err error) ([]Recommendation, error) {
	if err != nil {
		return nil, err
	}
	return lists[0], nil
}
