// Package image loads the pictures of items, from a file, a folder with files named by item,
// a URL or a data URI, and prepares them for the model that describes them. It decodes them
// within limits, turns them upright, puts them on white, makes them small, and encodes them
// as JPEG: the image of Eq. 1.
//
// Pictures come from strangers, so nothing about them is trusted: not the address (which is
// checked on every connection, after DNS), the extension of the name, the declared type or
// length, or the dimensions in the header. Every failure is an [*Error] with a [Kind], so
// that a run can list it and continue with the item's text.
//
// Preparing uses integers only. The result depends on the source, the Options and Go's
// image/jpeg, not on the machine. Its SHA-256 is part of the key of the stored answer, so a
// Go release that changes image/jpeg changes keys, except for pictures in the cache.
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
	BadReference  Kind = "bad-reference"   // neither a path nor a supported URL
	Blocked       Kind = "blocked-address" // resolves to an address that is not public
	Outside       Kind = "outside"         // lies in no folder that pictures may lie in
	Missing       Kind = "missing"         // no such file, or HTTP 404 or 410
	Unreadable    Kind = "unreadable"      // the file cannot be read
	TooLarge      Kind = "too-large"       // more bytes than allowed
	TooManyPixels Kind = "too-many-pixels" // more pixels than allowed, by its header
	NotAnImage    Kind = "not-an-image"    // by its content, whatever its name
	Unsupported   Kind = "unsupported"     // a picture in a format that is not supported
	Corrupt       Kind = "corrupt"         // truncated or damaged
	Refused       Kind = "refused"         // HTTP 403 and similar: another try would fail too
	HTTPStatus    Kind = "http-status"     // the server reports an error that may pass
	Redirects     Kind = "redirects"       // too many of them
	Timeout       Kind = "timeout"         // not complete in time
	Network       Kind = "network"         // no connection, or it broke
	Cancelled     Kind = "cancelled"       // the caller cancelled the download
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

	Dir          string        // folder that relative paths start from and must stay in; "" = any path, relative to the working directory
	Within       []string      // folders that files must lie in, links followed no further; nil = anywhere
	AllowPrivate bool          // also connect to loopback, private and other special addresses
	Timeout      time.Duration // of one download, redirects included; 30 s
	Attempts     int           // tries of a download; 3
	MaxRedirects int           // 5
	PerHost      int           // downloads from one host at a time; 4
	UserAgent    string        // "mllmrec"
	CacheDir     string        // for downloads and prepared pictures; "" = no cache on disk
	Revalidate   time.Duration // age from which the server is asked whether a cached download changed; 24 h
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
		return o, usererr.New("Use positive numbers, or leave the limits out for the defaults.", "a limit on pictures is negative")
	}
	return o, nil
}
