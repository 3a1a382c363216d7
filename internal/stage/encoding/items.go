package encoding

import (
	"context"
	"errors"
	"fmt"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/encoder/lsa"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// itemStage makes item vectors (Eq. 5).
type itemStage struct{ *shared }

// Name implements stage.Stage.
func (*itemStage) Name() string { return workspace.StageEncode }

// Makes implements stage.Stage.
func (*itemStage) Makes() workspace.Kind { return workspace.KindItemVectors }

// Needs implements stage.Stage.
func (*itemStage) Needs() []stage.Need { return []stage.Need{{Kind: workspace.KindItemTexts}} }

// Settle implements stage.Stage.
func (s *itemStage) Settle(context.Context, *stage.Session, stage.Inputs) (stage.Spec, error) {
	if err := s.settle(); err != nil {
		return stage.Spec{}, err
	}
	return s.spec("items"), nil
}

// Build implements stage.Stage.
func (s *itemStage) Build(ctx context.Context, b *stage.Build) (err error) {
	written, err := b.WS.ItemTexts(b.Inputs.Address(workspace.KindItemTexts))
	if err != nil {
		return err
	}
	texts := make([]string, len(written))
	for i, t := range written {
		texts[i] = t.Text
	}
	w := &work{shared: s.shared, b: b}
	if s.enc == nil {
		if s.enc, err = w.itemEncoder(ctx, texts); err != nil {
			return err
		}
	}
	vectors, err := w.cached(s.enc)
	if err != nil {
		return err
	}
	if err := errors.Join(w.matrix(ctx, vectors, texts, "item texts", workspace.ItemVectorsFile), w.release(vectors)); err != nil {
		return err
	}
	m := describe(vectors, texts, itemFields)
	info := Info{Encoder: s.opt.Encoder, ID: s.enc.ID(), Dim: s.enc.Dim(), Options: s.opt, Items: m}
	b.Info = map[string]any{"encoder": info.ID, "dim": info.Dim, "items": *m}
	if !s.opt.SamePrefix() {
		s.enc = nil // let it go before that of the preferences is opened
	}
	return w.finish(info, "item", m)
}

// itemEncoder opens the encoder of item texts, or fits it on them.
func (w *work) itemEncoder(ctx context.Context, texts []string) (encoder.Encoder, error) {
	if w.opt.Encoder != encoder.LSA {
		return encoder.Open(ctx, w.opt, w.opt.ItemPrefix, nil)
	}
	w.b.Progress("fitting LSA on %d item texts", len(texts))
	m, err := lsa.Fit(ctx, texts, lsa.Options{Dim: w.opt.Dim, Seed: w.opt.Seed})
	if err != nil {
		return nil, fmt.Errorf("fit LSA: %w", err)
	}
	return m, m.Save(w.b.Path(workspace.LSAFile))
}
