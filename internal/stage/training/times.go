package training

import (
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// trainTimes returns when the interactions of train histories happened, by position in Lists().Items, or
// nil where the data set has no order of its users' interactions.
func trainTimes(ds *dataset.Dataset, h *dataset.Histories) []int64 {
	if ds.Clock == dataset.ClockNone {
		return nil
	}
	times := make([]int64, 0, h.Len())
	for u := range h.Users() {
		times = append(times, h.Times(u)...)
	}
	if ds.Clock == "" && len(times) > 0 && slices.Min(times) == slices.Max(times) {
		return nil // nobody says what the times mean, and they say nothing themselves
	}
	return times
}

// CheckTimes fails where the model reads times that the data set has not.
func (t *Stage) CheckTimes(s *stage.Session) error {
	if !t.needs.Times {
		return nil
	}
	ds, err := s.Dataset()
	if err != nil || trainTimes(ds, ds.TrainHistories()) != nil {
		return err
	}
	return usererr.New("Import the interactions with their times, or choose a model, or settings of it, that needs none.", "model %s with these settings needs the times of the interactions", t.Options.Model)
}
