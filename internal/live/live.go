// Package live keeps what happens in a shop while it is served: feedback, edited preference
// texts, items and users that came or changed since the run was trained, keys of the HTTP API,
// and which run is served. What [Store] has acknowledged survives a kill of the process and a
// crash of the machine.
//
// A [Store] does the thinking over a [Driver], which keeps two things: events, which are only
// ever appended, and records, which have versions. Sub-package sqlite keeps them in one file,
// sub-package postgres in a database that several replicas share, sub-package livetest says what
// both must do. Whoever serves keeps what it needs in memory and follows [Store.Changes], so
// that it goes on while the database is away.
package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mllmrec/mllmrec/internal/live/group"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Driver stores events and records. It is safe for concurrent use, also by several processes.
// What it is handed has been checked, and what has no error is durable when a call returns.
type Driver interface {
	// Append stores batches of events in one transaction, numbers the new ones from 1 without gaps,
	// and says of each batch what became of it: one that contradicts what is stored is left out
	// whole and the others are not. Use [Settle].
	Append(ctx context.Context, batches [][]Event) ([]Outcome, error)
	// Events returns at most limit events after a sequence number, in order.
	Events(ctx context.Context, after int64, limit int) ([]Event, error)
	// CountEvents returns how many events there are by arm and type, in that order.
	CountEvents(ctx context.Context) ([]EventCount, error)

	// Update calls change with those of the records named that are there, and stores what it returns
	// as their next versions, all or none. No other Update happens between. change may be called
	// again after a failure.
	Update(ctx context.Context, kind Kind, ids []string, change func(now map[string]Record) ([]Record, error)) ([]Record, error)
	// Get returns those of the records named that are there.
	Get(ctx context.Context, kind Kind, ids []string) (map[string]Record, error)
	// List returns all records of a kind, by id.
	List(ctx context.Context, kind Kind) ([]Record, error)
	// History returns the versions of a record that were kept, oldest first, the current one last.
	History(ctx context.Context, kind Kind, id string) ([]Record, error)
	// Changes returns at most limit records whose current version came after a sequence number, in
	// the order of their changes.
	Changes(ctx context.Context, after int64, limit int) ([]Record, error)
	// Last returns the sequence numbers of the last event and the last change.
	Last(ctx context.Context) (event, change int64, err error)

	Close() error
}

// Kind says what a record is about.
type Kind string

// The kinds of records.
const (
	KindItem       Kind = "item"
	KindUser       Kind = "user"
	KindPreference Kind = "preference"
	KindKey        Kind = "key"
	KindKeyUse     Kind = "key-use" // when a key was last used
	KindServing    Kind = "serving"
)

// Kept reports whether earlier versions of records of a kind are kept.
func (k Kind) Kept() bool { return k == KindPreference || k == KindServing }

// Record is one version of what a store keeps beside events.
type Record struct {
	Kind    Kind
	ID      string
	Version int64     // from 1; the driver numbers
	Seq     int64     // of the change, over all records, from 1 without gaps; the driver numbers
	Changed time.Time // in microseconds; the driver does not look at it
	Body    string    // JSON
}

// Store is the live state of one shop. It is safe for concurrent use.
type Store struct {
	driver Driver
	events *group.Committer[[]Event, []Receipt]
	wake   bell
	now    func() time.Time
}

// New makes a store over a driver, which [Store.Close] closes.
func New(d Driver) *Store {
	s := &Store{driver: d, now: time.Now}
	s.events = group.New(s.append, maxGroup, func(batch []Event) int { return len(batch) })
	return s
}

// Close waits for what is being stored and closes the driver.
func (s *Store) Close() error {
	s.events.Close()
	return s.driver.Close()
}

// Check asks the driver whether it can be read.
func (s *Store) Check(ctx context.Context) error {
	_, _, err := s.driver.Last(ctx)
	return err
}

// Last returns the sequence numbers of the last event and the last change; 0 where there is none.
func (s *Store) Last(ctx context.Context) (event, change int64, err error) {
	return s.driver.Last(ctx)
}

// stamp is the time now as it is stored.
func (s *Store) stamp() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// UnavailableError says that the store cannot be reached or written now, for a reason that may
// pass: a database that restarts, a full disk, a lock. Nothing is lost that was acknowledged.
type UnavailableError struct{ Err error }

func (e *UnavailableError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Passing makes an UnavailableError of err, which keeps its hint.
func Passing(err error) error {
	return &UnavailableError{Err: usererr.WrapAs(usererr.KindUnavailable, err, "")}
}

// Unavailable reports whether the same call may succeed later.
func Unavailable(err error) bool {
	var u *UnavailableError
	return errors.As(err, &u)
}

// ConflictError says that what was to be stored contradicts what is there: an event's key stands
// for another event, or a text was edited meanwhile.
type ConflictError struct{ Message string }

func (e *ConflictError) Error() string { return e.Message }

func conflict(format string, args ...any) error {
	return &ConflictError{Message: fmt.Sprintf(format, args...)}
}

// Conflict reports whether what was to be stored contradicts what is there.
func Conflict(err error) bool {
	var c *ConflictError
	return errors.As(err, &c)
}
