package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/mllmrec/mllmrec/encoder"
	"github.com/mllmrec/mllmrec/encoder/lsa"
	"github.com/mllmrec/mllmrec/internal/arrayfile"
	"github.com/mllmrec/mllmrec/internal/atomicfile"
	"github.com/mllmrec/mllmrec/internal/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/reason"
	"github.com/mllmrec/mllmrec/workspace"
)

const lsaFile = "features/lsa.safetensors"

// EncodeOptions says which encoder turns texts into vectors.
type EncodeOptions struct {
	Encoder string // "lsa"
	Dim     int    // LSA: number of dimensions, 384 by default
	Seed    uint64 // LSA: of the randomized SVD
}

func (o EncodeOptions) record() map[string]string {
	return map[string]string{"encoder": o.Encoder, "dim": strconv.Itoa(o.Dim), "seed": strconv.FormatUint(o.Seed, 10)}
}

// EncoderInfo is features/encoder.json: what made the vectors.
type EncoderInfo struct {
	Encoder string `json:"encoder"`
	ID      string `json:"id"`
	Dim     int    `json:"dim"`
	Fields  string `json:"fields"` // what was joined into an item's text
	Folds   int    `json:"folds"`
}

// Encode turns item and preference texts into vectors (Eq. 5, 13).
func (p *Pipeline) Encode(ctx context.Context, opt EncodeOptions) error {
	if err := p.refuseForeign("encode"); err != nil {
		return err
	}
	reasoned, err := p.require(workspace.StageReason, "reason")
	if err != nil {
		return err
	}
	if p.fresh(workspace.StageEncode, opt.record()) {
		return p.skipped(workspace.StageEncode)
	}
	start := time.Now()
	items, users, err := p.texts()
	if err != nil {
		return err
	}
	p.emit(Event{Stage: workspace.StageEncode, Message: fmt.Sprintf("fitting %s on %d item texts", opt.Encoder, len(items))})
	enc, files, err := p.fitEncoder(ctx, opt, items)
	if err != nil {
		return err
	}
	x, err := enc.Encode(ctx, items)
	if err != nil {
		return fmt.Errorf("encode item texts: %w", err)
	}
	if err := p.writeMatrix(workspace.ItemFeaturesFile, x); err != nil {
		return err
	}
	files = append(files, workspace.ItemFeaturesFile)
	folds := 0
	for fold, texts := range users {
		p.emit(Event{Stage: workspace.StageEncode, Message: fmt.Sprintf("%d preference texts", len(texts)), Done: fold, Total: len(users), Elapsed: time.Since(start)})
		v, err := enc.Encode(ctx, texts)
		if err != nil {
			return fmt.Errorf("encode preference texts: %w", err)
		}
		name := workspace.UserFeaturesFile
		if fold > 0 {
			name, folds = workspace.FoldFeaturesFile(fold-1), fold
		}
		if err := p.writeMatrix(name, v); err != nil {
			return err
		}
		files = append(files, name)
	}
	info := EncoderInfo{Encoder: opt.Encoder, ID: enc.ID(), Dim: enc.Dim(), Folds: folds,
		Fields: "title, brand, categories, description, image description"}
	if err := writeJSON(p.WS.Path(workspace.EncoderFile), info); err != nil {
		return err
	}
	err = p.record(workspace.StageEncode, opt.record(), start, append(files, workspace.EncoderFile), workspace.Stage{
		Leaky: reasoned.Leaky, Provenance: reasoned.Provenance,
		Info: map[string]any{"encoder": enc.ID(), "dim": enc.Dim(), "folds": folds},
	})
	if err != nil {
		return err
	}
	p.done(workspace.StageEncode, start, "%d item and %d preference texts to %d dimensions by %s", len(items), len(users)*len(users[0]), enc.Dim(), nameOf(enc.ID()))
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
	full, blind, err := reason.Preferences(uts, ds.UserIDs)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", workspace.UserTextsFile, err)
	}
	return items, append([][]string{full}, blind...), nil
}

// fitEncoder makes the encoder and lists the files it was stored in.
func (p *Pipeline) fitEncoder(ctx context.Context, opt EncodeOptions, items []string) (encoder.Encoder, []string, error) {
	switch opt.Encoder {
	case "lsa":
		m, err := lsa.Fit(ctx, items, lsa.Options{Dim: opt.Dim, Seed: opt.Seed})
		if err != nil {
			return nil, nil, fmt.Errorf("fit LSA: %w", err)
		}
		path, err := p.fileFor(lsaFile)
		if err != nil {
			return nil, nil, err
		}
		if err := m.Save(path); err != nil {
			return nil, nil, err
		}
		return m, []string{lsaFile}, nil
	}
	return nil, nil, usererr.New("Known encoders: lsa.", "unknown encoder %q", opt.Encoder)
}

// OpenEncoder returns the encoder that made the workspace's vectors, for a sentence
// at request time.
func (p *Pipeline) OpenEncoder() (encoder.Encoder, error) {
	raw, err := os.ReadFile(p.WS.Path(workspace.EncoderFile))
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("the workspace's vectors have no encoder of ours: %w", err),
			"Vectors that were imported can't place a new text; encode the workspace's own texts with 'mllmrec encode'.")
	}
	var info EncoderInfo
	if err := json.Unmarshal(raw, &info); err != nil {
		return nil, fmt.Errorf("read %s: %w", workspace.EncoderFile, err)
	}
	switch info.Encoder {
	case "lsa":
		return lsa.Load(p.WS.Path(lsaFile))
	}
	return nil, fmt.Errorf("%s names an unknown encoder %q", workspace.EncoderFile, info.Encoder)
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
