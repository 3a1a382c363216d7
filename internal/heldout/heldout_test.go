package heldout_test

import (
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/heldout"
)

func shop() *dataset.Dataset {
	ds := &dataset.Dataset{UserIDs: []string{"ann", "bob", "eve"}, Items: make([]dataset.Item, 6)}
	ds.SetInteractions([]dataset.Interaction{
		{User: 0, Item: 0, Time: 1},
		{User: 0, Item: 5, Time: 2, Label: dataset.Test},
		{User: 0, Item: 3, Time: 3, Label: dataset.Valid},
		{User: 0, Item: 2, Time: 4, Label: dataset.Test},
		{User: 2, Item: 4, Time: 1, Label: dataset.Valid},
		{User: 2, Item: 1, Time: 2},
	})
	return ds
}

func TestListsHoldOneLabelAscending(t *testing.T) {
	ds := shop()
	for label, want := range map[dataset.Label][][]int32{
		dataset.Valid: {{3}, {}, {4}},
		dataset.Test:  {{2, 5}, {}, {}},
	} {
		l := heldout.Lists(ds, label)
		if l.Len() != 3 || l.Columns != 6 {
			t.Fatalf("%s: %d users × %d items", label, l.Len(), l.Columns)
		}
		for u, items := range want {
			if !slices.Equal(l.Of(u), items) {
				t.Errorf("%s items of user %d: %v, want %v", label, u, l.Of(u), items)
			}
		}
	}
}

func TestInOrderKeepsTheTime(t *testing.T) {
	l := heldout.InOrder(shop())
	for u, want := range [][]int32{{5, 3, 2}, {}, {4}} {
		if !slices.Equal(l.Of(u), want) {
			t.Errorf("held-out items of user %d: %v, want %v", u, l.Of(u), want)
		}
	}
}

func TestInteractionByID(t *testing.T) {
	ds := shop()
	if x, ok := heldout.Interaction(ds, 3); !ok || x != (dataset.Interaction{User: 0, Item: 2, Time: 4, Label: dataset.Test}) {
		t.Errorf("interaction 3 is %+v, %v", x, ok)
	}
	for _, id := range []int32{-1, 6} {
		if x, ok := heldout.Interaction(ds, id); ok {
			t.Errorf("interaction %d is %+v, but there is none", id, x)
		}
	}
}
