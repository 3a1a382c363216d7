package encoding

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// userStage makes preference vectors (Eq. 13), full texts first, then those that are
// blind to a fold.
type userStage struct{ *shared }

// Name implements stage.Stage.
func (*userStage) Name() string { return workspace.StageEncode }

// Makes implements stage.Stage.
func (*userStage) Makes() workspace.Kind { return workspace.KindUserVectors }

// Needs implements stage.Stage. Preferences are encoded by the very encoder of the items.
func (*userStage) Needs() []stage.Need {
	return []stage.Need{
		{Kind: workspace.KindUserTexts},
		{Kind: workspace.KindItemVectors, Files: []string{workspace.EncoderFile, workspace.LSAFile}},
	}
}

// Settle implements stage.Stage.
func (s *userStage) Settle(context.Context, *stage.Session, stage.Inputs) (stage.Spec, error) {
	if err := s.settle(); err != nil {
		return stage.Spec{}, err
	}
	return s.spec("users"), nil
}

// Build implements stage.Stage.
func (s *userStage) Build(ctx context.Context, b *stage.Build) error {
	byFold, err := preferences(b)
	if err != nil {
		return err
	}
	enc, err := s.userEncoder(ctx, b)
	if err != nil {
		return err
	}
	s.enc = nil // nothing is encoded after this
	w := &work{shared: s.shared, b: b}
	vectors, err := w.cached(enc)
	if err != nil {
		return err
	}
	var all []string
	for fold, written := range byFold {
		what, name := "preference texts", workspace.UserVectorsFile
		if fold > 0 {
			what, name = fmt.Sprintf("preference texts of fold %d", fold), workspace.FoldVectorsFile(fold-1)
		}
		if err := w.matrix(ctx, vectors, written, what, name); err != nil {
			return errors.Join(err, w.release(vectors))
		}
		all = append(all, written...)
	}
	if err := w.release(vectors); err != nil {
		return err
	}
	items, err := Recorded(b.WS, b.Inputs.Address(workspace.KindItemVectors))
	if err != nil {
		return err
	}
	m := describe(vectors, all, []string{"preference"})
	info := Info{Encoder: s.opt.Encoder, ID: items.ID, UserID: enc.ID(), Dim: enc.Dim(), Folds: len(byFold) - 1, Options: s.opt, Preferences: m}
	b.Info = map[string]any{"encoder": info.ID, "dim": info.Dim, "folds": info.Folds, "preferences": *m}
	return w.finish(info, "preference", m)
}

// userEncoder returns the encoder of preferences: that of the items where one serves both.
func (s *userStage) userEncoder(ctx context.Context, b *stage.Build) (encoder.Encoder, error) {
	if s.enc != nil && s.opt.SamePrefix() {
		return s.enc, nil
	}
	s.enc = nil
	return encoder.Open(ctx, s.opt, s.opt.UserPrefix, func() (*os.File, error) {
		return b.WS.OpenFile(b.Inputs.Address(workspace.KindItemVectors), workspace.LSAFile)
	})
}

// preferences returns the texts, full ones first, then fold by fold.
func preferences(b *stage.Build) ([][]string, error) {
	address := b.Inputs.Address(workspace.KindUserTexts)
	written, err := b.WS.UserTexts(address)
	if err != nil {
		return nil, err
	}
	ds, err := b.Dataset()
	if err != nil {
		return nil, err
	}
	full, blind, err := texts.Preferences(written, ds.UserIDs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return append([][]string{full}, blind...), nil
}
