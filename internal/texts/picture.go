package texts

import (
	"context"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
)

// stagePicture is the stage of stored notes that say which picture a stamp stands for (see
// [Stamper]). They are not answers, and losing them costs only reading pictures again.
const stagePicture = "picture"

// loadOrLookUp returns an item's picture. If the picture's stamp is known and a description
// of it is stored, the picture is not loaded and only its hash is returned. The returned
// note, if any, is to be stored together with the description.
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

// lookUpDescribed finds the picture that a note stands for, if a description of it is
// stored. It ignores failures of the store: the run will meet them and end.
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
