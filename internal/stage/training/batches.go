package training

import (
	"fmt"
	"strconv"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The choices of Options.Batches; "" is auto.
const (
	batchesAuto      = "auto"
	batchesPublished = "published"
	batchesGrown     = "grown"
)

const (
	settingBatchSize = "batch_size"
	settingLR        = "lr"
)

// growing reports whether batches grow with the data under the options.
func (t *Stage) growing() (bool, error) {
	_, chosen := t.settings[settingBatchSize]
	switch t.Options.Batches {
	case batchesPublished, batchesGrown:
		if chosen {
			return false, usererr.New("Leave one of them out.", "%s %s has no effect with a %s of one's own", usererr.Option("batches"), t.Options.Batches, settingBatchSize)
		}
		return t.Options.Batches == batchesGrown, nil
	case batchesAuto, "":
		if chosen {
			return false, nil
		}
		return model.WholeGraph(t.Options.Model, t.own)
	}
	return false, usererr.New("Choose auto, published or grown.", "%s %q is unknown", usererr.Option("batches"), t.Options.Batches)
}

// sized returns the trainer's options for data of some train interactions.
func (t *Stage) sized(interactions int) train.Options {
	if !t.grows {
		return t.trainer
	}
	_, chosenLR := t.settings[settingLR]
	return t.trainer.Grown(interactions, chosenLR)
}

// grown returns the settings that growing changes, by their names in the record of a run. Where
// it changes nothing the record is that of the published batches, and so is the run.
func (t *Stage) grown(interactions int) map[string]string {
	opt := t.sized(interactions)
	changed := map[string]string{}
	if opt.BatchSize != t.trainer.BatchSize {
		changed["grown."+settingBatchSize] = strconv.Itoa(opt.BatchSize)
	}
	if opt.LR != t.trainer.LR {
		changed["grown."+settingLR] = strconv.FormatFloat(opt.LR, 'g', -1, 64)
	}
	return changed
}

// sayBatches says what growing has changed, or that it has changed nothing though it was asked for.
func (t *Stage) sayBatches(b *stage.Build, opt train.Options, interactions int) {
	changed := t.grown(interactions)
	switch {
	case len(changed) > 0:
		lr := ""
		if opt.LR != t.trainer.LR {
			lr = fmt.Sprintf(" and lr %g in place of %g", opt.LR, t.trainer.LR)
		}
		b.Note(b.Stage, "%d train interactions: batches of %d in place of %d%s, so that an epoch has %d steps in place of %d; %s published keeps the published ones",
			interactions, opt.BatchSize, t.trainer.BatchSize, lr, opt.StepsFor(interactions), t.trainer.StepsFor(interactions), usererr.Option("batches"))
	case t.Options.Batches == batchesGrown:
		b.Note(b.Stage, "%d train interactions: batches stay at %d", interactions, opt.BatchSize)
	}
}
