package mllmrec

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/serving"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// rankPeople scores the catalogue for people by a fitted model, leaving out the items of each
// history.
func (l *loaded) rankPeople(ctx context.Context, people []model.Person, asked []question, k int) ([][]Recommendation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for n := range people {
		asked[n].person = people[n]
	}
	items, scores, err := serving.RankScores(len(people), l.fitted.Items(), min(k, len(l.ds.Items)), func(lo, hi int, dst *tensor.Matrix) error {
		return l.fitted.Ranker.Score(people[lo:hi], dst)
	}, func(n int) []int32 { return asked[n].history })
	if err != nil {
		return nil, err
	}
	return l.lists(ctx, asked, items, scores)
}

// strangersOf makes people of the histories of those never seen. Where the model reads
// preferences, one is written from each history and encoded.
func (l *loaded) strangersOf(ctx context.Context, asked []question) ([]model.Person, error) {
	people := make([]model.Person, len(asked))
	for n, q := range asked {
		people[n].History = q.history
	}
	if l.input(workspace.KindUserVectors) == "" {
		if l.writer != "" {
			return nil, usererr.New("Open the run without a writer, or one of a model that reads preference texts.",
				"writer %q has no effect: model %s scores people by the items they chose, and no preference is written", l.writer, l.run.Model)
		}
		return people, nil
	}
	texts, err := l.written(ctx, asked)
	if err != nil {
		return nil, err
	}
	return people, l.encodeInto(ctx, people, texts)
}

// speakers makes people of sentences.
func (l *loaded) speakers(ctx context.Context, texts []string) ([]model.Person, error) {
	if l.input(workspace.KindUserVectors) == "" {
		return nil, usererr.New("Ask by items chosen, or name a run of a model that reads preference texts.",
			"model %s knows people by the items they chose only, and reads no sentences", l.run.Model)
	}
	people := make([]model.Person, len(texts))
	return people, l.encodeInto(ctx, people, texts)
}

// encodeInto gives people the vectors of their texts, by the encoder of the run's preferences.
func (l *loaded) encodeInto(ctx context.Context, people []model.Person, texts []string) error {
	enc, err := l.encoders.get(ctx)
	if err != nil {
		return err
	}
	v, err := enc.Encode(ctx, texts)
	if err != nil {
		return fmt.Errorf("encode the preference: %w", err)
	}
	for n := range people {
		if people[n].Preference = v.Row(n); tensor.Norm2(people[n].Preference) == 0 && len(people[n].History) == 0 {
			return usererr.New("Say it with words that the catalogue uses.", "no word of the text occurs in the catalogue")
		}
	}
	return nil
}

// loadEncoder opens the encoder of the run's preferences.
func (l *loaded) loadEncoder(ctx context.Context) (encoder.Encoder, error) {
	return encoding.Open(ctx, l.session, l.input(workspace.KindUserVectors))
}
