package mllmrec

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/pipeline"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Recommendation is one ranked item.
type Recommendation struct {
	Rank    int      `json:"rank"` // from 1
	Item    string   `json:"item"` // the source's id
	Title   string   `json:"title"`
	Score   float64  `json:"score"` // dot product of the two towers' vectors
	Because []Reason `json:"because,omitempty"`
}

// Recommender ranks the catalogue of one workspace with one trained run. It is safe
// for concurrent use.
type Recommender struct {
	pipe  *pipeline.Pipeline
	run   *pipeline.Run
	ds    *dataset.Dataset
	train *dataset.Histories
	users *tensor.Matrix // M×d
	items *tensor.Matrix // N×d

	userRow map[string]int
	itemRow map[string]int

	explain func() (*explainer, error)
	towers  func() (*towers, error)
}

// Option changes how a workspace is opened.
type Option func(*options)

type options struct{ run, writer string }

// WithRun chooses a run; the default is the latest finished one.
func WithRun(id string) Option { return func(o *options) { o.run = id } }

// WithWriter chooses who writes the preferences of people never seen (see
// [Recommender.ForHistory]), as the command line's --mllm does: "offline" needs no model
// server. The default is the author of the workspace's own preferences.
func WithWriter(mllm string) Option { return func(o *options) { o.writer = mllm } }

// Open loads the workspace in dir and its latest finished run.
func Open(ctx context.Context, dir string, opts ...Option) (*Recommender, error) {
	var o options
	for _, set := range opts {
		set(&o)
	}
	ws, err := workspace.Open(dir)
	if err != nil {
		return nil, err
	}
	p := &pipeline.Pipeline{WS: ws, Writer: o.writer}
	run, err := p.FindRun(o.run)
	if err != nil {
		return nil, err
	}
	r := &Recommender{pipe: p, run: run, userRow: map[string]int{}, itemRow: map[string]int{}}
	if r.ds, err = ws.Dataset(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.train = r.ds.TrainHistories()
	if r.users, err = arrayfile.ReadNPY(p.RunPath(run.ID, workspace.RunUsersFile)); err != nil {
		return nil, err
	}
	if r.items, err = arrayfile.ReadNPY(p.RunPath(run.ID, workspace.RunItemsFile)); err != nil {
		return nil, err
	}
	if r.users.Rows != r.ds.Users() || r.items.Rows != r.ds.NumItems() {
		return nil, usererr.New("Train again: the workspace's data changed since.",
			"run %s holds %d users and %d items, the workspace %d and %d", run.ID, r.users.Rows, r.items.Rows, r.ds.Users(), r.ds.NumItems())
	}
	for u, id := range r.ds.UserIDs {
		r.userRow[id] = u
	}
	for i, item := range r.ds.Items {
		r.itemRow[item.ID] = i
	}
	r.explain = sync.OnceValues(r.loadExplainer)
	r.towers = sync.OnceValues(r.loadTowers)
	return r, nil
}

// Run says which training run answers, and whether it is leaky.
func (r *Recommender) Run() *pipeline.Run { return r.run }

// History returns the train items of a known user, oldest first.
func (r *Recommender) History(user string) ([]dataset.Item, error) {
	u, err := r.user(user)
	if err != nil {
		return nil, err
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
	u, err := r.user(user)
	if err != nil {
		return nil, err
	}
	return r.rank(ctx, r.users.Row(u), r.train.Items(u), nil, k)
}

// ForHistory recommends k items to somebody never seen, from the ids of items chosen,
// oldest first: a preference is written from them and placed by the user tower, with
// no retraining (cold start). The items themselves are left out.
func (r *Recommender) ForHistory(ctx context.Context, items []string, k int) ([]Recommendation, error) {
	if len(items) == 0 {
		return nil, usererr.New("Give at least one item id.", "empty history")
	}
	rows := make([]int32, len(items))
	for n, id := range items {
		i, ok := r.itemRow[id]
		if !ok {
			return nil, usererr.New("Ids are those of the imported catalogue.", "unknown item %q in the history", id)
		}
		rows[n] = int32(i)
	}
	t, err := r.towers()
	if err != nil {
		return nil, err
	}
	text, err := t.preference(ctx, rows)
	if err != nil {
		return nil, err
	}
	v, err := t.place(ctx, text)
	if err != nil {
		return nil, err
	}
	return r.rank(ctx, v, rows, nil, k)
}

// ForText recommends k items to somebody who says in a sentence what they like.
func (r *Recommender) ForText(ctx context.Context, text string, k int) ([]Recommendation, error) {
	t, err := r.towers()
	if err != nil {
		return nil, err
	}
	v, err := t.place(ctx, text)
	if err != nil {
		return nil, err
	}
	return r.rank(ctx, v, nil, []string{text}, k)
}

func (r *Recommender) user(id string) (int, error) {
	u, ok := r.userRow[id]
	if !ok {
		return 0, usererr.New("For somebody never seen, give --history item,item,… or --text.", "unknown user %q", id)
	}
	return u, nil
}

// rank scores the catalogue for one user vector, leaving out the items of history.
func (r *Recommender) rank(ctx context.Context, user []float32, history []int32, text []string, k int) ([]Recommendation, error) {
	if k < 1 {
		return nil, usererr.New("", "k is %d; at least 1 item must be asked for", k)
	}
	scores := make([]float32, r.items.Rows)
	for i := range scores {
		scores[i] = tensor.Dot(user, r.items.Row(i))
	}
	for _, i := range history {
		scores[i] = float32(math.Inf(-1))
	}
	k = min(k, len(scores))
	idx, val := make([]int32, k), make([]float32, k)
	n := tensor.TopK(scores, k, idx, val)
	ex, err := r.explain()
	if err != nil {
		return nil, err
	}
	recs := make([]Recommendation, n)
	for j := range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		i := idx[j]
		if math.IsNaN(float64(val[j])) {
			return nil, fmt.Errorf("score of item %q is not a number", r.ds.Items[i].ID)
		}
		recs[j] = Recommendation{Rank: j + 1, Item: r.ds.Items[i].ID, Title: r.ds.Items[i].Title, Score: float64(val[j]),
			Because: ex.because(i, history, text)}
	}
	return recs, nil
}
