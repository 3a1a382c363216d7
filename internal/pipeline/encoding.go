package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/encoder/bert"
	"github.com/mllmrec/mllmrec/internal/encoder/cache"
	"github.com/mllmrec/mllmrec/internal/encoder/lsa"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// encoding is one run of the encode stage.
type encoding struct {
	p     *Pipeline
	opt   EncodeOptions
	start time.Time
	files []string // written so far
	info  EncoderInfo
	stats cache.Stats
	what  string    // is being encoded
	since time.Time // when that began
}

// run encodes the item texts and then the preferences, full first, then fold by fold.
// enc is the encoder of item texts when it is open already. An encoder whose prefixes
// differ is opened a second time, after the first was let go.
func (e *encoding) run(ctx context.Context, enc encoder.Encoder, items []string, users [][]string) (err error) {
	if enc == nil {
		if enc, err = e.itemEncoder(ctx, items); err != nil {
			return err
		}
	}
	vectors, err := e.keep(enc)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.release(vectors)) }()
	if err := e.matrix(ctx, vectors, items, "item texts", workspace.ItemFeaturesFile); err != nil {
		return err
	}
	e.info.ID, e.info.Dim, e.info.Items = enc.ID(), enc.Dim(), manifest(vectors, items, itemFields)
	if !e.opt.SamePrefix() {
		first := vectors
		vectors = nil
		if err := e.release(first); err != nil {
			return err
		}
		if enc, err = encoder.Open(ctx, e.opt, e.opt.UserPrefix, ""); err != nil {
			return err
		}
		if vectors, err = e.keep(enc); err != nil {
			return err
		}
	}
	var all []string
	for fold, texts := range users {
		what, name := "preference texts", workspace.UserFeaturesFile
		if fold > 0 {
			what, name = fmt.Sprintf("preference texts of fold %d", fold), workspace.FoldFeaturesFile(fold-1)
		}
		if err := e.matrix(ctx, vectors, texts, what, name); err != nil {
			return err
		}
		all = append(all, texts...)
	}
	e.info.UserID, e.info.Folds, e.info.Preferences = enc.ID(), len(users)-1, manifest(vectors, all, []string{"preference"})
	return nil
}

// itemEncoder opens the encoder of item texts, or fits it on them.
func (e *encoding) itemEncoder(ctx context.Context, items []string) (encoder.Encoder, error) {
	if e.opt.Encoder != LSA {
		return encoder.Open(ctx, e.opt, e.opt.ItemPrefix, "")
	}
	e.p.emit(Event{Stage: workspace.StageEncode, Message: fmt.Sprintf("fitting LSA on %d item texts", len(items))})
	m, err := lsa.Fit(ctx, items, lsa.Options{Dim: e.opt.Dim, Seed: e.opt.Seed})
	if err != nil {
		return nil, fmt.Errorf("fit LSA: %w", err)
	}
	path, err := e.p.fileFor(lsaFile)
	if err != nil {
		return nil, err
	}
	if err := m.Save(path); err != nil {
		return nil, err
	}
	e.files = append(e.files, lsaFile)
	return m, nil
}

// keep puts the vector cache before an encoder. LSA needs none: it is as fast as
// reading, and each fit is another encoder.
func (e *encoding) keep(enc encoder.Encoder) (encoder.Encoder, error) {
	if e.opt.Encoder == LSA {
		return enc, nil
	}
	return cache.Open(e.p.WS.Path(vectorCacheDir), enc, cache.Options{Block: cacheBlock, Progress: func(done, total int) {
		e.p.emit(Event{Stage: workspace.StageEncode, Message: e.what, Done: done, Total: total, Elapsed: time.Since(e.since)})
	}})
}

// release closes the cache, if enc is one, and adds up its counts.
func (e *encoding) release(enc encoder.Encoder) error {
	c, ok := enc.(*cache.Cache)
	if !ok || c == nil {
		return nil
	}
	s := c.Stats()
	e.stats.Texts += s.Texts
	e.stats.Cached += s.Cached
	e.stats.Encoded += s.Encoded
	e.stats.Damaged += s.Damaged
	return c.Close()
}

// matrix encodes texts into a file of the workspace.
func (e *encoding) matrix(ctx context.Context, enc encoder.Encoder, texts []string, what, file string) error {
	e.what, e.since = what, time.Now()
	e.p.emit(Event{Stage: workspace.StageEncode, Message: fmt.Sprintf("%d %s", len(texts), what)})
	x, err := enc.Encode(ctx, texts)
	if err != nil {
		return fmt.Errorf("encode %s: %w", what, err)
	}
	if err := e.p.writeMatrix(file, x); err != nil {
		return err
	}
	e.files = append(e.files, file)
	return nil
}

// manifest describes vectors without what differs from run to run.
func manifest(enc encoder.Encoder, texts, fields []string) cache.Manifest {
	m := cache.Describe(enc, texts, fields)
	m.Created, m.Stats = time.Time{}, cache.Stats{}
	return m
}

// report is what the manifest and 'encode --json' say.
func (e *encoding) report() map[string]any {
	r := map[string]any{"encoder": e.info.ID, "dim": e.info.Dim, "folds": e.info.Folds,
		"items": e.info.Items, "preferences": e.info.Preferences}
	if e.opt.Encoder != LSA {
		r["cache"] = e.stats
	}
	if w := e.warning(); w != "" {
		r["warning"] = w
	}
	return r
}

// warning says which texts were not read to their end.
func (e *encoding) warning() string {
	var parts []string
	for _, x := range []struct {
		what string
		m    cache.Manifest
	}{{"item", e.info.Items}, {"preference", e.info.Preferences}} {
		if x.m.Long > 0 && x.m.LongMode == string(bert.Truncate) {
			parts = append(parts, fmt.Sprintf("%d of %d %s texts (%.1f %%)", x.m.Long, x.m.Texts, x.what, 100*float64(x.m.Long)/float64(x.m.Texts)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("%s have more than the %d tokens the model reads and were cut; --long mean (in run: --encoder-long mean) reads them whole",
		strings.Join(parts, " and "), e.info.Items.MaxTokens)
}

// reused says how many vectors were known already.
func (e *encoding) reused() string {
	if e.stats.Cached == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them known already", e.stats.Cached)
}

// cachedEncoder is OpenEncoder behind the vector cache, for many texts. The caller calls
// done.
func (p *Pipeline) cachedEncoder(ctx context.Context) (enc encoder.Encoder, done func() error, err error) {
	if enc, err = p.OpenEncoder(ctx); err != nil {
		return nil, nil, err
	}
	if _, fast := enc.(*lsa.Model); fast {
		return enc, func() error { return nil }, nil
	}
	c, err := cache.Open(p.WS.Path(vectorCacheDir), enc, cache.Options{Block: cacheBlock})
	if err != nil {
		return nil, nil, err
	}
	return c, c.Close, nil
}
