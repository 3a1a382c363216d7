// Package usererr marks errors that are the user's to mend: a wrong flag, a torn
// input file, a missing stage. The command line prints their hint and exits 2; any
// other error is a failure and exits 1.
package usererr

import (
	"errors"
	"fmt"
)

// Error is a mistake of the user's, with a hint on what to do next.
type Error struct {
	Err  error
	Hint string // one sentence; may be empty
}

// Error returns the message without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// New formats an error with a hint.
func New(hint, format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: hint}
}

// Wrap marks err, unless it is nil, as the user's to mend.
func Wrap(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Hint: hint}
}

// Hint returns the outermost hint in err's chain and whether err is a user's mistake.
func Hint(err error) (string, bool) {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint, true
	}
	return "", false
}
