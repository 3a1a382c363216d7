// Package image turns what a catalogue says of a picture (a file, a folder with files
// named by item, a URL, a data URI) into bytes fit to be sent to a model: decoded within
// limits, turned upright, flattened on white, made small, encoded again as JPEG. It is
// the picture of Eq. 1.
//
// Pictures come from strangers. Nothing is trusted: not the address (checked on every
// connection, after DNS), not the name's extension, not the declared type or length, not
// the header's dimensions. Every failure is an *Error with a Kind, so that a run can list
// it and go on with the item's text.
//
// The prepared bytes are computed with integers only and depend on the source, the
// Options and the encoder of Go's standard library, not on the machine. Their SHA-256 is
// part of the key under which an answer is kept; a new Go release that changes
// image/jpeg changes it, except for pictures kept in the cache.
package image

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Kind says why a picture cannot be used.
type Kind string

// The kinds of failure.
const (
	BadReference  Kind = "bad-reference"   // neither a path nor a URL we follow
	Blocked       Kind = "blocked-address" // resolves to an address that is not public
	Missing       Kind = "missing"         // no such file, or HTTP 404 or 410
	Unreadable    Kind = "unreadable"      // the file cannot be read
	TooLarge      Kind = "too-large"       // more bytes than allowed
	TooManyPixels Kind = "too-many-pixels" // more pixels than allowed, by its header
	NotAnImage    Kind = "not-an-image"    // by its content, whatever its name
	Unsupported   Kind = "unsupported"     // a picture, of a format or flavour we do not read
	Corrupt       Kind = "corrupt"         // truncated or damaged
	Refused       Kind = "refused"         // HTTP 403 and the like: asking again is of no use
	HTTPStatus    Kind = "http-status"     // the server answers with an error that may pass
	Redirects     Kind = "redirects"       // too many of them
	Timeout       Kind = "timeout"         // not whole in time
	Network       Kind = "network"         // no connection, or it broke
	Cancelled     Kind = "cancelled"       // we stopped it
)

// Error is a picture that cannot be used.
type Error struct {
	Kind       Kind
	Ref        string // shortened, without credentials or query
	Status     int    // HTTP status, if there was one
	Temporary  bool   // may succeed later
	RetryAfter time.Duration
	Err        error
}

// Error names the picture, the kind and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("image ")
	if e.Ref != "" {
		b.WriteString(e.Ref + ": ")
	}
	b.WriteString(string(e.Kind))
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

// KindOf returns the Kind of the first *Error in err's chain, or "".
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func fail(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// Options set the limits. The zero value of each field means its default.
type Options struct {
	LongSide  int   // pixels of the longer side after preparation; 896
	Quality   int   // of the JPEG; 90
	MaxBytes  int64 // of the source; 20 MiB
	MaxPixels int64 // of the source; 40 million

	Dir          string        // folder that relative paths are resolved in and may not leave; "" = any path, relative to the working directory
	AllowPrivate bool          // also connect to loopback, private and other special addresses
	Timeout      time.Duration // of one download, redirects included; 30 s
	Attempts     int           // for failures that may pass; 3
	MaxRedirects int           // 5
	PerHost      int           // downloads from one host at a time; 4
	UserAgent    string        // "mllmrec"
	CacheDir     string        // for downloads and prepared pictures; "" = no cache on disk
	Revalidate   time.Duration // age at which a cached download is asked about again; 24 h
}

func (o Options) withDefaults() (Options, error) {
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	set(&o.LongSide, 896)
	set(&o.Quality, 90)
	set(&o.Attempts, 3)
	set(&o.MaxRedirects, 5)
	set(&o.PerHost, 4)
	if o.MaxBytes == 0 {
		o.MaxBytes = 20 << 20
	}
	if o.MaxPixels == 0 {
		o.MaxPixels = 40_000_000
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Revalidate == 0 {
		o.Revalidate = 24 * time.Hour
	}
	if o.UserAgent == "" {
		o.UserAgent = "mllmrec"
	}
	switch {
	case o.LongSide < 16 || o.LongSide > 16384:
		return o, usererr.New("Use a number of pixels from 16 to 16384.", "long side of pictures: %d", o.LongSide)
	case o.Quality < 1 || o.Quality > 100:
		return o, usererr.New("Use a number from 1 to 100.", "JPEG quality of pictures: %d", o.Quality)
	case o.MaxBytes < 0 || o.MaxPixels < 0 || o.Timeout < 0 || o.Attempts < 0 || o.MaxRedirects < 0 || o.PerHost < 0 || o.Revalidate < 0:
		return o, usererr.New("Limits are positive numbers; leave them out for the defaults.", "a limit on pictures is negative")
	}
	return o, nil
}
