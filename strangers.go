package mllmrec

import (
	"context"
	"fmt"
	"sync"

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
	write   func() (reasoning.Writer, error) // made when first needed
}

func (r *Recommender) loadStrangers() (*strangers, error) {
	ws := r.session.WS
	weights, err := ws.FilePath(r.address, workspace.RunModelFile)
	if err != nil {
		return nil, err
	}
	placer, err := train.Restore(weights)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", r.run.ID, err)
	}
	run, _ := ws.Artefact(r.address)
	vectors := run.Inputs[workspace.KindUserVectors].Address
	if vectors == "" {
		return nil, usererr.New("Train again: the vectors that the run was made from were overwritten before this version.", "the encoder of run %s is not known", r.run.ID)
	}
	enc, err := encoding.Open(context.Background(), ws, vectors)
	if err != nil {
		return nil, err
	}
	return &strangers{encoder: enc, placer: placer, write: sync.OnceValues(func() (reasoning.Writer, error) {
		made, _ := ws.Artefact(vectors)
		return reasoning.WriterOf(context.Background(), ws, made.Inputs[workspace.KindUserTexts].Address, r.writer)
	})}, nil
}

// preference writes a preference text from items, by whoever wrote those of the run.
func (s *strangers) preference(ctx context.Context, items []int32) (string, error) {
	write, err := s.write()
	if err != nil {
		return "", err
	}
	return write(ctx, items)
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
