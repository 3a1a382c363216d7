package experiment

import (
	"cmp"
	"context"
	"runtime"
	"slices"

	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/significance"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Forecast is what an experiment will do.
type Forecast struct {
	Trials  int              `json:"trials"`
	Ended   int              `json:"ended"` // that need not run again
	Entries []ForecastEntry  `json:"entries"`
	LeftOut []result.LeftOut `json:"left_out,omitempty"`
	// Seconds that the trials take whose model was timed on the data before, on this many trials at a time.
	Seconds float64 `json:"seconds"`
	Jobs    int     `json:"jobs"`
	Untimed int     `json:"untimed"` // trials of models that were not
}

// ForecastEntry is one entry on one data set.
type ForecastEntry struct {
	Data   string `json:"data"`
	Entry  string `json:"entry"`
	Points int    `json:"points"`
	Trials int    `json:"trials"`
	// Seconds that one of its trials took, here or as a run of the workspace; 0 where none was timed.
	Seconds float64 `json:"seconds,omitempty"`
}

// Forecast says what Run would do. What trials are made from is made, trials are not run.
func (x *Experiment) Forecast(ctx context.Context) (*Forecast, error) {
	release, err := x.lock()
	if err != nil {
		return nil, err
	}
	defer release()
	contenders, err := x.begin(ctx)
	if err != nil {
		return nil, err
	}
	f := &Forecast{LeftOut: x.result.LeftOut, Jobs: cmp.Or(x.Jobs, runtime.GOMAXPROCS(0))}
	for _, rivals := range x.rivals(contenders) {
		if err := x.foresee(f, rivals); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// foresee adds the trials of rivals to the forecast. Who will be a finalist is a guess until all searches have ended: only
// the sum of their trials is known.
func (x *Experiment) foresee(f *Forecast, rivals []*contender) error {
	for _, c := range rivals {
		for _, p := range c.points {
			x.recall(identify(c.data.session.WS, p.order, x.Plan.Seeds[0]).ID)
		}
	}
	final := x.finalists(rivals)
	for _, c := range rivals {
		n, done := len(c.points), 0
		for _, p := range c.points {
			if x.trials[identify(c.data.session.WS, p.order, x.Plan.Seeds[0]).ID] != nil {
				done++
			}
		}
		if slices.Contains(final, c) {
			n += len(x.Plan.Seeds) - 1
			if best, ok := x.choose(c); ok && done == len(c.points) {
				for _, seed := range x.Plan.Seeds[1:] {
					if x.recall(identify(c.data.session.WS, best.order, seed).ID) {
						done++
					}
				}
			}
		}
		e := ForecastEntry{Data: c.data.name, Entry: c.entry.Name(), Points: len(c.points), Trials: n}
		var err error
		if e.Seconds, err = x.timed(c); err != nil {
			return err
		}
		f.Trials += n
		f.Ended += done
		if e.Seconds > 0 {
			f.Seconds += e.Seconds * float64(n-done) / float64(f.Jobs)
		} else {
			f.Untimed += n - done
		}
		f.Entries = append(f.Entries, e)
	}
	return nil
}

// recall reads the result of a trial, if it has one.
func (x *Experiment) recall(id string) bool {
	t, err := result.ReadTrial(x.Dir, id)
	if err == nil {
		x.trials[id] = t
	}
	return err == nil
}

// timed returns the mean seconds of what was trained of a contender's model on its data: its own trials
// that have ended, else finished runs of the workspace.
func (x *Experiment) timed(c *contender) (float64, error) {
	var took []float64
	for _, t := range x.trials { // in any order: a mean for people to read
		if t.Data == c.data.name && t.Model == c.entry.Model {
			took = append(took, t.Cost.TrainSeconds+t.Cost.EvalSeconds)
		}
	}
	if len(took) > 0 {
		return significance.Mean(took), nil
	}
	runs, err := training.List(c.data.session.WS)
	if err != nil {
		return 0, err
	}
	for _, r := range runs {
		if a, ok := c.data.session.WS.Artefact(workspace.RunsFolder + "/" + r.ID); ok && r.Finished && r.Model == c.entry.Model {
			took = append(took, a.Seconds)
		}
	}
	return significance.Mean(took), nil
}
