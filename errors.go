package mllmrec

import (
	"errors"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Kind says what sort of error an [Error] is.
type Kind string

// The kinds of errors.
const (
	KindFailure     Kind = "failure"     // something broke: the machine, or this program
	KindMistake     Kind = "mistake"     // the input or the options are wrong
	KindUnknown     Kind = "unknown"     // the user, item or run named does not exist
	KindNotReady    Kind = "not ready"   // a stage must run first: see Error.Stage
	KindLocked      Kind = "locked"      // another process is at work on the same workspace
	KindUnavailable Kind = "unavailable" // a model server does not answer
	KindDamaged     Kind = "damaged"     // a file is damaged, or this program did not write it
)

// Error is what went wrong, where, and what to do next. Every error of this package is
// one, but for those of a context that ended; errors of the importers become one by
// [AsError].
type Error struct {
	Kind  Kind
	Hint  string // a whole sentence on what to do next; may be empty
	Stage string // of KindNotReady: the stage that must run first
	err   error
}

// Error returns the message: what and where. The hint is not in it.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the error behind it.
func (e *Error) Unwrap() error { return e.err }

// AsError returns err as an [Error], which says whose it is to mend; nil for nil. It takes
// errors of this package and of the importers; others are failures.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	e = &Error{Kind: KindFailure, err: err}
	if hint, mine := usererr.Hint(err); mine {
		e.Kind, e.Hint, e.Stage = Kind(usererr.KindOf(err)), hint, usererr.StageOf(err)
	}
	return e
}

// KindOf returns the kind of an error of this package or of the importers; "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return AsError(err).Kind
}

// public is what this package returns of an error: nil and the errors of contexts stay.
func public(err error) error {
	if err == nil {
		return nil
	}
	return AsError(err)
}
