package training

import (
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
)

// A model may know the order of train interactions, and nothing of held-out ones: not even
// when they were.
func TestTimesAreThoseOfTrain(t *testing.T) {
	of := func(clock string, scale int64) ([]int64, *dataset.Lists) {
		ds := &dataset.Dataset{UserIDs: []string{"ann", "bob"}, Items: make([]dataset.Item, 5), Clock: clock}
		for _, x := range []dataset.Interaction{
			{User: 1, Item: 3, Time: 9}, {User: 1, Item: 0, Time: 4}, {User: 1, Item: 2, Time: 7, Label: dataset.Test},
			{User: 0, Item: 4, Time: 30}, {User: 0, Item: 1, Time: 20, Label: dataset.Valid}, {User: 0, Item: 2, Time: 10},
		} {
			x.Time *= scale
			ds.Append(x)
		}
		ds.Sort()
		return trainTimes(ds, ds.TrainHistories()), ds.TrainHistories().Lists()
	}
	for _, clock := range []string{dataset.ClockOrder, dataset.ClockMoment, ""} {
		times, lists := of(clock, 1)
		if !slices.Equal(times, []int64{10, 30, 4, 9}) || !slices.Equal(lists.Items, []int32{2, 4, 0, 3}) {
			t.Errorf("clock %q: times %v of items %v", clock, times, lists.Items)
		}
	}
	if times, _ := of(dataset.ClockNone, 1); times != nil {
		t.Errorf("filler was taken for times: %v", times)
	}
	if times, _ := of("", 0); times != nil {
		t.Errorf("no times at all were taken for an order: %v", times)
	}
}
