package mllmrec

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/serving"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Recommendation is one ranked item.
type Recommendation struct {
	Rank    int      `json:"rank"` // from 1
	Item    string   `json:"item"` // the source's id
	Title   string   `json:"title"`
	Score   float64  `json:"score"` // inner product of the user's and the item's vector
	Because []Reason `json:"because,omitempty"`
}

// Run says which training run answers.
type Run struct {
	ID         string // of the run
	Model      string // name of the model
	Leaky      bool   // made with validation and test interactions in sight
	Provenance string // "train-only", "leaky" or "unknown"
}

// Recommender ranks the catalogue of one workspace with one trained run. It is safe for
// concurrent use until [Recommender.Close].
type Recommender struct {
	session *stage.Session
	run     Run
	address string // of the run
	writer  string
	ds      *dataset.Dataset
	train   *dataset.Histories
	users   *tensor.Matrix // M×d
	items   *tensor.Matrix // N×d
	ranker  *serving.Catalogue

	userRow map[string]int
	itemRow map[string]int

	reasons   *reasons
	strangers func() (*strangers, error)
}

// Option changes how a workspace is opened.
type Option func(*options)

type options struct{ run, writer string }

// WithRun chooses a run by its id; the default is the one that was built or chosen last.
func WithRun(id string) Option { return func(o *options) { o.run = id } }

// WithWriter chooses who writes the preferences of people never seen (see
// [Recommender.ForHistory]): "offline" needs no model server. The default is the writer of
// the preferences that the run was made from.
func WithWriter(mllm string) Option { return func(o *options) { o.writer = mllm } }

// Open loads a run of the workspace in dir. It reads the data set and the vectors of the
// run; what else a question takes, such as the encoder of a sentence, is read when it is
// first asked.
func Open(ctx context.Context, dir string, opts ...Option) (*Recommender, error) {
	var o options
	for _, set := range opts {
		set(&o)
	}
	r, err := open(ctx, dir, o)
	return r, public(err)
}

func open(ctx context.Context, dir string, o options) (*Recommender, error) {
	ws, err := workspace.Open(dir)
	if err != nil {
		return nil, err
	}
	run, address, err := training.Find(ws, o.run)
	if err != nil {
		return nil, err
	}
	if c := ws.Check(address); c.State != workspace.Fresh {
		return nil, usererr.Of(usererr.KindDamaged, "Train again, or bring the file back.", "run %s cannot be used: %s", run.ID, c.Reason)
	}
	r := &Recommender{session: stage.NewSession(ws, nil), address: address, writer: o.writer, userRow: map[string]int{}, itemRow: map[string]int{},
		run: Run{ID: run.ID, Model: run.Model, Leaky: run.Leaky, Provenance: run.Provenance}}
	if r.ds, err = ws.Dataset(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.train = r.ds.TrainHistories()
	if err := r.loadVectors(); err != nil {
		return nil, err
	}
	for u, id := range r.ds.UserIDs {
		r.userRow[id] = u
	}
	for i, item := range r.ds.Items {
		r.itemRow[item.ID] = i
	}
	r.reasons = newReasons(r)
	r.strangers = sync.OnceValues(r.loadStrangers)
	return r, nil
}

func (r *Recommender) loadVectors() (err error) {
	if r.users, err = r.session.Matrix(r.address, workspace.RunUsersFile); err != nil {
		return err
	}
	if r.items, err = r.session.Matrix(r.address, workspace.RunItemsFile); err != nil {
		return err
	}
	if r.users.Rows != r.ds.Users() || r.items.Rows != r.ds.NumItems() {
		return usererr.Of(usererr.KindDamaged, "Train again.", "run %s holds %d users and %d items, the workspace %d and %d",
			r.run.ID, r.users.Rows, r.items.Rows, r.ds.Users(), r.ds.NumItems())
	}
	r.ranker = serving.NewCatalogue(r.items)
	return nil
}

// Close lets go of what the Recommender holds. It must not be used afterwards.
func (r *Recommender) Close() error {
	*r = Recommender{}
	return nil
}

// Run says which training run answers, and whether it is leaky.
func (r *Recommender) Run() Run { return r.run }

// Users returns the ids of the users of the data set. The slice must not be modified.
func (r *Recommender) Users() []string { return r.ds.UserIDs }

// Item returns an item of the catalogue by its id.
func (r *Recommender) Item(id string) (dataset.Item, error) {
	i, err := r.item(id)
	if err != nil {
		return dataset.Item{}, public(err)
	}
	return r.ds.Items[i], nil
}

// History returns the train items of a known user, oldest first.
func (r *Recommender) History(user string) ([]dataset.Item, error) {
	u, err := r.user(user)
	if err != nil {
		return nil, public(err)
	}
	var items []dataset.Item
	for _, i := range r.train.Items(u) {
		items = append(items, r.ds.Items[i])
	}
	return items, nil
}

// ForUser recommends k items to a known user. Items of the user's train history are
// left out.
func (r *Recommender) ForUser(ctx context.Context, user string, k int) ([]Recommendation, error) {
	return one(r.ForUsers(ctx, []string{user}, k))
}

// ForUsers is ForUser for several users at once, which is faster: all are ranked in one
// matrix product. Each gets exactly what ForUser would give.
func (r *Recommender) ForUsers(ctx context.Context, users []string, k int) ([][]Recommendation, error) {
	vectors := tensor.New(len(users), r.users.Cols)
	asked := make([]question, len(users))
	for n, id := range users {
		u, err := r.user(id)
		if err != nil {
			return nil, public(err)
		}
		copy(vectors.Row(n), r.users.Row(u))
		asked[n].history = r.train.Items(u)
	}
	lists, err := r.rank(ctx, vectors, asked, k)
	return lists, public(err)
}

// ForHistory recommends k items to somebody never seen, from the ids of items chosen,
// oldest first: a preference is written from them and placed by the user side of the
// model, with no retraining (cold start). The items themselves are left out.
func (r *Recommender) ForHistory(ctx context.Context, items []string, k int) ([]Recommendation, error) {
	return one(r.ForHistories(ctx, [][]string{items}, k))
}

// ForHistories is ForHistory for several people at once.
func (r *Recommender) ForHistories(ctx context.Context, histories [][]string, k int) ([][]Recommendation, error) {
	lists, err := r.forHistories(ctx, histories, k)
	return lists, public(err)
}

func (r *Recommender) forHistories(ctx context.Context, histories [][]string, k int) ([][]Recommendation, error) {
	asked := make([]question, len(histories))
	for n, items := range histories {
		if len(items) == 0 {
			return nil, usererr.New("Give at least one item id.", "empty history")
		}
		for _, id := range items {
			i, err := r.item(id)
			if err != nil {
				return nil, fmt.Errorf("history: %w", err)
			}
			asked[n].history = append(asked[n].history, i)
		}
	}
	s, err := r.strangers()
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(asked))
	for n, q := range asked {
		if texts[n], err = s.preference(ctx, q.history); err != nil {
			return nil, err
		}
	}
	vectors, err := s.place(ctx, texts)
	if err != nil {
		return nil, err
	}
	return r.rank(ctx, vectors, asked, k)
}

// ForText recommends k items to somebody who says in a sentence what they like.
func (r *Recommender) ForText(ctx context.Context, text string, k int) ([]Recommendation, error) {
	return one(r.ForTexts(ctx, []string{text}, k))
}

// ForTexts is ForText for several people at once.
func (r *Recommender) ForTexts(ctx context.Context, texts []string, k int) ([][]Recommendation, error) {
	lists, err := r.forTexts(ctx, texts, k)
	return lists, public(err)
}

func (r *Recommender) forTexts(ctx context.Context, texts []string, k int) ([][]Recommendation, error) {
	s, err := r.strangers()
	if err != nil {
		return nil, err
	}
	vectors, err := s.place(ctx, texts)
	if err != nil {
		return nil, err
	}
	asked := make([]question, len(texts))
	for n, text := range texts {
		asked[n].text = text
	}
	return r.rank(ctx, vectors, asked, k)
}

// Similar returns the k items whose vectors in the run are nearest to that of an item, by
// cosine, which is their score.
func (r *Recommender) Similar(ctx context.Context, item string, k int) ([]Recommendation, error) {
	i, err := r.item(item)
	if err != nil {
		return nil, public(err)
	}
	unit := tensor.New(r.items.Rows, r.items.Cols)
	for row := range unit.Rows {
		n := tensor.Norm2(r.items.Row(row))
		for c, v := range r.items.Row(row) {
			if n > 0 {
				unit.Row(row)[c] = float32(float64(v) / n)
			}
		}
	}
	only := &Recommender{ds: r.ds, ranker: serving.NewCatalogue(unit), reasons: r.reasons}
	list, err := one(only.rank(ctx, unit.RowRange(int(i), int(i)+1), []question{{history: []int32{i}}}, k))
	return list, public(err)
}

// question is what one person asked by, for the reasons: items chosen, or a sentence.
type question struct {
	history []int32
	text    string
}

func (r *Recommender) user(id string) (int, error) {
	u, ok := r.userRow[id]
	if !ok {
		return 0, usererr.Of(usererr.KindUnknown, "For somebody never seen, ask by a history of items or by a sentence.", "unknown user %q", id)
	}
	return u, nil
}

func (r *Recommender) item(id string) (int32, error) {
	i, ok := r.itemRow[id]
	if !ok {
		return 0, usererr.Of(usererr.KindUnknown, "Ids are those of the imported catalogue.", "unknown item %q", id)
	}
	return int32(i), nil
}

// rank scores the catalogue for each user vector, leaving out the items of each history.
func (r *Recommender) rank(ctx context.Context, users *tensor.Matrix, asked []question, k int) ([][]Recommendation, error) {
	if k < 1 {
		return nil, usererr.New("", "k is %d; at least 1 item must be asked for", k)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	items, scores, err := r.ranker.Rank(users, min(k, len(r.ds.Items)), func(n int) []int32 { return asked[n].history })
	if err != nil {
		return nil, err
	}
	lists := make([][]Recommendation, len(asked))
	for n, q := range asked {
		lists[n] = make([]Recommendation, 0, len(items[n]))
		for j, i := range items[n] {
			if math.IsInf(float64(scores[n][j]), -1) {
				break
			}
			because, err := r.reasons.because(i, q)
			if err != nil {
				return nil, err
			}
			lists[n] = append(lists[n], Recommendation{Rank: j + 1, Item: r.ds.Items[i].ID, Title: r.ds.Items[i].Title, Score: float64(scores[n][j]), Because: because})
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
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
