package dataset

import (
	"slices"
	"sync"
	"testing"
)

// What is asked for ten times is computed once: the first call allocates the view, the
// others allocate nothing.
func TestDerivedValuesAreComputedOnce(t *testing.T) {
	ds := small(12, 30, 4)
	SplitRandom(ds, 1)
	view, hash := ds.TrainHistories(), ds.SplitHash()
	allocations := testing.AllocsPerRun(10, func() {
		if ds.TrainHistories() != view || ds.SplitHash() != hash || view.SplitHash() != hash {
			t.Error("asked again, the data set gives another view or split hash")
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations to ask for the view and the split hash again, want 0", allocations)
	}
}

// Whatever changes the data set, what is asked for afterwards belongs to the changed one.
func TestDerivedValuesFollowChanges(t *testing.T) {
	for name, change := range map[string]func(*Dataset){
		"set":         func(ds *Dataset) { ds.SetInteractions([]Interaction{{User: 1, Item: 2}}) },
		"append":      func(ds *Dataset) { ds.Append(Interaction{User: 2, Item: 9, Time: 1 << 40}) },
		"sort":        func(ds *Dataset) { slices.Reverse(ds.edit()); ds.TrainHistories(); ds.Sort() },
		"merge":       func(ds *Dataset) { ds.Append(ds.interactions[3]); ds.TrainHistories(); MergeDuplicates(ds) },
		"k-core":      func(ds *Dataset) { KCore(ds, 2) },
		"random":      func(ds *Dataset) { SplitRandom(ds, 2) },
		"latest":      func(ds *Dataset) { must(t, SplitLeaveLatest(ds)) },
		"global time": func(ds *Dataset) { _, err := SplitGlobalTime(ds, 0.2, 0.2); must(t, err) },
		"other users": func(ds *Dataset) { ds.UserIDs = []string{"a", "b", "c"} },
		"more items":  func(ds *Dataset) { ds.Items = append(ds.Items, Item{ID: "unseen"}) },
	} {
		t.Run(name, func(t *testing.T) {
			ds := small(12, 30, 4)
			SplitRandom(ds, 1)
			before := ds.TrainHistories()
			items := slices.Clone(before.Lists().Items)
			change(ds)
			fresh := &Dataset{UserIDs: slices.Clone(ds.UserIDs), Items: slices.Clone(ds.Items)}
			fresh.SetInteractions(ds.interactions)
			got, want := ds.TrainHistories(), fresh.TrainHistories()
			if ds.SplitHash() != fresh.SplitHash() || got.SplitHash() != fresh.SplitHash() {
				t.Errorf("split hash %.8s, computed anew %.8s", ds.SplitHash(), fresh.SplitHash())
			}
			if got == before || !slices.Equal(got.Lists().Items, want.Lists().Items) || !slices.Equal(got.times, want.times) ||
				got.Users() != want.Users() || got.NumItems() != want.NumItems() || got.UserID(0) != want.UserID(0) {
				t.Error("the train view is not that of the changed data set")
			}
			if !slices.Equal(before.Lists().Items, items) {
				t.Error("a view taken before the change has changed with it")
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// For the race detector, and for the promise that all share one view.
func TestDerivedValuesAreSharedByGoroutines(t *testing.T) {
	ds := small(12, 30, 4)
	SplitRandom(ds, 1)
	views := make([]*Histories, 16)
	var wg sync.WaitGroup
	for n := range views {
		wg.Go(func() {
			if views[n] = ds.TrainHistories(); ds.SplitHash() != views[n].SplitHash() {
				t.Error("the view has another split hash than the data set")
			}
		})
	}
	wg.Wait()
	if views = slices.Compact(views); len(views) != 1 {
		t.Errorf("%d views were built", len(views))
	}
}
