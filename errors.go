package mllmrec

import (
	"context"
	"errors"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Kind says what sort of error an [Error] is, and so whose it is to mend.
type Kind string

// The kinds of errors.
const (
	KindFailure     Kind = "failure"      // something broke: the machine, or this program
	KindMistake     Kind = "mistake"      // the input or the options are wrong
	KindUnknown     Kind = "unknown"      // the user, item, run, file or workspace named does not exist
	KindNotReady    Kind = "not ready"    // a stage must run first: see Error.Stage
	KindLocked      Kind = "locked"       // another process is at work on the same workspace
	KindUnavailable Kind = "unavailable"  // a model server does not answer
	KindDamaged     Kind = "damaged"      // a file is damaged, or this program did not write it
	KindUntrusted   Kind = "untrusted"    // the workspace names a server, key, file or folder that the user has not agreed to: see TrustWorkspace
	KindNotProvable Kind = "not provable" // a file of the workspace is not what its record says, byte for byte
	KindStopped     Kind = "stopped"      // the context was cancelled, or its time was up
)

// Error is what went wrong, where, and what to do next. Every error that this package
// returns is one. Errors of the importers become one by [AsError].
//
// The errors behind it can be asked for: errors.Is(err, context.Canceled) holds for work
// that a context has ended, errors.As finds the [dataset.RowError] of a bad row. An
// option that a message names is one of [BuildOptions].
type Error struct {
	Kind  Kind   // whose the error is to mend
	Hint  string // a whole sentence on what to do next; may be empty
	Stage string // the stage that must run first, such as "train"; of KindNotReady and KindNotProvable, and "import" of a folder that is no workspace; else empty
	err   error
}

// Error returns the message: what and where. The hint is not in it.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the error behind it.
func (e *Error) Unwrap() error { return e.err }

// AsError returns err as an [Error] of err's own message; nil for nil. It understands the
// errors of this package and of the importers, and those that wrap one; others are
// failures.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // one that err wraps has another message
		return e
	}
	var inner *Error
	if errors.As(err, &inner) {
		return &Error{Kind: inner.Kind, Hint: inner.Hint, Stage: inner.Stage, err: err}
	}
	hint, mine := usererr.Hint(err)
	switch {
	case errors.Is(err, context.Canceled), !mine && errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: KindStopped, err: err}
	case mine:
		return &Error{Kind: Kind(usererr.KindOf(err)), Hint: hint, Stage: usererr.StageOf(err), err: err}
	}
	return &Error{Kind: KindFailure, err: err}
}

// KindOf returns the kind of err as [AsError] understands it; "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return AsError(err).Kind
}

// public is what this package returns for an error of work under ctx; nil for nil. Once
// ctx is over, an error that comes from it has been stopped, whatever its wrapping says: a
// request to a server that was cut short is not a server that does not answer.
func public(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if over := ctx.Err(); over != nil && errors.Is(err, over) {
		return &Error{Kind: KindStopped, err: err}
	}
	return AsError(err)
}
