// Package encoding is the stage that turns texts into vectors of one space: those of the
// items, and by the same encoder those of the preferences.
package encoding

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/encoder/cache"
	"github.com/mllmrec/mllmrec/internal/encoder/sentence"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

const (
	cacheFolder = "features/cache"
	cacheBlock  = 256 // texts encoded between two writes: what a kill can lose
)

// itemFields are what an item's text is joined from.
var itemFields = []string{"title", "brand", "categories", "description", "image description"}

// Info is encoder.json: what made the vectors, and how to open it again. Equal vectors
// have equal files: times and cache counts are in the manifest.
type Info struct {
	Encoder     string          `json:"encoder"`
	ID          string          `json:"id"`                // of the encoder of item texts
	UserID      string          `json:"user_id,omitempty"` // of that of preferences
	Dim         int             `json:"dim"`
	Folds       int             `json:"folds"`
	Options     encoder.Options `json:"options"`
	Items       *cache.Manifest `json:"items,omitempty"`
	Preferences *cache.Manifest `json:"preferences,omitempty"`
}

// shared is what the two stages have in common: the options, settled once, and the
// encoder, opened once where it can serve both.
type shared struct {
	opt     encoder.Options
	settled bool
	enc     encoder.Encoder // of item texts, when it is open
	id      string          // of enc, where the options alone do not tell
	stats   cache.Stats     // of all that was encoded
	cut     []string        // which texts were longer than the model reads
}

// New returns the stages of item vectors and of preference vectors.
func New(opt encoder.Options) (items, users stage.Stage, err error) {
	if err := opt.Check(); err != nil {
		return nil, nil, err
	}
	s := &shared{opt: opt}
	return &itemStage{s}, &userStage{s}, nil
}

// settle fills in what the options leave to the encoder.
func (s *shared) settle() (err error) {
	if s.settled {
		return nil
	}
	if s.opt, s.enc, err = s.opt.Settle(); err != nil {
		return err
	}
	if s.enc != nil {
		s.id = s.enc.ID()
	}
	s.settled = true
	return nil
}

// spec names the vectors of one side.
func (s *shared) spec(side string) stage.Spec {
	name := side + "-" + s.opt.Encoder
	switch {
	case s.opt.Encoder == encoder.LSA:
		name += fmt.Sprintf("-d%d", s.opt.Dim)
	case s.opt.Model != "":
		name += "-" + workspace.Slug(lastPart(s.opt.Model))
	}
	return stage.Spec{Name: name, Options: s.opt.Record(s.id)}
}

// lastPart returns what follows the last slash: the model's name without its owner or
// folder.
func lastPart(model string) string {
	model = strings.TrimRight(strings.ReplaceAll(model, `\`, "/"), "/")
	return model[strings.LastIndexByte(model, '/')+1:]
}

// work encodes the texts of one artefact.
type work struct {
	*shared
	b     *stage.Build
	what  string    // is being encoded
	since time.Time // when that began
	stats cache.Stats
}

// cached puts the vector cache before an encoder. LSA needs none: it is as fast as
// reading, and each fit is another encoder.
func (w *work) cached(enc encoder.Encoder) (encoder.Encoder, error) {
	if w.opt.Encoder == encoder.LSA {
		return enc, nil
	}
	return openCache(w.b.WS, enc, cache.Options{Block: cacheBlock, Progress: func(done, total int) {
		w.b.Emit(stage.Event{Stage: w.b.Stage, Message: w.what, Done: done, Total: total, Elapsed: time.Since(w.since)})
	}})
}

func openCache(ws *workspace.Workspace, enc encoder.Encoder, opt cache.Options) (*cache.Cache, error) {
	if err := ws.MakeFolder(cacheFolder); err != nil {
		return nil, err
	}
	return cache.Open(ws.Path(cacheFolder), enc, opt)
}

// release closes the cache, if enc is one, and adds up its counts.
func (w *work) release(enc encoder.Encoder) error {
	c, ok := enc.(*cache.Cache)
	if !ok {
		return nil
	}
	for _, into := range []*cache.Stats{&w.stats, &w.shared.stats} {
		s := c.Stats()
		into.Texts += s.Texts
		into.Cached += s.Cached
		into.Encoded += s.Encoded
		into.Damaged += s.Damaged
	}
	return c.Close()
}

// matrix encodes texts into a file of the artefact.
func (w *work) matrix(ctx context.Context, enc encoder.Encoder, texts []string, what, file string) error {
	w.what, w.since = what, time.Now()
	w.b.Progress("%d %s", len(texts), what)
	x, err := enc.Encode(ctx, texts)
	if err != nil {
		return fmt.Errorf("encode %s: %w", what, err)
	}
	return arrayfile.WriteNPY(w.b.Path(file), x)
}

// describe says of vectors what does not differ from run to run.
func describe(enc encoder.Encoder, texts, fields []string) *cache.Manifest {
	m := cache.Describe(enc, texts, fields)
	m.Created, m.Stats = time.Time{}, cache.Stats{}
	return &m
}

// finish writes encoder.json and what the record says.
func (w *work) finish(info Info, what string, m *cache.Manifest) error {
	err := atomicfile.Write(w.b.Path(workspace.EncoderFile), func(out io.Writer) error {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(info)
	})
	if err != nil {
		return err
	}
	if w.opt.Encoder != encoder.LSA {
		w.b.Info[stage.InfoTimes] = map[string]any{"cache": w.shared.stats}
	}
	if m.Long > 0 && m.LongMode == string(sentence.Truncate) {
		w.cut = append(w.cut, fmt.Sprintf("%d of %d %s texts (%.1f %%)", m.Long, m.Texts, what, 100*float64(m.Long)/float64(m.Texts)))
		w.b.Note(w.b.Stage, "warning: %s", w.warning(w.cut[len(w.cut)-1:], m.MaxTokens))
		w.b.Info["warning"] = w.warning(w.cut, m.MaxTokens)
	}
	known := ""
	if w.stats.Cached > 0 {
		known = fmt.Sprintf(", %d of them known already", w.stats.Cached)
	}
	name, _, _ := strings.Cut(info.ID, " ")
	w.b.Done("%d %s texts to %d dimensions by %s%s", m.Texts, what, info.Dim, name, known)
	return nil
}

// warning says which texts were not read to their end, and what would.
func (w *work) warning(cut []string, tokens int) string {
	return fmt.Sprintf("%s have more than the %d tokens the model reads and were cut; %s mean reads them whole", strings.Join(cut, " and "), tokens, usererr.Option("encoder-long"))
}

// Recorded returns what made the vectors under an address; an error is [fs.ErrNotExist]
// where they were imported.
func Recorded(ws *workspace.Workspace, address string) (Info, error) {
	var info Info
	raw, err := ws.ReadFile(address, workspace.EncoderFile)
	if errors.Is(err, fs.ErrNotExist) {
		return info, usererr.Wrap(fmt.Errorf("the vectors have no encoder of ours: %w", err),
			"Vectors that were imported can't place a new text; encode the workspace's own texts.")
	}
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(raw, &info); err != nil {
		return info, usererr.WrapAs(usererr.KindDamaged, fmt.Errorf("read %s of %s: %w", workspace.EncoderFile, address, err), "Encode again.")
	}
	info.Options.Encoder = info.Encoder
	return info, nil
}

// Open returns the encoder that made the preference vectors under an address, for a
// sentence at request time. A model or server that has changed since is an error: its
// vectors would be compared with those of another.
func Open(ctx context.Context, s *stage.Session, address string) (encoder.Encoder, error) {
	a, _ := s.WS.Artefact(address)
	return open(ctx, s, address, a.Inputs[workspace.KindItemVectors].Address, func(i Info) (prefix *string, id string) {
		return i.Options.UserPrefix, cmp.Or(i.UserID, i.ID)
	})
}

// OpenItems is Open for item vectors: the encoder is that of the items' texts.
func OpenItems(ctx context.Context, s *stage.Session, address string) (encoder.Encoder, error) {
	return open(ctx, s, address, address, func(i Info) (prefix *string, id string) { return i.Options.ItemPrefix, i.ID })
}

// open opens the encoder recorded at an address. lsa is the address of the item vectors that it was fitted with, if it was;
// side tells what it puts before a text, and its id then.
func open(ctx context.Context, s *stage.Session, address, lsa string, side func(Info) (prefix *string, id string)) (encoder.Encoder, error) {
	ws := s.WS
	info, err := Recorded(ws, address)
	if err != nil {
		return nil, err
	}
	if err := info.Options.Check(); err != nil {
		return nil, fmt.Errorf("%s of %s: %w", workspace.EncoderFile, address, err)
	}
	if err := s.Consent.Allow(address+"/"+workspace.EncoderFile, info.Options.Grants()...); err != nil {
		return nil, err
	}
	prefix, want := side(info)
	enc, err := encoder.Open(ctx, info.Options, prefix, func() (*os.File, error) { return ws.OpenFile(lsa, workspace.LSAFile) })
	if err != nil {
		return nil, fmt.Errorf("open the encoder of %s: %w", address, err)
	}
	if enc.ID() != want {
		return nil, usererr.New("Bring back the encoder of before, or encode again and train on the new vectors.",
			"the encoder has changed since the vectors %s were made: it is now %s, they are by %s", address, enc.ID(), want)
	}
	return enc, nil
}

// Encode encodes texts by the encoder of the preference vectors under an address, through
// the vector cache, without storing a result.
func Encode(ctx context.Context, s *stage.Session, address string, texts []string) (_ *tensor.Matrix, err error) {
	enc, err := Open(ctx, s, address)
	if err != nil {
		return nil, err
	}
	if info, err := Recorded(s.WS, address); err == nil && info.Encoder != encoder.LSA {
		c, err := openCache(s.WS, enc, cache.Options{Block: cacheBlock})
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		return c.Encode(ctx, texts)
	}
	return enc.Encode(ctx, texts)
}
