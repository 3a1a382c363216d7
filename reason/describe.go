package reason

import (
	"context"
	"errors"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/mllm"
	mllmimage "github.com/mllmrec/mllmrec/mllm/image"
	"github.com/mllmrec/mllmrec/workspace"
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
func DescribeItems(ctx context.Context, items []dataset.Item, images ImageSource, d Describer, store Store, opt DescribeOptions) ([]workspace.ItemText, Report, error) {
	texts := make([]workspace.ItemText, len(items))
	report, err := runQuestions(ctx, StageDescribe, len(items), store, opt.Options, describeQuestions(items, images, d, opt, texts))
	if err != nil {
		return nil, report, err
	}
	return texts, report, nil
}

// describeQuestions makes the question of an item; what needs none goes into texts.
func describeQuestions(items []dataset.Item, images ImageSource, d Describer, opt DescribeOptions, texts []workspace.ItemText) func(context.Context, *run, int) (*question, error) {
	return func(ctx context.Context, r *run, i int) (*question, error) {
		item := items[i]
		texts[i] = workspace.ItemText{Item: item.ID, Text: ItemText(item, ""), By: ByMetadata, Status: workspace.StatusOK}
		if item.Image == "" {
			r.book(func(rep *Report) { rep.Plain++; rep.Pending-- })
			return nil, nil
		}
		if images == nil {
			return nil, usererr.New("", "item %q has a picture, but nothing to read it with was given", item.ID)
		}
		img, memo, err := loadOrRecall(ctx, images, d, opt.Domain, item, r.store)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if errors.Is(err, mllmimage.ErrCache) {
				return nil, err
			}
			texts[i].Status = workspace.StatusFallback
			r.imageFailed(item.ID, err)
			return nil, nil
		}
		q := describeQuestion(d, opt, item, img, &texts[i])
		q.memo = memo
		return q, nil
	}
}

// describeQuestion asks d about one picture; the answer goes into text.
func describeQuestion(d Describer, opt DescribeOptions, item dataset.Item, img mllm.Image, text *workspace.ItemText) *question {
	req := &DescribeRequest{Item: item, Image: img, Domain: opt.Domain, Attempt: 1}
	key := DescribeKey(d.ID(), *req)
	return &question{
		describe: req,
		about:    Generation{Key: key, Stage: StageDescribe, Subject: item.ID, Fold: FullFold, ImageHash: img.SHA256},
		ask: func(ctx context.Context, attempt int) (Answer, error) {
			req.Attempt = attempt
			return d.Describe(ctx, *req)
		},
		settle: func(g *Generation) {
			text.Key = key
			if g != nil {
				text.ImageText, text.By = Clean(g.Text), by(g.Model, g.ModelDigest)
			} else {
				text.Status = workspace.StatusFallback
				if opt.Fallback != nil {
					if a, err := opt.Fallback.Describe(context.Background(), *req); err == nil {
						text.ImageText, text.By = Clean(a.Text), by(a.Model, a.ModelDigest)
					}
				}
			}
			text.Text = ItemText(item, text.ImageText)
		},
	}
}

// by names the writer of a text.
func by(model, digest string) string {
	if digest == "" {
		return model
	}
	return model + "@" + digest
}

func (r *run) imageFailed(item string, err error) {
	class := "image"
	if kind := mllmimage.KindOf(err); kind != "" {
		class = "image:" + string(kind)
	}
	r.book(func(rep *Report) {
		rep.ImageFailed++
		rep.Pending--
		rep.Classes[class]++
		rep.fail(Failure{Subject: item, Fold: FullFold, Class: class, Error: fmt.Sprintf("load its picture: %v", err), Attempt: 1})
	})
}
