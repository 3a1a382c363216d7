package mllmrec

import (
	"context"
	"fmt"
	"sync"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/pipeline"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// towers places people never seen: preference text → vector (Eq. 13) → user tower
// (Eq. 14).
type towers struct {
	encoder encoder.Encoder
	users   model.Placer
	write   func() (pipeline.PreferenceWriter, error) // made when first needed
}

func (r *Recommender) loadTowers() (*towers, error) {
	users, err := train.Restore(r.pipe.RunPath(r.run.ID, workspace.RunModelFile))
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", r.run.ID, err)
	}
	enc, err := r.pipe.OpenEncoder(context.Background())
	if err != nil {
		return nil, err
	}
	return &towers{encoder: enc, users: users, write: sync.OnceValues(func() (pipeline.PreferenceWriter, error) {
		return r.pipe.PreferenceWriter(context.Background(), r.ds)
	})}, nil
}

// preference writes a preference text from items, by the author of the workspace's own.
func (t *towers) preference(ctx context.Context, items []int32) (string, error) {
	write, err := t.write()
	if err != nil {
		return "", err
	}
	return write(ctx, items)
}

// place turns a preference text into a user vector.
func (t *towers) place(ctx context.Context, text string) ([]float32, error) {
	v, err := t.encoder.Encode(ctx, []string{text})
	if err != nil {
		return nil, fmt.Errorf("encode the preference: %w", err)
	}
	if isZero(v.Row(0)) {
		return nil, usererr.New("Say it with words that the catalogue uses.", "no word of the text occurs in the catalogue")
	}
	u, err := t.users.Place(v)
	if err != nil {
		return nil, err
	}
	return u.Row(0), nil
}

func isZero(row []float32) bool {
	for _, x := range row {
		if x != 0 {
			return false
		}
	}
	return true
}
