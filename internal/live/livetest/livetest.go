// Package livetest says what every driver of the live state must do.
package livetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Opener opens stores. Each call of Empty gives an empty one, Again opens the same once more, as
// another process would.
type Opener struct {
	Empty, Again func(t testing.TB) *live.Store
}

// Run runs the suite.
func Run(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"events come back": eventsComeBack, "events are idempotent": idempotent, "batches are all or none": allOrNone,
		"posts at once": postsAtOnce, "two processes": twoProcesses, "each event, paged": eachEvent,
		"preferences": preferences, "preferences edited at once": editedAtOnce, "items": items, "users": users,
		"keys": keys, "keys are used": keysUsed, "serving": serving, "changes": changes, "follow": follow,
		"hostile strings": hostile, "long strings": long, "cancelled": cancelled, "empty": empty,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func view(item, key string) live.Event {
	return live.Event{User: "u", Item: item, Key: key, Type: live.View}
}

func add(t testing.TB, s *live.Store, events ...live.Event) []live.Receipt {
	t.Helper()
	receipts, err := s.AddEvents(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	if len(receipts) != len(events) {
		t.Fatalf("%d receipts for %d events", len(receipts), len(events))
	}
	return receipts
}

func all(t testing.TB, s *live.Store) []live.Event {
	t.Helper()
	var got []live.Event
	if err := s.EachEvent(t.Context(), 0, func(e live.Event) error {
		got = append(got, e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func eventsComeBack(t *testing.T, open Opener) {
	s := open.Empty(t)
	weight, none := 2.5, 0.0
	at := time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.FixedZone("", 3600))
	want := []live.Event{
		{User: "u1", Item: "i1", Type: live.Like, Key: "k1", Time: at, Weight: &weight, Arm: "new", Request: "r-1"},
		{User: "u1", Item: "i2", Type: live.View, Weight: &none},
		{User: "u2", Item: "i1", Type: live.Purchase, Arm: "base"},
		{User: "u2", Item: "i1", Type: live.Purchase, Arm: "base"},
		{User: "u2", Item: "i3", Type: live.Hide, Arm: "new"},
	}
	before := time.Now().Add(-time.Second)
	receipts := add(t, s, want[:3]...)
	receipts = append(receipts, add(t, s, want[3:]...)...)
	got := all(t, open.Again(t))
	for i := range want {
		if receipts[i] != (live.Receipt{Seq: int64(i + 1)}) {
			t.Errorf("receipt %d: %+v", i, receipts[i])
		}
		want[i].Seq = int64(i + 1)
		if i < len(got) {
			if r := got[i].Received; r.Before(before) || r.After(time.Now().Add(time.Second)) || got[i].At().IsZero() {
				t.Errorf("event %d was received at %v", i, r)
			}
			want[i].Received = got[i].Received
		}
	}
	want[0].Time = at.UTC().Truncate(time.Microsecond)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	counts, err := s.CountEvents(t.Context())
	if diff := cmp.Diff([]live.EventCount{{Arm: "", Type: live.View, Events: 1}, {Arm: "base", Type: live.Purchase, Events: 2},
		{Arm: "new", Type: live.Hide, Events: 1}, {Arm: "new", Type: live.Like, Events: 1}}, counts); err != nil || diff != "" {
		t.Error(err, diff)
	}
	part, err := s.Events(t.Context(), 2, 2)
	if err != nil || len(part) != 2 || part[0].Seq != 3 || part[1].Seq != 4 {
		t.Errorf("after 2: %+v, %v", part, err)
	}
}

func idempotent(t *testing.T, open Opener) {
	s := open.Empty(t)
	w, other := 1.0, 2.0
	e := live.Event{User: "u", Item: "i", Type: live.View, Key: "k", Time: time.Unix(1e9, 1500), Weight: &w, Arm: "a", Request: "r"}
	add(t, s, view("before", ""))
	first := add(t, s, e)[0]
	again := e
	same := w
	again.Weight, again.Arm = &same, "the arms were changed meanwhile"
	for _, s := range []*live.Store{s, open.Again(t)} {
		if got := add(t, s, again)[0]; got != (live.Receipt{Seq: first.Seq, Again: true}) {
			t.Errorf("sent again: %+v, first %+v", got, first)
		}
		for what, change := range map[string]func(*live.Event){
			"user": func(e *live.Event) { e.User = "v" }, "item": func(e *live.Event) { e.Item = "j" },
			"type": func(e *live.Event) { e.Type = live.Like }, "time": func(e *live.Event) { e.Time = time.Time{} },
			"weight": func(e *live.Event) { e.Weight = &other }, "no weight": func(e *live.Event) { e.Weight = nil },
			"request": func(e *live.Event) { e.Request = "" },
		} {
			e := e
			change(&e)
			if _, err := s.AddEvents(t.Context(), []live.Event{e}); !live.Conflict(err) || live.Unavailable(err) || !strings.Contains(err.Error(), `"k"`) {
				t.Errorf("another %s under the same key: %v", what, err)
			}
		}
	}
	if got := all(t, s); len(got) != 2 {
		t.Errorf("%d events of 2", len(got))
	}
}

func allOrNone(t *testing.T, open Opener) {
	s := open.Empty(t)
	add(t, s, view("i", "k"))
	bad := live.Event{User: "u", Item: "i", Type: "stare"}
	if _, err := s.AddEvents(t.Context(), []live.Event{view("j", ""), bad}); err == nil || !strings.Contains(err.Error(), "event 2") {
		t.Errorf("an unknown type: %v", err)
	}
	if _, err := s.AddEvents(t.Context(), []live.Event{view("j", "new"), view("other", "k")}); !live.Conflict(err) {
		t.Errorf("a conflict: %v", err)
	}
	if _, err := s.AddEvents(t.Context(), []live.Event{view("j", "twice"), view("k", "twice")}); !live.Conflict(err) {
		t.Errorf("a conflict within a batch: %v", err)
	}
	if got := add(t, s, view("j", "new"), view("j", "new"), view("i", "k")); got[0] != (live.Receipt{Seq: 2}) || got[1] != (live.Receipt{Seq: 2, Again: true}) || got[2] != (live.Receipt{Seq: 1, Again: true}) {
		t.Errorf("a key twice in a batch: %+v", got)
	}
	if got := all(t, s); len(got) != 2 {
		t.Errorf("%d events of 2", len(got))
	}
}

// Of posts that share a commit, one that conflicts takes no other with it.
func postsAtOnce(t *testing.T, open Opener) {
	s := open.Empty(t)
	add(t, s, view("i", "taken"))
	const posts = 60
	var wg sync.WaitGroup
	seen := make([]int64, posts)
	for p := range posts {
		wg.Go(func() {
			if p%10 == 9 {
				if _, err := s.AddEvents(t.Context(), []live.Event{view("x", ""), view("j", "taken")}); !live.Conflict(err) {
					t.Errorf("post %d: %v", p, err)
				}
				return
			}
			events := []live.Event{view("i", fmt.Sprint("k", p)), view("i", fmt.Sprint("shared", p/2))}
			receipts, err := s.AddEvents(t.Context(), events)
			if err != nil {
				t.Error(err)
				return
			}
			seen[p] = receipts[0].Seq
		})
	}
	wg.Wait()
	got := all(t, s)
	if want := 1 + 54 + 30; len(got) != want {
		t.Errorf("%d events of %d", len(got), want)
	}
	for i, e := range got {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
	}
	for p, seq := range seen {
		if seq > 0 && got[seq-1].Key != fmt.Sprint("k", p) {
			t.Errorf("the receipt of post %d is that of %s", p, got[seq-1].Key)
		}
	}
}

// A reader that goes on after the last number it saw misses no event of two writers.
func twoProcesses(t *testing.T, open Opener) {
	a := open.Empty(t)
	b := open.Again(t)
	const each = 60
	var wg sync.WaitGroup
	for w, s := range []*live.Store{a, b} {
		wg.Go(func() {
			for i := range each {
				if _, err := s.AddEvents(t.Context(), []live.Event{view("i", fmt.Sprintf("w%d-%d", w, i)), view("i", fmt.Sprintf("both-%d", i))}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	reader := open.Again(t)
	met := map[string]bool{}
	var last int64
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		page, err := reader.Events(t.Context(), last, 7)
		for ; err == nil && len(page) > 0; page, err = reader.Events(t.Context(), last, 7) {
			for _, e := range page {
				if e.Seq != last+1 || met[e.Key] {
					t.Fatalf("event %d, %s, after %d", e.Seq, e.Key, last)
				}
				last, met[e.Key] = e.Seq, true
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(met) != 3*each {
		t.Errorf("%d events of %d", len(met), 3*each)
	}
}

func eachEvent(t *testing.T, open Opener) {
	s := open.Empty(t)
	const n = 12_345
	batch := make([]live.Event, 0, n)
	for i := range n {
		batch = append(batch, view(fmt.Sprint("i", i), fmt.Sprint("k", i)))
	}
	if _, err := s.AddEvents(t.Context(), batch); err == nil {
		t.Errorf("%d events at a time were taken", n)
	}
	add(t, s, batch[:live.MaxBatch]...)
	add(t, s, batch[live.MaxBatch:]...)
	next := int64(100)
	err := s.EachEvent(t.Context(), next, func(e live.Event) error {
		if next++; e.Seq != next || e.Item != fmt.Sprint("i", next-1) {
			return fmt.Errorf("event %d, %s, in place of %d", e.Seq, e.Item, next)
		}
		return nil
	})
	if err != nil || next != n {
		t.Errorf("came to %d: %v", next, err)
	}
	stop := errors.New("enough")
	if err := s.EachEvent(t.Context(), 0, func(live.Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the callback's error is hidden: %v", err)
	}
}

func cancelled(t *testing.T, open Opener) {
	s := open.Empty(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.AddEvents(ctx, []live.Event{view("i", "")}); !errors.Is(err, context.Canceled) {
		t.Errorf("AddEvents: %v", err)
	}
	if _, err := s.Events(ctx, 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Events: %v", err)
	}
	if _, err := s.EditPreference(ctx, live.Edit{User: "u", Text: "t", By: live.ByUser, Base: live.AnyVersion}); !errors.Is(err, context.Canceled) {
		t.Errorf("EditPreference: %v", err)
	}
}

func empty(t *testing.T, open Opener) {
	s := open.Empty(t)
	event, change, err := s.Last(t.Context())
	if event != 0 || change != 0 || err != nil {
		t.Errorf("last %d, %d, %v", event, change, err)
	}
	if got, err := s.AddEvents(t.Context(), nil); len(got) != 0 || err != nil {
		t.Errorf("no events: %v, %v", got, err)
	}
	if got, next, err := s.Changes(t.Context(), 0, 10); len(got) != 0 || next != 0 || err != nil {
		t.Errorf("changes: %v, %d, %v", got, next, err)
	}
	if _, there, err := s.Preference(t.Context(), "u"); there || err != nil {
		t.Errorf("preference: %v, %v", there, err)
	}
	if _, there, err := s.Serving(t.Context()); there || err != nil {
		t.Errorf("serving: %v, %v", there, err)
	}
	if got, err := s.Keys(t.Context()); len(got) != 0 || err != nil {
		t.Errorf("keys: %v, %v", got, err)
	}
	if got, err := s.CountEvents(t.Context()); len(got) != 0 || err != nil {
		t.Errorf("counts: %v, %v", got, err)
	}
	if _, err := s.RevertPreference(t.Context(), "u", 3, live.ByUser, live.AnyVersion); usererr.KindOf(err) != usererr.KindUnknown {
		t.Errorf("revert to nothing: %v", err)
	}
}
