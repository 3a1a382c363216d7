package training

import (
	"fmt"
	"time"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const (
	showFrom  = 10 * time.Second // epochs that last longer show how far they are
	showEvery = time.Second
	warnFrom  = time.Minute     // epochs that last longer are announced
	sureAfter = 2 * time.Second // of steps, before an epoch is estimated
	sureSteps = 3
)

// watch returns what follows the steps of training: it announces an epoch that will be long
// as soon as its first steps tell, with what would shorten it, and shows how far a long
// epoch has come.
func (t *Stage) watch(b *stage.Build, opt train.Options, interactions int) func(train.Step) {
	var shown time.Duration // into which epoch the last event was
	epoch, announced := 0, false
	return func(s train.Step) {
		if s.Epoch != epoch {
			epoch, shown = s.Epoch, 0
		}
		if s.Whole() < showFrom || s.Done == s.Steps || s.Done < sureSteps || s.Elapsed < sureAfter {
			return
		}
		if !announced {
			announced = true
			if s.Whole() >= warnFrom {
				b.Note(b.Stage, "%s", t.long(s, opt, interactions))
			}
		}
		if shown == 0 || s.Elapsed-shown >= showEvery {
			shown = s.Elapsed
			b.Emit(stage.Event{Stage: b.Stage, Message: fmt.Sprintf("steps, %s epoch %d", t.Options.Model, s.Epoch),
				Done: s.Done, Total: s.Steps, Elapsed: s.Elapsed, Left: s.Left})
		}
	}
}

// long says of an epoch that it will be long, how long training will be at least, and what
// to do about it.
func (t *Stage) long(s train.Step, opt train.Options, interactions int) string {
	step := s.Whole() / time.Duration(s.Steps)
	text := fmt.Sprintf("an epoch will take about %s: %d steps of %s for %d train pairs each", roughly(s.Whole()), s.Steps, roughly(step), s.Batch)
	if least := min(opt.Epochs, opt.Patience+2); least > s.Epoch {
		text += fmt.Sprintf("; training stops after %d epochs at the earliest, in %s", least, roughly(time.Duration(least-s.Epoch+1)*s.Whole()-s.Elapsed))
	}
	text += ". Larger batches take fewer steps: "
	_, own := t.settings[settingBatchSize]
	grown := t.trainer.Grown(interactions, false)
	if own || t.grows || grown.BatchSize == s.Batch {
		return text + fmt.Sprintf("%s %s=%d, say", usererr.Option("set"), settingBatchSize, 2*s.Batch)
	}
	return text + fmt.Sprintf("%s grown makes it %d steps of %d pairs", usererr.Option("batches"), grown.StepsFor(interactions), grown.BatchSize)
}

// roughly writes a duration as people say it.
func roughly(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	case d >= 10*time.Minute:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	case d >= time.Minute:
		return fmt.Sprintf("%.1f min", d.Minutes())
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
