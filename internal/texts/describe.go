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

// ImageSource loads the picture that an item refers to; *image.Loader of package
// mllm/image implements it.
type ImageSource interface {
	Load(ctx context.Context, ref string) (mllm.Image, error)
}

// Stamper is implemented by image sources that can tell without reading a picture whether
// it changed: equal stamps mean equal bytes from Load. A picture with a known stamp and a
// stored description is not read again, so a run of many pictures resumes in seconds.
// *image.Loader implements it.
type Stamper interface {
	Stamp(ref string) (stamp string, ok bool)
}

// ByMetadata is the value of [workspace.ItemText.By] for texts made of metadata alone.
const ByMetadata = "metadata"

// DescribeOptions are the options of [DescribeItems].
type DescribeOptions struct {
	Options
	Fallback Describer // is asked where Describer fails; nil: such an item keeps its metadata only
}

// DescribeItems writes the text of every item (Eq. 1–2): its metadata and, if it has a
// picture, the describer's description of it. It takes stored answers from the store and
// stores new ones there. No single item stops the stage: an item whose picture cannot be
// read, or that the describer gives no answer about, still gets a text, is marked
// [workspace.StatusFallback], is listed in the report, and is tried again by the next run.
// On an error (cancelled, store or server unusable) the texts are nil, and the answers so
// far are in the store.
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

// question implements preparer for item i.
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

// text makes the text of item i, from the answer about its picture or from the fallback's.
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

// fallbackAnswer asks the fallback about an item whose picture could be read: only such
// items have a key.
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

// writerName names who wrote a text: the model, with the digest of its weights if known.
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
