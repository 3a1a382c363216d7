package training

import (
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
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
