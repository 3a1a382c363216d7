package mllmrec

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// strangers places people never seen: preference text → vector (Eq. 13) → user tower
// (Eq. 14). It is restored from the run's weights and its encoder alone: no graph, no
// training inputs.
type strangers struct {
	encoder encoder.Encoder
	placer  model.Placer
}

// writer writes a preference text from item rows, oldest first.
type writer = reasoning.Writer

func (l *loaded) loadStrangers(ctx context.Context) (*strangers, error) {
	ws := l.session.WS
	weights, err := ws.OpenFile(l.address, workspace.RunModelFile)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	placer, err := train.Restore(weights)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", l.run.ID, err)
	}
	vectors := l.input(workspace.KindUserVectors)
	if vectors == "" {
		return nil, usererr.New("Train again: the vectors that the run was made from were overwritten before this version.", "the encoder of run %s is not known", l.run.ID)
	}
	enc, err := encoding.Open(ctx, l.session, vectors)
	if err != nil {
		return nil, err
	}
	return &strangers{encoder: enc, placer: placer}, nil
}

// placesHistories reports whether the run's model places people by the items they chose, with no
// preference written in between.
func (l *loaded) placesHistories() bool {
	spec, err := model.Lookup(l.run.Model)
	return err == nil && spec.RestoreHistories != nil
}

// loadHistories restores what places histories from the run's weights alone.
func (l *loaded) loadHistories(context.Context) (model.HistoryPlacer, error) {
	if l.writer != "" {
		return nil, usererr.New("Open the run without a writer, or one of a model that reads preference texts.",
			"writer %q has no effect: model %s places people by the items they chose, and no preference is written", l.writer, l.run.Model)
	}
	weights, err := l.session.WS.OpenFile(l.address, workspace.RunModelFile)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	placer, err := train.RestoreHistories(weights)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", l.run.ID, err)
	}
	return placer, nil
}

// loadWriter returns whoever wrote the preferences of the run, or whom Open named.
func (l *loaded) loadWriter(ctx context.Context) (writer, error) {
	ws := l.session.WS
	vectors, _ := ws.Artefact(l.input(workspace.KindUserVectors))
	return reasoning.WriterOf(ctx, l.session, vectors.Inputs[workspace.KindUserTexts].Address, l.writer)
}

// place turns preference texts into user vectors.
func (s *strangers) place(ctx context.Context, texts []string) (*tensor.Matrix, error) {
	v, err := s.encoder.Encode(ctx, texts)
	if err != nil {
		return nil, fmt.Errorf("encode the preference: %w", err)
	}
	for n := range texts {
		if tensor.Norm2(v.Row(n)) == 0 {
			return nil, usererr.New("Say it with words that the catalogue uses.", "no word of the text occurs in the catalogue")
		}
	}
	return s.placer.Place(v)
}
