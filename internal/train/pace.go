package train

import "time"

// Step is how far an epoch has come.
type Step struct {
	Epoch   int           // from 1
	Done    int           // steps taken
	Steps   int           // of the epoch
	Batch   int           // train pairs in a step
	Elapsed time.Duration // since the epoch began
	Left    time.Duration // until its end, validation included once that was seen; 0 where nothing is known yet
}

// Whole returns how long the whole epoch is expected to take; 0 where nothing is known yet.
func (s Step) Whole() time.Duration {
	if s.Left == 0 {
		return 0
	}
	return s.Elapsed + s.Left
}

// pace estimates when an epoch ends.
type pace struct {
	step       Step
	start      time.Time
	first      time.Time     // when the first step was done
	validation time.Duration // of the epoch before
}

// newPace begins an epoch now.
func newPace(epoch, steps, batch int, validation time.Duration, now time.Time) *pace {
	return &pace{step: Step{Epoch: epoch, Steps: steps, Batch: batch}, start: now, validation: validation}
}

// took counts a step that ended now. The first step of an epoch is slower than others,
// since its memory is new, so that it says nothing of them.
func (p *pace) took(now time.Time) Step {
	p.step.Done++
	p.step.Elapsed = now.Sub(p.start)
	if p.step.Done == 1 {
		p.first = now
		return p.step
	}
	each := float64(now.Sub(p.first)) / float64(p.step.Done-1)
	p.step.Left = max(1, time.Duration(each*float64(p.step.Steps-p.step.Done))+p.validation)
	return p.step
}
