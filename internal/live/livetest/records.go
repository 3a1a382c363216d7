package livetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func edit(t testing.TB, s *live.Store, user, text string, by live.Author, base int64) live.Preference {
	t.Helper()
	p, err := s.EditPreference(t.Context(), live.Edit{User: user, Text: text, By: by, Base: base})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func preferences(t *testing.T, open Opener) {
	s := open.Empty(t)
	edit(t, s, "other", "not this", live.ByUser, 0)
	edit(t, s, "u", "likes red <things> & 'more'", live.ByUser, 0)
	edit(t, s, "u", "likes blue things", live.ByAdmin, 1)
	if _, err := s.EditPreference(t.Context(), live.Edit{User: "u", Text: "seen too early", By: live.ByUser, Base: 1}); !live.Conflict(err) {
		t.Errorf("an edit over an edit: %v", err)
	}
	if _, err := s.RevertPreference(t.Context(), "u", 1, live.ByUser, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RevertPreference(t.Context(), "u", 0, live.ByAdmin, live.AnyVersion); err != nil {
		t.Fatal(err)
	}
	edit(t, s, "u", "written by a model", live.ByModel, live.AnyVersion)
	if _, err := s.RevertPreference(t.Context(), "u", 9, live.ByUser, live.AnyVersion); usererr.KindOf(err) != usererr.KindUnknown {
		t.Errorf("to a version that is not there: %v", err)
	}
	if _, err := s.EditPreference(t.Context(), live.Edit{User: "u", By: live.ByUser, Base: live.AnyVersion}); err == nil {
		t.Error("an empty text was stored")
	}
	s = open.Again(t)
	got, err := s.PreferenceHistory(t.Context(), "u")
	if err != nil {
		t.Fatal(err)
	}
	var said []live.PreferenceText
	for i, p := range got {
		if p.Version != int64(i+1) || p.User != "u" || p.Seq != int64(i+2) || time.Since(p.Changed).Abs() > time.Minute {
			t.Errorf("version %d: %+v", i+1, p)
		}
		said = append(said, p.PreferenceText)
	}
	if diff := cmp.Diff([]live.PreferenceText{
		{Text: "likes red <things> & 'more'", By: live.ByUser},
		{Text: "likes blue things", By: live.ByAdmin},
		{Text: "likes red <things> & 'more'", By: live.ByUser, From: 1},
		{Own: true, By: live.ByAdmin},
		{Text: "written by a model", By: live.ByModel},
	}, said); diff != "" {
		t.Error(diff)
	}
	if p, there, err := s.Preference(t.Context(), "u"); err != nil || !there || !cmp.Equal(p, got[4]) {
		t.Errorf("current: %+v, %v, %v", p, there, err)
	}
}

// Of edits of the same version, one is stored.
func editedAtOnce(t *testing.T, open Opener) {
	a := open.Empty(t)
	b := open.Again(t)
	const rounds = 10
	stored := make([]int, 2*rounds)
	var wg sync.WaitGroup
	for i := range stored {
		wg.Go(func() {
			for base := range int64(rounds) {
				_, err := []*live.Store{a, b}[i%2].EditPreference(t.Context(), live.Edit{User: "u", Text: fmt.Sprint(i, base), By: live.ByUser, Base: base})
				switch {
				case err == nil:
					stored[i]++
				case !live.Conflict(err):
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range stored {
		total += n
	}
	history, err := a.PreferenceHistory(t.Context(), "u")
	if err != nil || len(history) != total || total == 0 || total > rounds {
		t.Errorf("%d versions of %d edits, %v", len(history), total, err)
	}
}

func items(t *testing.T, open Opener) {
	s := open.Empty(t)
	lamp := dataset.Item{ID: "lamp", Title: "Lamp <1>", Brand: "Lux", Categories: []string{"home", "light"}, Description: "bright\nand & warm", Image: "lamp.png", Price: 12.5}
	put := func(items ...dataset.Item) []live.Item {
		t.Helper()
		got, err := s.PutItems(t.Context(), items)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	hide := func(hidden bool, ids ...string) []live.Item {
		t.Helper()
		got, err := s.HideItems(t.Context(), ids, hidden)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	put(lamp, dataset.Item{ID: "bare"})
	for _, price := range []float64{-1, math.NaN(), math.Inf(1), 2 * dataset.MaxPrice} {
		if _, err := s.PutItems(t.Context(), []dataset.Item{{ID: "dear", Price: price}}); err == nil {
			t.Errorf("a price of %v is taken", price)
		}
	}
	hide(true, "lamp", "of the run")
	brighter := lamp
	brighter.Title = "Lamp 2"
	if got := put(brighter)[0]; !got.Hidden || got.Version != 3 || got.Fields.Title != "Lamp 2" {
		t.Errorf("changed while hidden: %+v", got)
	}
	before, _, _ := s.Item(t.Context(), "lamp")
	if got := put(brighter, dataset.Item{ID: "new"}); !cmp.Equal(got[0], before) || got[1].Version != 1 {
		t.Errorf("put as it was: %+v, was %+v", got, before)
	}
	hide(false, "lamp")
	s = open.Again(t)
	for id, want := range map[string]live.ItemState{
		"lamp": {Fields: &brighter}, "bare": {Fields: &dataset.Item{ID: "bare"}}, "of the run": {Hidden: true},
	} {
		if got, there, err := s.Item(t.Context(), id); err != nil || !there || !cmp.Equal(got.ItemState, want) {
			t.Errorf("%s: %v, %v, %s", id, there, err, cmp.Diff(want, got.ItemState))
		}
	}
	if _, err := s.PutItems(t.Context(), []dataset.Item{{ID: "one"}, {ID: ""}}); err == nil {
		t.Error("an item without id was stored")
	}
	if _, err := s.PutItems(t.Context(), []dataset.Item{{ID: "one"}, {ID: "one", Title: "other"}}); err == nil {
		t.Error("an item that comes twice was stored")
	}
	if _, there, err := s.Item(t.Context(), "one"); there || err != nil {
		t.Errorf("half of a refused call is there: %v, %v", there, err)
	}
}

func users(t *testing.T, open Opener) {
	s := open.Empty(t)
	first, err := s.AddUsers(t.Context(), []string{"b", "a", "b"})
	if err != nil || len(first) != 3 || first[0] != first[2] || first[0].ID != "b" || first[1].Seq != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := open.Again(t).AddUsers(t.Context(), []string{"a", "c"})
	if err != nil || again[0] != first[1] || again[1].Version != 1 || again[1].Seq != 3 {
		t.Errorf("again: %+v, first %+v, %v", again, first, err)
	}
}

func serving(t *testing.T, open Opener) {
	s := open.Empty(t)
	test := live.ServingState{Run: "runs/a", Arms: []live.Arm{{Name: "base", Run: "runs/a", Share: 90}, {Name: "new", Run: "runs/b", Share: 10}}, Why: "try it"}
	for base, state := range []live.ServingState{{Run: "runs/a"}, test, {Run: "runs/b", Why: "it was better"}} {
		if _, err := s.Serve(t.Context(), state, int64(base)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Serve(t.Context(), live.ServingState{Run: "runs/c"}, 2); !live.Conflict(err) {
		t.Errorf("over a change: %v", err)
	}
	for name, bad := range map[string]live.ServingState{
		"no run": {}, "half": {Run: "r", Arms: test.Arms[:1]}, "twice": {Run: "r", Arms: []live.Arm{{Name: "a", Run: "r", Share: 50}, {Name: "a", Run: "r", Share: 50}}}, "nothing": {Run: "r", Arms: []live.Arm{{Name: "a", Run: "r", Share: 100}, {Name: "b", Run: "r", Share: 0}}},
	} {
		if _, err := s.Serve(t.Context(), bad, live.AnyVersion); err == nil {
			t.Errorf("%s was stored", name)
		}
	}
	s = open.Again(t)
	back, err := s.ServeAgain(t.Context(), 2, "it was not")
	want := test
	want.Why, want.From = "it was not", 2
	if err != nil || back.Version != 4 || !cmp.Equal(back.ServingState, want) {
		t.Errorf("back: %+v, %v", back, err)
	}
	if _, err := s.ServeAgain(t.Context(), 5, ""); usererr.KindOf(err) != usererr.KindUnknown {
		t.Errorf("back to nothing: %v", err)
	}
	now, there, err := s.Serving(t.Context())
	if err != nil || !there || !cmp.Equal(now, back) {
		t.Errorf("now: %+v, %v, %v", now, there, err)
	}
	if history, err := s.ServingHistory(t.Context()); err != nil || len(history) != 4 || !cmp.Equal(history[1].ServingState, test) {
		t.Errorf("history: %+v, %v", history, err)
	}
}

// Whoever applies all changes stands as the store does; of each thing the newest version comes,
// once.
func changes(t *testing.T, open Opener) {
	s := open.Empty(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.PutItems(t.Context(), []dataset.Item{{ID: "x", Title: "1"}, {ID: "y"}})
	must(err)
	_, err = s.AddUsers(t.Context(), []string{"u"})
	must(err)
	edit(t, s, "u", "one", live.ByUser, 0)
	_, err = s.PutItems(t.Context(), []dataset.Item{{ID: "x", Title: "2"}})
	must(err)
	_, k, err := s.NewKey(t.Context(), "shop", []live.Role{live.Read})
	must(err)
	must(s.UsedKeys(t.Context(), []string{k.ID}))
	_, err = s.Serve(t.Context(), live.ServingState{Run: "r"}, 0)
	must(err)
	edit(t, s, "u", "two", live.ByUser, 1)
	reader := open.Again(t)
	var said []string
	var after int64
	for {
		part, next, err := reader.Changes(t.Context(), after, 2)
		must(err)
		if next == after {
			break
		}
		for _, c := range part {
			if c.Seq <= after || c.Seq > next {
				t.Errorf("change %d between %d and %d", c.Seq, after, next)
			}
			said = append(said, sayChange(c))
		}
		after = next
	}
	want := []string{"2 item y ", "3 user u", "5 item x 2", "6 key shop", "8 serving r", "9 preference u two"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	if _, last, err := reader.Last(t.Context()); err != nil || last != after {
		t.Errorf("the last change is %d, %v; changes led to %d", last, err, after)
	}
}

func sayChange(c live.Change) string {
	switch {
	case c.Item != nil:
		return fmt.Sprint(c.Seq, " item ", c.Item.ID, " ", c.Item.Fields.Title)
	case c.User != nil:
		return fmt.Sprint(c.Seq, " user ", c.User.ID)
	case c.Preference != nil:
		return fmt.Sprint(c.Seq, " preference ", c.Preference.User, " ", c.Preference.Text)
	case c.Key != nil:
		return fmt.Sprint(c.Seq, " key ", c.Key.Name)
	case c.Serving != nil:
		return fmt.Sprint(c.Seq, " serving ", c.Serving.Run)
	}
	return "nothing"
}

// Each of two replicas sees what the other changes.
func follow(t *testing.T, open Opener) {
	a := open.Empty(t)
	replicas := []*live.Store{a, open.Again(t)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	edit(t, a, "before", "x", live.ByUser, 0)
	seen := make([]chan string, len(replicas))
	var wg sync.WaitGroup
	for i, s := range replicas {
		seen[i] = make(chan string, 100)
		wg.Go(func() {
			err := s.Follow(ctx, 0, 20*time.Millisecond, func(changes []live.Change, _ int64) error {
				for _, c := range changes {
					seen[i] <- c.Preference.User
				}
				return nil
			}, func(err error) { t.Error(err) })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("replica %d ended: %v", i, err)
			}
		})
	}
	expect := func(user string) {
		t.Helper()
		for i := range seen {
			select {
			case got := <-seen[i]:
				if got != user {
					t.Errorf("replica %d saw %s, not %s", i, got, user)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("replica %d does not see %s", i, user)
			}
		}
	}
	expect("before")
	for i, s := range replicas {
		user := fmt.Sprint("u", i)
		edit(t, s, user, "x", live.ByUser, 0)
		expect(user)
	}
	cancel()
	wg.Wait()
	stop := errors.New("enough")
	if err := a.Follow(t.Context(), 0, time.Hour, func([]live.Change, int64) error { return stop }, nil); !errors.Is(err, stop) {
		t.Errorf("the callback's error is hidden: %v", err)
	}
}
