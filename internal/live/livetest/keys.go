package livetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func keys(t *testing.T, open Opener) {
	s := open.Empty(t)
	text, k, err := s.NewKey(t.Context(), "the shop's site", []live.Role{live.Read, live.Feedback})
	if err != nil {
		t.Fatal(err)
	}
	other, otherKey, err := s.NewKey(t.Context(), "nightly job", []live.Role{live.Admin})
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := live.SecretID(text); !ok || id != k.ID || text == other {
		t.Errorf("the secret leads to %q, %v; the key is %q", id, ok, k.ID)
	}
	if !k.Opens(text) || k.Opens(other) || k.Opens("") || k.Opens(text[:len(text)-1]) || k.Opens(text+"0") {
		t.Error("a key opens to the wrong secret, or not to its own")
	}
	if !k.May(live.Read) || k.May(live.Admin) || !otherKey.May(live.Feedback) {
		t.Error("roles are mixed up")
	}
	s = open.Again(t)
	var ring live.Keyring
	if _, found := ring.Find(text); found || !ring.Empty() {
		t.Error("an empty ring has a key")
	}
	fill := func() {
		t.Helper()
		changes, _, err := s.Changes(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			ring.Put(*c.Key)
		}
	}
	fill()
	for try, want := range map[string]string{text: k.ID, other: otherKey.ID, "": "", "x": "", text[:21] + other[21:]: "", text + "0": ""} {
		if got, found := ring.Find(try); got.ID != want || found != (want != "") {
			t.Errorf("%q opens %q, %v", try, got.ID, found)
		}
	}
	got, err := s.Keys(t.Context())
	if diff := cmp.Diff([]live.Key{k, otherKey}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if strings.Contains(fmt.Sprintf("%+v", got), text[len(text)-64:]) {
		t.Error("a secret is stored")
	}
	revoked, err := s.RevokeKey(t.Context(), k.ID)
	if err != nil || revoked.Revoked.IsZero() || revoked.Opens(text) {
		t.Errorf("revoked: %+v, %v", revoked, err)
	}
	fill()
	ring.Put(k) // an older version comes late
	if _, found := ring.Find(text); found {
		t.Error("a revoked key opens")
	}
	if again, err := s.RevokeKey(t.Context(), k.ID); err != nil || !cmp.Equal(again, revoked) {
		t.Errorf("revoked again: %+v, %v", again, err)
	}
	if _, err := s.RevokeKey(t.Context(), "none"); usererr.KindOf(err) != usererr.KindUnknown {
		t.Errorf("an unknown key: %v", err)
	}
	for _, roles := range [][]live.Role{nil, {"owner"}, {live.Read, live.Read}} {
		if _, _, err := s.NewKey(t.Context(), "x", roles); err == nil {
			t.Errorf("a key with roles %v was made", roles)
		}
	}
}

func keysUsed(t *testing.T, open Opener) {
	s := open.Empty(t)
	_, k, err := s.NewKey(t.Context(), "x", []live.Role{live.Read})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.UsedKeys(t.Context(), []string{k.ID, k.ID}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Keys(t.Context())
	if err != nil || len(got) != 1 || time.Since(got[0].Used).Abs() > time.Minute || got[0].Version != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, last, err := s.Last(t.Context()); err != nil || last != 2 {
		t.Errorf("three uses within an hour are %d changes, %v", last-1, err)
	}
}
