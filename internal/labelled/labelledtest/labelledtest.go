// Package labelledtest lets tests look at the labelled interactions of a data set and make
// data sets with others. Test files alone may import it.
package labelledtest

import (
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled"
)

// Rows returns a copy of the interactions of ds. The index of each is its interaction id.
func Rows(ds *dataset.Dataset) []dataset.Interaction {
	return slices.Clone(labelled.Rows[dataset.Interaction](ds))
}

// With returns a data set that is ds but for its interactions.
func With(ds *dataset.Dataset, rows []dataset.Interaction) *dataset.Dataset {
	other := &dataset.Dataset{Name: ds.Name, Domain: ds.Domain, Split: ds.Split, Clock: ds.Clock, UserIDs: ds.UserIDs, Items: ds.Items}
	other.SetInteractions(rows)
	return other
}

// Edit changes the interactions of ds.
func Edit(ds *dataset.Dataset, change func(rows []dataset.Interaction)) {
	rows := Rows(ds)
	change(rows)
	ds.SetInteractions(rows)
}
