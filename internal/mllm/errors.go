package mllm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Class is the kind of a failure. It decides whether a request is sent again, and reports
// count failures by it.
type Class string

// Failures to get an answer.
const (
	RateLimit   Class = "rate-limit"   // 429: ask later
	Server      Class = "server"       // 5xx, or an error reported inside a 200
	Timeout     Class = "timeout"      // no whole answer in time
	Network     Class = "network"      // no connection, or it broke
	BadResponse Class = "bad-response" // not the JSON it should be: torn, too large, without an answer
	WrongModel  Class = "wrong-model"  // another model, or other weights, answered
	PromptCut   Class = "prompt-cut"   // the model did not read the whole prompt, or cannot
	Auth        Class = "auth"         // key missing, wrong or out of quota
	NotFound    Class = "not-found"    // no such model or no such route
	Refused     Class = "refused"      // the server will not take this request (other 4xx, a content filter)
	Unavailable Class = "unavailable"  // no endpoint of the pool is usable
	OverBudget  Class = "budget"       // the run's cost or time is used up
	Cancelled   Class = "cancelled"    // the caller cancelled the request
)

// Unusable answers; see package check.
const (
	Empty       Class = "empty"        // no text
	CutOff      Class = "cut-off"      // ended by the token limit
	Refusal     Class = "refusal"      // the model declines to answer
	Repetition  Class = "repetition"   // the model loops
	TooLong     Class = "too-long"     // over the word limit
	WrongScript Class = "wrong-script" // not in the writing system asked for
	Echo        Class = "echo"         // the prompt given back
	OffTask     Class = "off-task"     // about the list of choices instead of the taste behind it
)

// Classes lists every class, in the order tables show them.
func Classes() []Class {
	return []Class{
		RateLimit, Server, Timeout, Network, BadResponse, WrongModel, PromptCut, Auth, NotFound,
		Refused, Unavailable, OverBudget, Cancelled,
		Empty, CutOff, Refusal, Repetition, TooLong, WrongScript, Echo, OffTask,
	}
}

// Transient reports whether the same request may succeed if sent again unchanged.
func (c Class) Transient() bool {
	switch c {
	case RateLimit, Server, Timeout, Network, BadResponse, WrongModel:
		return true
	}
	return false
}

// Answer reports whether there was an answer and it was unusable: with another seed the
// model may give a usable one.
func (c Class) Answer() bool {
	switch c {
	case Empty, CutOff, Refusal, Repetition, TooLong, WrongScript, Echo, OffTask:
		return true
	}
	return false
}

// Error is a classified failure of one request.
type Error struct {
	Class    Class
	Endpoint string // without credentials; empty if none was asked
	Model    string // as requested; may be empty
	Status   int    // HTTP status; 0 if there was none
	// RetryAfter is how long the server asks to wait; only meaningful if HasRetryAfter.
	RetryAfter    time.Duration
	HasRetryAfter bool
	OtherWeights  bool  // of class WrongModel: the server holds other weights under the name than those wanted
	Err           error // what happened; never carries a key
}

// Error names the endpoint, the model, the status and the class.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Endpoint != "" {
		b.WriteString(e.Endpoint + ": ")
	}
	if e.Model != "" {
		fmt.Fprintf(&b, "model %q: ", e.Model)
	}
	b.WriteString(string(e.Class))
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports a cancelled request as context.Canceled.
func (e *Error) Is(target error) bool { return target == context.Canceled && e.Class == Cancelled }

// ClassOf returns the class of the first *Error in err's chain. A bare context error is
// Cancelled or Timeout; any other unclassified error, and nil, have the empty class.
func ClassOf(err error) Class {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Class
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return ""
}
