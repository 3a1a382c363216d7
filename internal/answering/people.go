package answering

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/serving"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Placed is people whom the run's model can score items for.
type Placed struct {
	e       *Engine
	Askers  []Asker
	Texts   []string // preferences that were read for them; "" where none was written or given
	people  []model.Person
	said    []bool       // who said themselves what they like, beside having chosen items
	hears   model.Ranker // scores those
	vectors *tensor.Matrix
}

// Place places people. Where the model reads preferences and an asker is neither a user of the data set nor says anything, one is
// written from the history, by whoever wrote those of the run. The place of one does not depend on the others.
func (e *Engine) Place(ctx context.Context, askers []Asker) (*Placed, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, a := range askers {
		if err := a.check(); err != nil {
			return nil, err
		}
	}
	p := &Placed{e: e, Askers: askers, Texts: make([]string, len(askers))}
	if e.fitted != nil {
		return p, e.placeFitted(ctx, p)
	}
	return p, e.placeVectors(ctx, p)
}

// ReadsPreferences reports whether the run's model knows people by preference texts, so that a sentence can be placed.
func (e *Engine) ReadsPreferences() bool {
	if e.fitted != nil {
		return e.input(workspace.KindUserVectors) != ""
	}
	spec, err := model.Lookup(e.Run.Model)
	return err == nil && spec.Restore != nil && e.input(workspace.KindUserVectors) != ""
}

// PlacesHistories reports whether the run's model places people by the items they chose, with no preference written in between.
func (e *Engine) PlacesHistories() bool {
	if e.fitted != nil {
		return true
	}
	spec, err := model.Lookup(e.Run.Model)
	return err == nil && spec.RestoreHistories != nil
}

// placeFitted makes people of those who ask a fitted model, which scores people by histories and preferences.
func (e *Engine) placeFitted(ctx context.Context, p *Placed) error {
	p.people, p.said = make([]model.Person, len(p.Askers)), make([]bool, len(p.Askers))
	var write, encode []int // who needs it
	for n, a := range p.Askers {
		if a.User >= 0 && a.Text == "" && slices.Equal(a.History, e.Train.Items(int(a.User))) {
			p.people[n] = e.fitted.Person(int(a.User))
			continue
		}
		p.people[n].History = a.History
		switch {
		case a.Text != "":
			if e.input(workspace.KindUserVectors) == "" {
				return usererr.New("Ask by items chosen, or name a run of a model that reads preference texts.",
					"model %s knows people by the items they chose only, and reads no sentences", e.Run.Model)
			}
			p.Texts[n] = a.Text
			encode = append(encode, n)
			if p.said[n] = len(a.History) > 0; p.said[n] && p.hears == nil {
				var err error
				if p.hears, err = e.listener.get(ctx); err != nil {
					return err
				}
			}
		case a.User >= 0:
			p.people[n].Preference = e.fitted.Person(int(a.User)).Preference
		default:
			write = append(write, n)
		}
	}
	if len(write) > 0 {
		if e.input(workspace.KindUserVectors) != "" {
			if err := e.write(ctx, p, write); err != nil {
				return err
			}
			encode = append(encode, write...)
		} else if e.writer != "" {
			return usererr.New("Open the run without a writer, or one of a model that reads preference texts.",
				"writer %q has no effect: model %s scores people by the items they chose, and no preference is written", e.writer, e.Run.Model)
		}
	}
	return e.encodeInto(ctx, p, encode)
}

// encodeInto gives people the vectors of their texts, by the encoder of the run's preferences.
func (e *Engine) encodeInto(ctx context.Context, p *Placed, which []int) error {
	if len(which) == 0 {
		return nil
	}
	v, err := e.encode(ctx, p, which)
	if err != nil {
		return err
	}
	for row, n := range which {
		if p.people[n].Preference = v.Row(row); tensor.Norm2(v.Row(row)) == 0 && len(p.people[n].History) == 0 {
			return noWord()
		}
	}
	return nil
}

func noWord() error {
	return usererr.New("Say it with words that the catalogue uses.", "no word of the text occurs in the catalogue")
}

// encode returns the vectors of the texts of some people.
func (e *Engine) encode(ctx context.Context, p *Placed, which []int) (*tensor.Matrix, error) {
	enc, err := e.encoders.get(ctx)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(which))
	for row, n := range which {
		texts[row] = p.Texts[n]
	}
	v, err := enc.Encode(ctx, texts)
	if err != nil {
		return nil, fmt.Errorf("encode the preference: %w", err)
	}
	return v, nil
}

// placeVectors gives people vectors of the model's user side.
func (e *Engine) placeVectors(ctx context.Context, p *Placed) error {
	p.vectors = tensor.New(len(p.Askers), e.users.Cols)
	var write, say, chose []int // who is placed by what
	for n, a := range p.Askers {
		changed := a.User >= 0 && !slices.Equal(a.History, e.Train.Items(int(a.User)))
		switch {
		case a.Text != "":
			p.Texts[n] = a.Text
			say = append(say, n)
		case e.PlacesHistories() && len(a.History) > 0 && (changed || a.User < 0):
			chose = append(chose, n)
		case a.User >= 0:
			copy(p.vectors.Row(n), e.users.Row(int(a.User)))
		default:
			write = append(write, n)
		}
	}
	if len(write) > 0 {
		if _, err := e.placers.get(ctx); err != nil { // what can be found wrong before a model is asked
			return err
		}
		if _, err := e.encoders.get(ctx); err != nil {
			return err
		}
		if err := e.write(ctx, p, write); err != nil {
			return err
		}
	}
	if err := e.placeTexts(ctx, p, append(say, write...)); err != nil {
		return err
	}
	return e.placeHistories(ctx, p, chose)
}

// placeTexts places people by their texts: preference text → vector (Eq. 13) → user side (Eq. 14).
func (e *Engine) placeTexts(ctx context.Context, p *Placed, which []int) error {
	if len(which) == 0 {
		return nil
	}
	placer, err := e.placers.get(ctx)
	if err != nil {
		return err
	}
	v, err := e.encode(ctx, p, which)
	if err != nil {
		return err
	}
	for row := range which {
		if tensor.Norm2(v.Row(row)) == 0 {
			return noWord()
		}
	}
	return p.scatter(which)(placer.Place(v))
}

// placeHistories places people by the items they chose.
func (e *Engine) placeHistories(ctx context.Context, p *Placed, which []int) error {
	if len(which) == 0 {
		return nil
	}
	placer, err := e.histories.get(ctx)
	if err != nil {
		return err
	}
	histories := make([][]int32, len(which))
	for row, n := range which {
		histories[row] = p.Askers[n].History
	}
	return p.scatter(which)(placer.PlaceHistories(histories))
}

// scatter takes the rows of a matrix, one for each of some people, as their vectors.
func (p *Placed) scatter(which []int) func(*tensor.Matrix, error) error {
	return func(v *tensor.Matrix, err error) error {
		if err != nil {
			return err
		}
		for row, n := range which {
			copy(p.vectors.Row(n), v.Row(row))
		}
		return nil
	}
}

// write has preferences written from the items that people chose.
func (e *Engine) write(ctx context.Context, p *Placed, which []int) error {
	write, err := e.writers.get(ctx)
	if err != nil {
		return err
	}
	for _, n := range which {
		if p.Texts[n], err = write(ctx, p.Askers[n].History); err != nil {
			return err
		}
	}
	return nil
}

// rankerOf is who scores a person: where they said themselves what they like, one that listens.
func (p *Placed) rankerOf(n int) model.Ranker {
	if p.hears != nil && p.said[n] {
		return p.hears
	}
	return p.e.fitted.Ranker
}

// Items returns the size of the catalogue.
func (e *Engine) Items() int { return e.Data.NumItems() }

// Score writes the scores of people lo to hi, exclusive, to the rows of dst, a (hi-lo)×catalogue matrix with arbitrary content.
func (p *Placed) Score(lo, hi int, dst *tensor.Matrix) error {
	if p.hears != nil {
		for n := lo; n < hi; n++ {
			if err := p.rankerOf(n).Score(p.people[n:n+1], dst.RowRange(n-lo, n-lo+1)); err != nil {
				return err
			}
		}
		return nil
	}
	if p.people != nil {
		return p.e.fitted.Ranker.Score(p.people[lo:hi], dst)
	}
	return p.e.ranker.Score(p.vectors.RowRange(lo, hi), dst)
}

// List is a ranked list of items.
type List struct {
	Items  []int32
	Scores []float32
}

// Rank returns for each person the k best items, best first, less those that skip names (nil: their history).
func (p *Placed) Rank(ctx context.Context, k int, skip func(n int) []int32) ([]List, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if skip == nil {
		skip = func(n int) []int32 { return p.Askers[n].History }
	}
	items, scores, err := serving.RankScores(len(p.Askers), p.e.Items(), min(k, p.e.Items()), p.Score, skip)
	if err != nil {
		return nil, err
	}
	return listsOf(items, scores), nil
}

// listsOf cuts lists off where what was left out begins.
func listsOf(items [][]int32, scores [][]float32) []List {
	lists := make([]List, len(items))
	for n := range items {
		end := slices.IndexFunc(scores[n], func(s float32) bool { return math.IsInf(float64(s), -1) })
		if end < 0 {
			end = len(items[n])
		}
		lists[n] = List{items[n][:end], scores[n][:end]}
	}
	return lists
}

// Explain returns what takes the scores of a person apart into shares that sum to them; nil where the model's score is one product
// of two vectors.
func (p *Placed) Explain(n int) (func(item int32) []model.Share, error) {
	if p.people == nil {
		return nil, nil
	}
	if x, ok := p.rankerOf(n).(model.Explainer); ok {
		return x.Explain(p.people[n])
	}
	return nil, nil
}

// Explains reports whether scores of the run can be taken apart.
func (e *Engine) Explains() bool {
	if e.fitted == nil {
		return false
	}
	_, ok := e.fitted.Ranker.(model.Explainer)
	return ok
}

// loadEncoder opens the encoder of the run's preferences.
func (e *Engine) loadEncoder(ctx context.Context) (encoder.Encoder, error) {
	vectors := e.input(workspace.KindUserVectors)
	if vectors == "" {
		return nil, usererr.New("Train again: the vectors that the run was made from were overwritten before this version.", "the encoder of run %s is not known", e.Run.ID)
	}
	return encoding.Open(ctx, e.session, vectors)
}

// loadPlacer restores what places people by preference vectors from the run's weights alone: no graph, no training inputs.
func (e *Engine) loadPlacer(context.Context) (model.Placer, error) {
	weights, err := e.session.WS.OpenFile(e.Address, workspace.RunModelFile)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	placer, err := train.Restore(weights)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", e.Run.ID, err)
	}
	return placer, nil
}

// loadHistories restores what places histories from the run's weights alone.
func (e *Engine) loadHistories(context.Context) (model.HistoryPlacer, error) {
	if e.writer != "" {
		return nil, usererr.New("Open the run without a writer, or one of a model that reads preference texts.",
			"writer %q has no effect: model %s places people by the items they chose, and no preference is written", e.writer, e.Run.Model)
	}
	weights, err := e.session.WS.OpenFile(e.Address, workspace.RunModelFile)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	placer, err := train.RestoreHistories(weights)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", e.Run.ID, err)
	}
	return placer, nil
}

// writer writes a preference text from item rows, oldest first.
type writer = reasoning.Writer

// loadWriter returns whoever wrote the preferences of the run, or whom the options named.
func (e *Engine) loadWriter(ctx context.Context) (writer, error) {
	return e.WriterOf(ctx, e.writer)
}

// WriterOf opens who writes preferences: mllm, or, where it is empty, whoever wrote those of the run.
func (e *Engine) WriterOf(ctx context.Context, mllm string) (func(ctx context.Context, items []int32) (string, error), error) {
	vectors, _ := e.session.WS.Artefact(e.input(workspace.KindUserVectors))
	return reasoning.WriterOf(ctx, e.session, vectors.Inputs[workspace.KindUserTexts].Address, mllm)
}

// loadItemSide opens the encoder of the items' texts.
func (e *Engine) loadItemSide(ctx context.Context) (encoder.Encoder, error) {
	vectors := e.input(workspace.KindItemVectors)
	if vectors == "" {
		return nil, usererr.New("Train a run of a model that reads the items' texts.", "run %s was made without vectors of the items' texts", e.Run.ID)
	}
	return encoding.OpenItems(ctx, e.session, vectors)
}

// loadListener makes the ranker of those who said themselves what they like; the run's own where its model cannot be told to listen.
func (e *Engine) loadListener(context.Context) (model.Ranker, error) {
	s, ok := e.fitted.Ranker.(model.Sayable)
	if !ok {
		return e.fitted.Ranker, nil
	}
	items, err := e.session.Matrix(e.input(workspace.KindItemVectors), workspace.ItemVectorsFile)
	if err != nil {
		return nil, err
	}
	return s.Listening(items), nil
}
