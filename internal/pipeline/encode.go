package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/encoder/cache"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

const (
	lsaFile        = "features/lsa.safetensors"
	vectorCacheDir = "features/cache"
	cacheBlock     = 256 // texts encoded between two writes: what a kill can lose
)

// itemFields are what an item's text is joined from.
var itemFields = []string{"title", "brand", "categories", "description", "image description"}

// EncoderInfo is features/encoder.json: what made the vectors, and how to open it
// again. Equal vectors have equal files: times and cache counts are in the manifest.
type EncoderInfo struct {
	Encoder     string         `json:"encoder"`
	ID          string         `json:"id"`                // of the encoder of item texts
	UserID      string         `json:"user_id,omitempty"` // of that of preferences
	Dim         int            `json:"dim"`
	Folds       int            `json:"folds"`
	Options     EncodeOptions  `json:"options"`
	Items       cache.Manifest `json:"items"`
	Preferences cache.Manifest `json:"preferences"`
}

// Encode turns item and preference texts into vectors (Eq. 5, 13).
func (p *Pipeline) Encode(ctx context.Context, opt EncodeOptions) error {
	if err := errors.Join(p.refuseForeign("encode"), opt.Check()); err != nil {
		return err
	}
	reasoned, err := p.require(workspace.StageReason, "reason")
	if err != nil {
		return err
	}
	opt, enc, err := opt.Settle()
	if err != nil {
		return err
	}
	id := ""
	if enc != nil {
		id = enc.ID()
	}
	options := opt.Record(id)
	if p.fresh(workspace.StageEncode, options) {
		return p.skipped(workspace.StageEncode)
	}
	e := &encoding{p: p, opt: opt, start: time.Now(), info: EncoderInfo{Encoder: opt.Encoder, Options: opt}}
	items, users, err := p.texts()
	if err != nil {
		return err
	}
	if err := e.run(ctx, enc, items, users); err != nil {
		return err
	}
	if err := writeJSON(p.WS.Path(workspace.EncoderFile), e.info); err != nil {
		return err
	}
	err = p.record(workspace.StageEncode, options, e.start, append(e.files, workspace.EncoderFile), workspace.Stage{
		Leaky: reasoned.Leaky, Provenance: reasoned.Provenance, Info: e.report()})
	if err != nil {
		return err
	}
	if w := e.warning(); w != "" {
		p.emit(Event{Stage: workspace.StageEncode, Message: "warning: " + w, End: true})
	}
	p.done(workspace.StageEncode, e.start, "%d item and %d preference texts to %d dimensions by %s%s",
		len(items), len(users)*len(users[0]), e.info.Dim, nameOf(e.info.ID), e.reused())
	return nil
}

// texts returns the item texts, and the preference texts: full first, then fold by fold.
func (p *Pipeline) texts() (items []string, users [][]string, err error) {
	its, err := p.WS.ItemTexts()
	if err != nil {
		return nil, nil, err
	}
	for _, t := range its {
		items = append(items, t.Text)
	}
	uts, err := p.WS.UserTexts()
	if err != nil {
		return nil, nil, err
	}
	ds, err := p.WS.Dataset()
	if err != nil {
		return nil, nil, err
	}
	full, blind, err := texts.Preferences(uts, ds.UserIDs)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", workspace.UserTextsFile, err)
	}
	return items, append([][]string{full}, blind...), nil
}

// OpenEncoder returns the encoder that made the workspace's preference vectors, for a
// sentence at request time. A model or server that has changed since is an error: its
// vectors would be compared with those of another.
func (p *Pipeline) OpenEncoder(ctx context.Context) (encoder.Encoder, error) {
	raw, err := os.ReadFile(p.WS.Path(workspace.EncoderFile))
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("the workspace's vectors have no encoder of ours: %w", err),
			"Vectors that were imported can't place a new text; encode the workspace's own texts with 'mllmrec encode'.")
	}
	var info EncoderInfo
	if err := json.Unmarshal(raw, &info); err != nil {
		return nil, fmt.Errorf("read %s: %w", workspace.EncoderFile, err)
	}
	enc, err := p.reopen(ctx, info)
	if err != nil {
		return nil, fmt.Errorf("open the workspace's encoder: %w", err)
	}
	want := info.UserID
	if want == "" {
		want = info.ID
	}
	if enc.ID() != want {
		return nil, usererr.New("Bring back the encoder of before, or encode again: mllmrec encode "+p.WS.Dir()+" --force",
			"the encoder has changed since the workspace's vectors were made: it is now %s, they are by %s", enc.ID(), want)
	}
	return enc, nil
}

func (p *Pipeline) reopen(ctx context.Context, info EncoderInfo) (encoder.Encoder, error) {
	info.Options.Encoder = info.Encoder
	if err := info.Options.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", workspace.EncoderFile, err)
	}
	return encoder.Open(ctx, info.Options, info.Options.UserPrefix, p.WS.Path(lsaFile))
}

// Features loads the vectors: items, users, and the users' blind ones by fold.
func (p *Pipeline) Features() (items, users *tensor.Matrix, folds []*tensor.Matrix, err error) {
	st, err := p.require(workspace.StageEncode, "encode")
	if err != nil {
		return nil, nil, nil, err
	}
	if items, err = arrayfile.ReadNPY(p.WS.Path(workspace.ItemFeaturesFile)); err != nil {
		return nil, nil, nil, err
	}
	if _, ok := st.Outputs[workspace.UserFeaturesFile]; ok {
		if users, err = arrayfile.ReadNPY(p.WS.Path(workspace.UserFeaturesFile)); err != nil {
			return nil, nil, nil, err
		}
	}
	for fold := 0; ; fold++ {
		if _, ok := st.Outputs[workspace.FoldFeaturesFile(fold)]; !ok {
			return items, users, folds, nil
		}
		m, err := arrayfile.ReadNPY(p.WS.Path(workspace.FoldFeaturesFile(fold)))
		if err != nil {
			return nil, nil, nil, err
		}
		folds = append(folds, m)
	}
}

// record stores a finished stage in the manifest.
func (p *Pipeline) record(stage string, options map[string]string, start time.Time, files []string, st workspace.Stage) error {
	st.InputHash = p.inputHash(stage, options)
	st.Options = options
	st.Finished = time.Now().UTC()
	st.Seconds = time.Since(start).Seconds()
	st.Outputs = map[string]string{}
	for _, f := range files {
		st.Outputs[f] = "" // hashed by RecordStage
	}
	return p.WS.RecordStage(stage, st)
}

func (p *Pipeline) skipped(stage string) error {
	p.emit(Event{Stage: stage, Message: "fresh, skipped", End: true})
	return nil
}

func writeJSON(path string, v any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	})
}
