package mllmrec

import (
	"context"
	"github.com/mllmrec/mllmrec/internal/encoder"
	"math"
	"strings"
	"sync"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/serving"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// loaded is what an open Recommender holds. Nothing in it changes once it is loaded but
// for what is read later, when a question first needs it.
type loaded struct {
	session *stage.Session
	run     Run
	address string // of the run
	writer  string // who writes preferences of people never seen; "" = who wrote the run's
	ds      *dataset.Dataset
	train   *dataset.Histories
	users   *tensor.Matrix // M×d
	items   *tensor.Matrix // N×d
	ranker  *serving.Catalogue
	fitted  *model.UserScorer  // of a fitted model, which has no vectors; nil of others
	explain model.Explainer    // nil: scores are not taken apart
	nearest func() *directions // for similar items

	userRow map[string]int
	itemRow map[string]int

	reasons *reasons

	// What places people never seen: see strangers.go.
	strangers *kept[*strangers]
	encoders  *kept[encoder.Encoder] // of preferences, for fitted models
	writers   *kept[writer]
	histories *kept[model.HistoryPlacer] // of a model that places histories as they are
}

func load(ctx context.Context, dir string, o options) (*loaded, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ws, err := workspace.Open(dir)
	if err != nil {
		return nil, err
	}
	run, address, err := training.Find(ws, o.run)
	if err != nil {
		return nil, err
	}
	l := &loaded{session: stage.NewSession(ws, nil), run: runOf(run), address: address, writer: o.writer, userRow: map[string]int{}, itemRow: map[string]int{}}
	if l.ds, err = ws.Dataset(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.trust {
		l.session.Consent.TrustAll()
	}
	l.train = l.ds.TrainHistories()
	if err := l.loadVectors(run); err != nil {
		return nil, err
	}
	for u, id := range l.ds.UserIDs {
		l.userRow[id] = u
	}
	for i, item := range l.ds.Items {
		l.itemRow[item.ID] = i
	}
	l.reasons = newReasons(l)
	l.encoders = keep(l.loadEncoder)
	if o.parts {
		if l.explain, err = l.explainer(); err != nil {
			return nil, err
		}
	}
	l.strangers, l.writers, l.histories = keep(l.loadStrangers), keep(l.loadWriter), keep(l.loadHistories)
	return l, nil
}

func (l *loaded) loadVectors(run *training.Run) (err error) {
	if training.Fits(run.Model) {
		l.fitted, err = training.Scorer(l.session, run, l.address)
		return err
	}
	if l.users, err = l.session.Matrix(l.address, workspace.RunUsersFile); err != nil {
		return err
	}
	if l.items, err = l.session.Matrix(l.address, workspace.RunItemsFile); err != nil {
		return err
	}
	if l.users.Rows != l.ds.Users() || l.items.Rows != l.ds.NumItems() {
		return usererr.Of(usererr.KindDamaged, "Train again.", "run %s holds %d users and %d items, the workspace %d and %d",
			l.run.ID, l.users.Rows, l.items.Rows, l.ds.Users(), l.ds.NumItems())
	}
	l.ranker = serving.NewCatalogue(l.items)
	l.nearest = sync.OnceValue(func() *directions { return newDirections(l.items) })
	return nil
}

// directions are the item vectors at unit length, whose inner products are cosines.
type directions struct {
	items  *tensor.Matrix // N×d
	ranker *serving.Catalogue
}

func newDirections(items *tensor.Matrix) *directions {
	unit := tensor.New(items.Rows, items.Cols)
	for row := range unit.Rows {
		n := tensor.Norm2(items.Row(row))
		for c, v := range items.Row(row) {
			if n > 0 {
				unit.Row(row)[c] = float32(float64(v) / n)
			}
		}
	}
	return &directions{unit, serving.NewCatalogue(unit)}
}

// question is what one person asked by, for the reasons: items chosen, or a sentence.
type question struct {
	history []int32
	text    string
	person  model.Person // of fitted models
}

func (l *loaded) user(id string) (int, error) {
	u, ok := l.userRow[id]
	if !ok {
		return 0, usererr.Of(usererr.KindUnknown, "For somebody never seen, ask by a history of items or by a sentence.", "unknown user %q", id)
	}
	return u, nil
}

func (l *loaded) item(id string) (int32, error) {
	i, ok := l.itemRow[id]
	if !ok {
		return 0, usererr.Of(usererr.KindUnknown, "Ids are those of the imported catalogue.", "unknown item %q", id)
	}
	return int32(i), nil
}

func (l *loaded) forUsers(ctx context.Context, ids []string, k int) ([][]Recommendation, error) {
	asked, rows := make([]question, len(ids)), make([]int32, len(ids))
	for n, id := range ids {
		u, err := l.user(id)
		if err != nil {
			return nil, err
		}
		rows[n], asked[n].history = int32(u), l.train.Items(u)
	}
	if l.fitted != nil {
		people := make([]model.Person, len(ids))
		for n, u := range rows {
			people[n] = l.fitted.Person(int(u))
		}
		return l.rankPeople(ctx, people, asked, k)
	}
	vectors := tensor.New(len(ids), l.users.Cols)
	tensor.Gather(vectors, l.users, rows)
	return l.rank(ctx, l.ranker, vectors, asked, k)
}

func (l *loaded) forHistories(ctx context.Context, histories [][]string, k int) ([][]Recommendation, error) {
	asked := make([]question, len(histories))
	for n, items := range histories {
		if len(items) == 0 {
			return nil, usererr.New("Give at least one item id.", "empty history")
		}
		for _, id := range items {
			i, err := l.item(id)
			if err != nil {
				return nil, err
			}
			asked[n].history = append(asked[n].history, i)
		}
	}
	if l.fitted != nil {
		people, err := l.strangersOf(ctx, asked)
		if err != nil {
			return nil, err
		}
		return l.rankPeople(ctx, people, asked, k)
	}
	place := l.placeWritten
	if l.placesHistories() {
		place = l.placeHistories
	}
	vectors, err := place(ctx, asked)
	if err != nil {
		return nil, err
	}
	return l.rank(ctx, l.ranker, vectors, asked, k)
}

// placeHistories places people by the items they chose.
func (l *loaded) placeHistories(ctx context.Context, asked []question) (*tensor.Matrix, error) {
	p, err := l.histories.get(ctx)
	if err != nil {
		return nil, err
	}
	histories := make([][]int32, len(asked))
	for n, q := range asked {
		histories[n] = q.history
	}
	return p.PlaceHistories(histories)
}

// placeWritten places people by the preferences that are written from the items they chose.
func (l *loaded) placeWritten(ctx context.Context, asked []question) (*tensor.Matrix, error) {
	s, err := l.strangers.get(ctx)
	if err != nil {
		return nil, err
	}
	texts, err := l.written(ctx, asked)
	if err != nil {
		return nil, err
	}
	return s.place(ctx, texts)
}

// written has preferences written from the items that people chose.
func (l *loaded) written(ctx context.Context, asked []question) ([]string, error) {
	write, err := l.writers.get(ctx)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(asked))
	for n, q := range asked {
		if texts[n], err = write(ctx, q.history); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func (l *loaded) forTexts(ctx context.Context, texts []string, k int) ([][]Recommendation, error) {
	asked := make([]question, len(texts))
	for n, text := range texts {
		if strings.TrimSpace(text) == "" {
			return nil, usererr.New("Say in a sentence what is liked.", "empty sentence")
		}
		asked[n].text = text
	}
	if l.fitted != nil {
		people, err := l.speakers(ctx, texts)
		if err != nil {
			return nil, err
		}
		return l.rankPeople(ctx, people, asked, k)
	}
	s, err := l.strangers.get(ctx)
	if err != nil {
		return nil, err
	}
	vectors, err := s.place(ctx, texts)
	if err != nil {
		return nil, err
	}
	return l.rank(ctx, l.ranker, vectors, asked, k)
}

func (l *loaded) similar(ctx context.Context, id string, k int) ([]Recommendation, error) {
	i, err := l.item(id)
	if err != nil {
		return nil, err
	}
	if l.fitted != nil {
		history := []int32{i}
		lists, err := l.rankPeople(ctx, []model.Person{{History: history}}, []question{{history: history}}, k)
		return one(lists, err)
	}
	near := l.nearest()
	lists, err := l.rank(ctx, near.ranker, near.items.RowRange(int(i), int(i)+1), []question{{history: []int32{i}}}, k)
	if err != nil {
		return nil, err
	}
	return lists[0], nil
}

// rank scores a catalogue for each user vector, leaving out the items of each history.
func (l *loaded) rank(ctx context.Context, catalogue *serving.Catalogue, users *tensor.Matrix, asked []question, k int) ([][]Recommendation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	items, scores, err := catalogue.Rank(users, min(k, len(l.ds.Items)), func(n int) []int32 { return asked[n].history })
	if err != nil {
		return nil, err
	}
	return l.lists(ctx, asked, items, scores)
}

// lists makes the recommendations of ranked items, with their reasons.
func (l *loaded) lists(ctx context.Context, asked []question, items [][]int32, scores [][]float32) ([][]Recommendation, error) {
	lists := make([][]Recommendation, len(asked))
	for n, q := range asked {
		lists[n] = make([]Recommendation, 0, len(items[n]))
		explain, err := l.explained(q)
		if err != nil {
			return nil, err
		}
		for j, i := range items[n] {
			if math.IsInf(float64(scores[n][j]), -1) {
				break
			}
			var shares []model.Share
			if explain != nil {
				shares = explain(i)
			}
			because, err := l.reasons.because(ctx, i, q, carried(shares))
			if err != nil {
				return nil, err
			}
			one := Recommendation{Rank: j + 1, Item: l.ds.Items[i].ID, Title: l.ds.Items[i].Title, Score: float64(scores[n][j]), Because: because}
			if l.explain != nil {
				one.Parts = l.partsOf(shares)
			}
			lists[n] = append(lists[n], one)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return lists, nil
}
