package texts

import (
	"context"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
)

// StagePicture is the stage of notes that say which bytes a stamp stands for. They are
// no answers, and cost nothing to lose.
const stagePicture = "picture"

// loadOrRecall returns an item's picture: only its hash, if the stamp is known and the
// description of those bytes is stored; else the picture itself. The note, if any, is to
// be stored once there is a description.
func loadOrLookUp(ctx context.Context, images ImageSource, d Describer, domain string, item dataset.Item, store Store) (mllm.Image, *Generation, error) {
	stamper, ok := images.(Stamper)
	if !ok {
		img, err := images.Load(ctx, item.Image)
		return img, nil, err
	}
	stamp, ok := stamper.Stamp(item.Image)
	if !ok {
		img, err := images.Load(ctx, item.Image)
		return img, nil, err
	}
	k := newKey(stagePicture)
	k.text(stamp)
	note := k.sum()
	if img, known := lookUpDescribed(ctx, note, d, domain, item, store); known {
		return img, nil, nil
	}
	img, err := images.Load(ctx, item.Image)
	if err != nil {
		return img, nil, err
	}
	return img, &Generation{Key: note, Stage: stagePicture, Subject: item.ID, Fold: FullFold, ImageHash: img.SHA256, Status: StatusOK}, nil
}

// recall does without where the store fails; the run meets that failure soon enough.
func lookUpDescribed(ctx context.Context, note string, d Describer, domain string, item dataset.Item, store Store) (mllm.Image, bool) {
	notes, err := store.Get(ctx, []string{note})
	if err != nil || notes[note].ImageHash == "" {
		return mllm.Image{}, false
	}
	img := mllm.Image{SHA256: notes[note].ImageHash}
	key := DescribeKey(d.ID(), DescribeRequest{Item: item, Image: img, Domain: domain})
	answers, err := store.Statuses(ctx, []string{key})
	return img, err == nil && answers[key].Status == StatusOK
}
