// Package usererr marks errors that the user can mend: a wrong option, a torn input
// file, a stage that has not run yet. Such an error says of what kind it is and may
// carry a hint, a whole sentence on what to do next. The command line prints the hint
// and exits 2, or 4 where a file is not what was recorded; any other error is a failure of
// the program or the machine and exits 1.
//
// The command line, a web page and a Go program write the name of an option each in
// their own way. An error that is about an option therefore names it by a value of type
// Option, and Spell returns the message as one of them writes it:
//
//	err := usererr.New("", "%s must be at least 1, not 0", usererr.Option("dim"))
//	err.Error()                                                       // option "dim" must be at least 1, not 0
//	usererr.Spell(err, func(name string) string { return "--" + name }) // --dim must be at least 1, not 0
package usererr

import (
	"errors"
	"fmt"
)

// Kind says what sort of mistake an error is.
type Kind string

// The kinds of errors that a user can mend.
const (
	KindMistake     Kind = "mistake"      // the input or the options are wrong
	KindUnknown     Kind = "unknown"      // the user, item, run or file named does not exist
	KindNotReady    Kind = "not ready"    // a stage must run first
	KindLocked      Kind = "locked"       // another process is at work on the same workspace
	KindUnavailable Kind = "unavailable"  // a server does not answer
	KindDamaged     Kind = "damaged"      // a file is damaged, or this program did not write it
	KindUntrusted   Kind = "untrusted"    // a workspace names what the user has not agreed to
	KindNotProvable Kind = "not provable" // a file of a workspace is not what its record says
)

// Error is an error that the user can mend.
type Error struct {
	Err     error
	Hint    string   // a whole sentence on what to do next; may be empty
	Kind    Kind     // empty: that of the error it wraps, else KindMistake
	Stage   string   // the stage that must run first; of KindNotReady and KindNotProvable, and of a folder that is no workspace
	Options []Option // options that the message names

	Workspace string // the folder whose workspace asks; of KindUntrusted
}

// Error returns the message without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// New formats an error with a hint. Arguments of type Option, and those that errors
// among the arguments name, are remembered for Spell.
func New(hint, format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: hint, Options: optionsAmong(args)}
}

// Of is New for an error of a kind other than KindMistake.
func Of(kind Kind, hint, format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: hint, Kind: kind, Options: optionsAmong(args)}
}

// NotReady is New for an error of KindNotReady: stage must run first.
func NotReady(stage, hint, format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: hint, Kind: KindNotReady, Stage: stage, Options: optionsAmong(args)}
}

// Wrap marks err, unless it is nil, as the user's to mend. An err that has a kind
// keeps it.
func Wrap(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Hint: hint}
}

// WrapAs is Wrap for an error of the given kind.
func WrapAs(kind Kind, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Hint: hint, Kind: kind}
}

// Hint returns the outermost hint in err's tree that is not empty, and whether the user
// can mend err.
func Hint(err error) (string, bool) {
	hint, found := "", false
	walk(err, func(e *Error) bool {
		found = true
		hint = e.Hint
		return hint == ""
	})
	return hint, found
}

// KindOf returns the kind of err, or "" where the user cannot mend it. The outermost
// error that states a kind decides.
func KindOf(err error) Kind {
	var kind Kind
	found := false
	walk(err, func(e *Error) bool {
		found = true
		kind = e.Kind
		return kind == ""
	})
	if found && kind == "" {
		return KindMistake
	}
	return kind
}

// StageOf returns the stage that must run before what failed can be done; "" where there
// is none.
func StageOf(err error) string {
	stage := ""
	walk(err, func(e *Error) bool {
		stage = e.Stage
		return stage == ""
	})
	return stage
}

// WorkspaceOf returns the folder of the workspace that asks for what the user has not
// agreed to; "" where err is of another kind.
func WorkspaceOf(err error) string {
	ws := ""
	walk(err, func(e *Error) bool {
		ws = e.Workspace
		return ws == ""
	})
	return ws
}

// walk visits every *Error in err's tree, outermost first and joined errors in order,
// until visit returns false. It reports whether visit always returned true.
func walk(err error, visit func(*Error) bool) bool {
	for err != nil {
		if e, ok := err.(*Error); ok && !visit(e) { //nolint:errorlint // every level is visited
			return false
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range many.Unwrap() {
				if !walk(one, visit) {
					return false
				}
			}
			return true
		}
		err = errors.Unwrap(err)
	}
	return true
}
