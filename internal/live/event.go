package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mllmrec/mllmrec/internal/live/group"
)

// EventType says what a user did with an item.
type EventType string

// The types of events.
const (
	View     EventType = "view"
	Like     EventType = "like"
	Purchase EventType = "purchase"
	Hide     EventType = "hide"
)

// EventTypes lists all types, in the order in which tables show them.
var EventTypes = []EventType{View, Like, Purchase, Hide}

// Event is one piece of feedback.
type Event struct {
	Seq      int64     // its place among all events, from 1 without gaps; the store numbers
	Key      string    // makes it idempotent; empty: every post is stored
	User     string    // whose feedback it is
	Item     string    // on what
	Type     EventType // what was done
	Time     time.Time // when, as the client says; zero: it does not say. In microseconds
	Weight   *float64  // how much it counts, as the client says; nil: as the configuration says for its type
	Arm      string    // the arm of the A/B test that the user was in; not the client's word
	Request  string    // the id of the answer that the item stood in; empty where unknown
	Received time.Time // when the store took it in
}

// At is when an event happened: as the client says, or else when it was received.
func (e *Event) At() time.Time {
	if e.Time.IsZero() {
		return e.Received
	}
	return e.Time
}

// says reports whether two events with one key are the same words of a client. The arm is ours,
// and may have changed before the client tried again.
func (e *Event) says(o *Event) bool {
	return e.User == o.User && e.Item == o.Item && e.Type == o.Type && e.Request == o.Request && e.Time.Equal(o.Time) &&
		(e.Weight == nil) == (o.Weight == nil) && (e.Weight == nil || *e.Weight == *o.Weight)
}

// Receipt acknowledges an event.
type Receipt struct {
	Seq   int64
	Again bool // it had been stored before, under its key
}

// EventCount is how many events of a type there are in an arm.
type EventCount struct {
	Arm    string
	Type   EventType
	Events int64
}

// Outcome is what became of a batch of events: receipts, or what it contradicts.
type Outcome struct {
	Receipts []Receipt
	Err      error
}

// MaxBatch is how many events one call may add.
const MaxBatch = 10_000

// maxGroup is about how many events are committed together.
const maxGroup = 20_000

// commitTimeout bounds one commit, so that a database that hangs does not hold up everybody.
const commitTimeout = 30 * time.Second

// AddEvents stores events, all or none; when it returns without an error they are durable. Calls
// that come together share a commit. An event whose key is known and says the same is
// acknowledged again; one that says something else fails the call with a [ConflictError].
//
// Where AddEvents fails otherwise, events may be stored or not: the client sends them again under
// the same keys.
func (s *Store) AddEvents(ctx context.Context, events []Event) ([]Receipt, error) {
	return s.add(ctx, events, func(time.Time, time.Time) time.Time { return time.Time{} })
}

// RestoreEvents is AddEvents for events that were exported: where they say when they were
// received, and that is no moment to come, it is kept.
func (s *Store) RestoreEvents(ctx context.Context, events []Event) ([]Receipt, error) {
	return s.add(ctx, events, func(said, now time.Time) time.Time {
		if said.After(now) {
			return time.Time{}
		}
		return said
	})
}

// add stores events. received says which time of reception is kept; zero: now is.
func (s *Store) add(ctx context.Context, events []Event, received func(said, now time.Time) time.Time) ([]Receipt, error) {
	if len(events) == 0 {
		return nil, nil
	}
	if len(events) > MaxBatch {
		return nil, refuse("Send them in several parts.", "%d events at a time are more than %d", len(events), MaxBatch)
	}
	now := s.stamp()
	checked := make([]Event, len(events))
	for i, e := range events {
		if err := CheckEvent(&e); err != nil {
			return nil, fmt.Errorf("event %d: %w", i+1, err)
		}
		e.Seq, e.Time, e.Received = 0, toMicros(e.Time), toMicros(received(e.Received, now))
		if e.Received.IsZero() {
			e.Received = now
		}
		checked[i] = e
	}
	return s.events.Do(ctx, checked)
}

// toMicros is a time as it is stored; a zero one stays.
func toMicros(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// append commits the batches of several callers. A failure that will not pass is looked for one
// caller at a time, so that nobody fails for another's events.
func (s *Store) append(batches [][]Event) []group.Result[[]Receipt] {
	results := make([]group.Result[[]Receipt], len(batches))
	outcomes, err := s.appendOnce(batches)
	if err != nil && len(batches) > 1 && !Unavailable(err) {
		for i := range batches {
			results[i] = s.append(batches[i : i+1])[0]
		}
		return results
	}
	for i := range results {
		if results[i].Err = err; err == nil {
			results[i].Value, results[i].Err = outcomes[i].Receipts, outcomes[i].Err
		}
	}
	return results
}

func (s *Store) appendOnce(batches [][]Event) ([]Outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	return s.driver.Append(ctx, batches)
}

// Events returns at most limit events after a sequence number, in order: a reader that goes on
// after the last one it got misses none.
func (s *Store) Events(ctx context.Context, after int64, limit int) ([]Event, error) {
	return s.driver.Events(ctx, after, limit)
}

// eventPage is how many events EachEvent reads at a time.
const eventPage = 5000

// EachEvent calls fn with every event after a sequence number that is there when it begins, in
// order, until fn fails.
func (s *Store) EachEvent(ctx context.Context, after int64, fn func(Event) error) error {
	last, _, err := s.driver.Last(ctx)
	if err != nil {
		return err
	}
	for after < last {
		page, err := s.driver.Events(ctx, after, int(min(eventPage, last-after)))
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return fmt.Errorf("events %d to %d of the live state are missing", after+1, last)
		}
		for _, e := range page {
			if err := fn(e); err != nil {
				return err
			}
		}
		after = page[len(page)-1].Seq
	}
	return nil
}

// CountEvents returns how many events there are by arm and type, in that order.
func (s *Store) CountEvents(ctx context.Context) ([]EventCount, error) {
	return s.driver.CountEvents(ctx)
}

// Settle decides, for a driver, what becomes of batches of events: known holds the stored events
// with the batches' keys, last is the number of the last event. It returns the outcome of each
// batch and the events to store, numbered.
func Settle(batches [][]Event, known map[string]Event, last int64) (outcomes []Outcome, fresh []Event) {
	outcomes = make([]Outcome, len(batches))
	met := map[string]Event{} // by key, of fresh
	find := func(key string, within map[string]Event) (Event, bool) {
		for _, m := range []map[string]Event{known, met, within} {
			if e, ok := m[key]; ok && key != "" {
				return e, true
			}
		}
		return Event{}, false
	}
	for b, batch := range batches {
		receipts, within, next := make([]Receipt, len(batch)), map[string]Event{}, last
		added := len(fresh)
		for i, e := range batch {
			if old, there := find(e.Key, within); there {
				if !old.says(&e) {
					outcomes[b].Err = conflict("event %d: the key %q stands for another event, number %d", i+1, e.Key, old.Seq)
					break
				}
				receipts[i] = Receipt{Seq: old.Seq, Again: true}
				continue
			}
			next++
			e.Seq = next
			within[e.Key] = e
			fresh = append(fresh, e)
			receipts[i] = Receipt{Seq: next}
		}
		if outcomes[b].Err != nil {
			fresh = fresh[:added]
			continue
		}
		outcomes[b].Receipts, last = receipts, next
		for key, e := range within {
			met[key] = e
		}
	}
	return outcomes, fresh
}

// Tally counts events, for a driver that keeps counts beside them.
func Tally(events []Event) []EventCount {
	type column struct {
		arm string
		of  EventType
	}
	counts := map[column]int64{}
	for _, e := range events {
		counts[column{e.Arm, e.Type}]++
	}
	all := make([]EventCount, 0, len(counts))
	for c, n := range counts {
		all = append(all, EventCount{c.arm, c.of, n})
	}
	slices.SortFunc(all, func(a, b EventCount) int {
		return cmp.Or(cmp.Compare(a.Arm, b.Arm), cmp.Compare(a.Type, b.Type))
	})
	return all
}
