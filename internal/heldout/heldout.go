// Package heldout is the one door to the validation and test interactions of a data set.
//
// It may be imported by internal/eval, which measures recommendations by them, and by
// internal/audit, which looks for traces of them in what was learnt. Nothing that learns,
// writes or recommends may import it. Who needs a measurement asks the evaluator of
// internal/eval for it.
package heldout

import (
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled"
)

// Lists returns the items of each user under one label, each list ascending.
func Lists(ds *dataset.Dataset, label dataset.Label) *dataset.Lists {
	return lists(ds, func(l dataset.Label) bool { return l == label }).Sorted()
}

// InOrder returns the validation and test items of each user together, in time order.
func InOrder(ds *dataset.Dataset) *dataset.Lists {
	return lists(ds, func(l dataset.Label) bool { return l != dataset.Train })
}

func lists(ds *dataset.Dataset, keep func(dataset.Label) bool) *dataset.Lists {
	return dataset.NewLists(ds.Users(), ds.NumItems(), labelled.Rows[dataset.Interaction](ds), keep)
}

// Interaction returns the interaction of an id, with its label, or false where the data
// set has none of that id.
func Interaction(ds *dataset.Dataset, id int32) (dataset.Interaction, bool) {
	rows := labelled.Rows[dataset.Interaction](ds)
	if id < 0 || int(id) >= len(rows) {
		return dataset.Interaction{}, false
	}
	return rows[id], true
}
