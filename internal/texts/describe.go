package texts

import (
	"context"
	"errors"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	mllmimage "github.com/mllmrec/mllmrec/internal/mllm/image"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// ImageSource fetches the picture behind an item's reference; *image.Loader of package
// mllm/image is one.
type ImageSource interface {
	Load(ctx context.Context, ref string) (mllm.Image, error)
}

// Stamper is implemented by sources that can tell, without reading a picture, whether it
// is the one of last time: equal stamps mean equal bytes from Load. With it, a picture
// whose description is stored is not read again, and a run of many pictures resumes in
// seconds. *image.Loader is one.
type Stamper interface {
	Stamp(ref string) (stamp string, ok bool)
}

// ByMetadata is what [workspace.ItemText.By] holds for texts without a description.
const ByMetadata = "metadata"

// DescribeOptions are the options of [DescribeItems].
type DescribeOptions struct {
	Options
	Fallback Describer // stands in where Describer fails; nil: such an item keeps its metadata only
}

// DescribeItems writes the text of every item (Eq. 1–2): its metadata and, where it has
// a picture, the describer's description of it. Answers come from the store where it has
// them and go there otherwise. Nothing that is wrong with one item stops the stage: an
// item whose picture can't be read, or of which the describer has no answer, keeps a
// text, is marked [workspace.StatusFallback], listed in the report and tried again by
// the next run. On an error (cancelled, store broken, server unusable) the texts are nil
// and what was answered is in the store.
func DescribeItems(ctx context.Context, items []dataset.Item, images ImageSource, d Describer, store Store, opt DescribeOptions) (*Texts[workspace.ItemText], Report, error) {
	w := &descriptionWriter{items: items, images: images, describer: d, opt: opt}
	places, report, err := runQuestions(ctx, StageDescribe, len(items), store, opt.Options, w.question)
	if err != nil {
		return nil, report, err
	}
	return &Texts[workspace.ItemText]{stage: StageDescribe, store: store, index: places, text: w.text}, report, nil
}

type descriptionWriter struct {
	items     []dataset.Item
	images    ImageSource
	describer Describer
	opt       DescribeOptions
}

// question is a preparer.
func (w *descriptionWriter) question(ctx context.Context, r *run, i int) (*question, error) {
	item := w.items[i]
	if item.Image == "" {
		r.settle(i, notAsked, func(rep *Report) { rep.Plain++ })
		return nil, nil
	}
	if w.images == nil {
		return nil, usererr.New("", "item %q has a picture, but nothing to read it with was given", item.ID)
	}
	img, memo, err := loadOrLookUp(ctx, w.images, w.describer, w.opt.Domain, item, r.store)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, mllmimage.ErrCache) {
			return nil, err
		}
		r.imageFailed(i, item.ID, err)
		return nil, nil
	}
	req := &DescribeRequest{Item: item, Image: img, Domain: w.opt.Domain, Attempt: 1}
	return &question{
		describe:    req,
		pictureNote: memo,
		about:       Generation{Key: DescribeKey(w.describer.ID(), *req), Stage: StageDescribe, Subject: item.ID, Fold: FullFold, ImageHash: img.SHA256},
		ask: func(ctx context.Context, attempt int) (Answer, error) {
			req.Attempt = attempt
			return w.describer.Describe(ctx, *req)
		},
	}, nil
}

// text is the text of item i: with the answer about its picture, or with the fallback's.
func (w *descriptionWriter) text(ctx context.Context, i int, key string, g *Generation) workspace.ItemText {
	item := w.items[i]
	t := workspace.ItemText{Item: item.ID, By: ByMetadata, Key: key, Status: workspace.StatusOK}
	switch {
	case g != nil:
		t.ImageText, t.By = Clean(g.Text), writerName(g.Model, g.ModelDigest)
	case item.Image != "":
		t.Status = workspace.StatusFallback
		if a, ok := w.fallbackAnswer(ctx, item, key); ok {
			t.ImageText, t.By = Clean(a.Text), writerName(a.Model, a.ModelDigest)
		}
	}
	t.Text = ItemText(item, t.ImageText)
	return t
}

// standIn asks the fallback about a picture that could be read: one that has a key.
func (w *descriptionWriter) fallbackAnswer(ctx context.Context, item dataset.Item, key string) (Answer, bool) {
	if w.opt.Fallback == nil || key == "" {
		return Answer{}, false
	}
	img, err := w.images.Load(ctx, item.Image)
	if err != nil {
		return Answer{}, false
	}
	a, err := w.opt.Fallback.Describe(ctx, DescribeRequest{Item: item, Image: img, Domain: w.opt.Domain, Attempt: 1})
	return a, err == nil
}

// by names the writer of a text.
func writerName(model, digest string) string {
	if digest == "" {
		return model
	}
	return model + "@" + digest
}

func (r *run) imageFailed(at int, item string, err error) {
	class := "image"
	if kind := mllmimage.KindOf(err); kind != "" {
		class = "image:" + string(kind)
	}
	r.settle(at, noAnswer, func(rep *Report) {
		rep.ImageFailed++
		rep.Classes[class]++
		rep.fail(Failure{Subject: item, Fold: FullFold, Class: class, Error: fmt.Sprintf("load its picture: %v", err), Attempt: 1})
	})
}
