package livetest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// What is stored comes back to the byte; what cannot be stored is refused, the same by every
// driver.
func hostile(t *testing.T, open Opener) {
	s := open.Empty(t)
	fine := []string{"'; DROP TABLE events; --", "\"quoted\"", "a\tb\nc\r\n", "<script>alert(1)</script>", "\u202egnp.exe", "𝔘𝔫𝔦 \U0010FFFF", "%s%d{}$1?", "\\u0000 \\x00", "\u2028\ufeff", " ", "null", "ÄÖ", "A\u0308O\u0308", "\uFFFD"}
	for i, v := range fine {
		add(t, s, live.Event{User: v, Item: v, Type: live.View, Key: v, Arm: v, Request: v})
		edit(t, s, v, v, live.ByUser, 0)
		if _, err := s.PutItems(t.Context(), []dataset.Item{{ID: v, Title: v, Brand: v, Categories: []string{v, ""}, Description: v, Image: v}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.AddUsers(t.Context(), []string{v}); err != nil {
			t.Fatal(err)
		}
		s := open.Again(t)
		got, err := s.Events(t.Context(), int64(i), 10)
		if err != nil || len(got) != 1 || got[0].User != v || got[0].Item != v || got[0].Key != v || got[0].Arm != v || got[0].Request != v {
			t.Errorf("%q: event %+v, %v", v, got, err)
		}
		if p, there, err := s.Preference(t.Context(), v); err != nil || !there || p.Text != v || p.User != v {
			t.Errorf("%q: preference %+v, %v", v, p, err)
		}
		if it, there, err := s.Item(t.Context(), v); err != nil || !there || !cmp.Equal(*it.Fields, dataset.Item{ID: v, Title: v, Brand: v, Categories: []string{v, ""}, Description: v, Image: v}) {
			t.Errorf("%q: item %+v, %v", v, it.Fields, err)
		}
	}
	for _, bad := range []string{"a\x00b", "\x00", "\xff", "a\xc3", "\xed\xa0\x80"} {
		for what, err := range tryAll(t, s, bad) {
			if err == nil || usererr.KindOf(err) != usererr.KindMistake || live.Unavailable(err) || strings.Contains(err.Error(), "\x00") {
				t.Errorf("%q as %s: %v", bad, what, err)
			}
		}
	}
	if last, _, err := s.Last(t.Context()); err != nil || last != int64(len(fine)) {
		t.Errorf("%d events of %d, %v", last, len(fine), err)
	}
}

// tryAll stores a string in every place that takes one, and returns what was said of it.
func tryAll(t testing.TB, s *live.Store, v string) map[string]error {
	errs := map[string]error{}
	event := func(what string, e live.Event) { _, errs[what] = s.AddEvents(t.Context(), []live.Event{e}) }
	event("user", live.Event{User: v, Item: "i", Type: live.View})
	event("item", live.Event{User: "u", Item: v, Type: live.View})
	event("type", live.Event{User: "u", Item: "i", Type: live.EventType(v)})
	event("key", live.Event{User: "u", Item: "i", Type: live.View, Key: v})
	event("arm", live.Event{User: "u", Item: "i", Type: live.View, Arm: v})
	event("request", live.Event{User: "u", Item: "i", Type: live.View, Request: v})
	_, errs["preference"] = s.EditPreference(t.Context(), live.Edit{User: "u", Text: v, By: live.ByUser, Base: live.AnyVersion})
	_, errs["preference's user"] = s.EditPreference(t.Context(), live.Edit{User: v, Text: "t", By: live.ByUser, Base: live.AnyVersion})
	_, errs["reverted user"] = s.RevertPreference(t.Context(), v, 0, live.ByUser, live.AnyVersion)
	_, errs["history"] = s.PreferenceHistory(t.Context(), v)
	_, _, errs["preference read"] = s.Preference(t.Context(), v)
	_, _, errs["item read"] = s.Item(t.Context(), v)
	for what, it := range map[string]dataset.Item{"id": {ID: v}, "title": {ID: "i", Title: v}, "brand": {ID: "i", Brand: v},
		"category": {ID: "i", Categories: []string{v}}, "description": {ID: "i", Description: v}, "image": {ID: "i", Image: v}} {
		_, errs["item's "+what] = s.PutItems(t.Context(), []dataset.Item{it})
	}
	_, errs["hidden item"] = s.HideItems(t.Context(), []string{v}, true)
	_, errs["added user"] = s.AddUsers(t.Context(), []string{v})
	_, _, errs["key's name"] = s.NewKey(t.Context(), v, []live.Role{live.Read})
	_, _, errs["role"] = s.NewKey(t.Context(), "k", []live.Role{live.Role(v)})
	_, errs["run"] = s.Serve(t.Context(), live.ServingState{Run: v}, live.AnyVersion)
	_, errs["reason"] = s.Serve(t.Context(), live.ServingState{Run: "r", Why: v}, live.AnyVersion)
	_, errs["arm's name"] = s.Serve(t.Context(), live.ServingState{Run: "r", Arms: []live.Arm{{Name: v, Run: "r", Share: 100}}}, live.AnyVersion)
	return errs
}

// A megabyte is stored whole where one may stand and refused elsewhere.
func long(t *testing.T, open Opener) {
	s := open.Empty(t)
	v := strings.Repeat("é", live.MaxField/2)
	for what, err := range tryAll(t, s, v) {
		switch what {
		case "item's title", "item's brand", "item's description", "item's image":
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		default:
			if err == nil || usererr.KindOf(err) != usererr.KindMistake || len(err.Error()) > 500 {
				t.Errorf("%s: %.500v", what, err)
			}
		}
	}
	for what, err := range tryAll(t, s, v+"x") {
		if err == nil {
			t.Errorf("%s: more than a megabyte was stored", what)
		}
	}
	id, text := strings.Repeat("i", live.MaxID), strings.Repeat("t", live.MaxPreference)
	add(t, s, live.Event{User: id, Item: id, Type: live.View, Key: id, Arm: id, Request: id})
	edit(t, s, id, text, live.ByUser, 0)
	if p, _, err := s.Preference(t.Context(), id); err != nil || p.Text != text {
		t.Errorf("a long text came back as %d bytes, %v", len(p.Text), err)
	}
	if got, err := s.PutItems(t.Context(), []dataset.Item{{ID: "i", Description: v}}); err != nil || got[0].Fields.Description != v {
		t.Errorf("a long description came back otherwise: %v", err)
	}
}
