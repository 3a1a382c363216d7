// Package labelled opens the interactions of a data set, with their labels, to the code
// that stores them.
//
// A label says whether an interaction is train, validation or test. Whatever learns must
// not see it, so package dataset exports no way to read interactions with their labels.
// But a data set is written to disk with them, and this package is the way. It may be
// imported by
//
//   - dataset, which provides the rows;
//   - internal/workspace and dataset/mmrec, which write them to files;
//   - internal/retraining, which starts a new data set from all that is known by now, to be
//     split anew: no label is taken over;
//   - internal/heldout, which hands the held-out ones to evaluation and audit;
//   - tests.
//
// Nothing else may import it: what learns takes dataset.Histories, what measures takes
// the evaluator of internal/eval. The package sits below dataset and knows none of its
// types, hence the type parameter of [Rows].
package labelled

import "fmt"

var provider func(ds any) any

// Provide says how to get at a data set's interactions. Package dataset calls it once, when
// the program starts.
func Provide(rows func(ds any) any) {
	if provider != nil {
		panic("labelled: rows are provided twice")
	}
	provider = rows
}

// Rows returns the interactions of ds, a *dataset.Dataset; T is dataset.Interaction. The
// index of each is its interaction id. The slice is the data set's own: it must not be
// modified.
func Rows[T any](ds any) []T {
	rows, ok := provider(ds).([]T)
	if !ok {
		panic(fmt.Sprintf("labelled: the interactions of %T are not of type %T", ds, *new(T)))
	}
	return rows[:len(rows):len(rows)]
}
