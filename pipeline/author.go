package pipeline

import (
	"context"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/mllm"
	mllmimage "github.com/mllmrec/mllmrec/mllm/image"
	"github.com/mllmrec/mllmrec/reason"
	"github.com/mllmrec/mllmrec/reason/offline"
	"github.com/mllmrec/mllmrec/workspace"
)

// Offline names the author that needs no model: pixels are measured, preferences are
// extracted from the users' train items.
const Offline = "offline"

// AuthorOptions says who describes pictures and writes preferences.
type AuthorOptions struct {
	MLLM string // "offline", or a kind of model server
}

// author writes texts: the describer and the reasoner of one choice of AuthorOptions.
type author struct {
	describer reason.Describer
	reasoner  func(corpus []string) reason.Reasoner // the offline one weighs words by the catalogue
	free      bool                                  // its answers cost nothing to make again
}

// newAuthor makes the author, after checking that a model server answers.
func (p *Pipeline) newAuthor(_ context.Context, opt AuthorOptions) (*author, error) {
	switch opt.MLLM {
	case Offline:
		return &author{describer: offline.Describer{}, free: true,
			reasoner: func(corpus []string) reason.Reasoner { return offline.NewReasoner(corpus) }}, nil
	}
	return nil, usererr.New("Use --mllm offline.", "unknown --mllm %q", opt.MLLM)
}

// commitEvery lets free answers gather before they are stored together; an answer that
// was paid for is stored at once.
const commitEvery = 500 * time.Millisecond

// reasonOptions are those of both stages.
func (p *Pipeline) reasonOptions(a *author, stage string, start time.Time) reason.Options {
	opt := reason.Options{Domain: p.WS.Manifest().Domain}
	if a.free {
		opt.CommitEvery, opt.Concurrency = commitEvery, freeConcurrency
	}
	opt.Progress = func(r reason.Progress) {
		p.emit(Event{Stage: stage, Done: r.Done, Total: r.Total, Elapsed: time.Since(start), Message: "texts"})
	}
	return opt
}

// freeConcurrency keeps a few processors busy with pictures.
const freeConcurrency = 8

// images reads pictures by an item's reference, relative ones in the workspace's
// image folder.
type images struct {
	ws     *workspace.Workspace
	loader *mllmimage.Loader
}

func (s images) Load(ctx context.Context, ref string) (mllm.Image, error) {
	return s.loader.Load(ctx, s.ws.ImagePath(ref))
}
