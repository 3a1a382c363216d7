// Package ledgertest is the conformance suite of [texts.Store]: every kind of ledger
// runs it, so that they cannot differ in what a key, a status or a number means.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/texts"
)

// Run checks stores. open returns a new, empty store at each call; reopen opens the
// store of the last call to open once more, beside the first.
func Run(t *testing.T, open, reopen func(t *testing.T) texts.Store) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s texts.Store)
	}{
		{"what is put is got", putGet},
		{"statuses are those of the generations", statuses},
		{"empty calls", empty},
		{"an answer is never replaced", neverReplaced},
		{"all or none", allOrNone},
		{"each and find are ordered", ordered},
		{"counts", counts},
		{"cancelled", cancelled},
		{"concurrent", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
	t.Run("two at once see each other and what was closed", func(t *testing.T) {
		a := open(t)
		put(t, a, Full("k1"))
		b := reopen(t)
		put(t, b, Full("k2"))
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if got := get(t, b, "k1", "k2"); len(got) != 2 {
			t.Errorf("%d of 2 generations are there", len(got))
		}
	})
}

// Full returns a generation in which every field has a value worth keeping exactly.
func Full(key string) texts.Generation {
	return texts.Generation{
		Key: key, Stage: texts.StageReason, Subject: "user 'ü' \x01", Fold: 3, Model: "gemma3:27b", ModelDigest: "sha256:ab",
		Params: `{"temperature":0.1}`, PromptHash: "p", ImageHash: "i", SplitHash: "s", Scope: "train",
		Sources: []int32{0, 7, math.MaxInt32}, Text: "Likes 'socks'; \"hats\"\n日本語 🧦", Status: texts.StatusOK,
		Class: "c", Error: "e", Finish: "stop", PromptTokens: 1234, AnswerTokens: 99, Seconds: 1.625, Attempt: 2,
		Created: time.Date(2026, 11, 21, 8, 0, 0, 123456000, time.UTC),
	}
}

func put(t *testing.T, s texts.Store, gs ...texts.Generation) {
	t.Helper()
	if err := s.Put(t.Context(), gs); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s texts.Store, keys ...string) map[string]texts.Generation {
	t.Helper()
	got, err := s.Get(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func putGet(t *testing.T, s texts.Store) {
	full := Full("full")
	bare := texts.Generation{Key: "bare", Stage: texts.StageDescribe, Fold: texts.FullFold, Status: texts.StatusQuarantined, Sources: []int32{}, Created: time.UnixMicro(0).UTC()}
	put(t, s, full, bare)
	want := map[string]texts.Generation{"full": full, "bare": bare}
	if diff := cmp.Diff(want, get(t, s, "full", "absent", "bare", "full")); diff != "" {
		t.Error(diff)
	}
	var keys []string
	var many []texts.Generation
	for i := range 2500 {
		g := Full(fmt.Sprintf("many%d", i))
		keys, many = append(keys, g.Key), append(many, g)
	}
	put(t, s, many...)
	if got := get(t, s, keys...); len(got) != len(keys) {
		t.Errorf("%d of %d generations came back", len(got), len(keys))
	}
}

func statuses(t *testing.T, s texts.Store) {
	answer, failed := Full("answer"), Full("failed")
	failed.Status, failed.Class, failed.Attempt, failed.Seconds, failed.PromptTokens, failed.AnswerTokens = texts.StatusQuarantined, "timeout", 7, 0.5, 3, 0
	put(t, s, answer, failed)
	standings := func(keys ...string) map[string]texts.AnswerStatus {
		t.Helper()
		got, err := s.Statuses(t.Context(), keys)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := map[string]texts.AnswerStatus{
		"answer": {Status: texts.StatusOK, Class: "c", PromptTokens: 1234, AnswerTokens: 99, Seconds: 1.625, Attempt: 2},
		"failed": {Status: texts.StatusQuarantined, Class: "timeout", PromptTokens: 3, Seconds: 0.5, Attempt: 7},
	}
	if diff := cmp.Diff(want, standings("failed", "absent", "answer", "failed")); diff != "" {
		t.Error(diff)
	}
	failed.Status, failed.Class = texts.StatusOK, ""
	put(t, s, failed)
	if got := standings("failed")["failed"]; got.Status != texts.StatusOK || got.Class != "" {
		t.Errorf("an answered question stands as %+v", got)
	}
	var keys []string
	var many []texts.Generation
	for i := range 2500 {
		g := Full(fmt.Sprintf("many%d", i))
		g.Attempt = i
		keys, many = append(keys, g.Key), append(many, g)
	}
	put(t, s, many...)
	got := standings(keys...)
	for i, k := range keys {
		if got[k].Attempt != i {
			t.Fatalf("%s stands as %+v", k, got[k])
		}
	}
}

func empty(t *testing.T, s texts.Store) {
	if got, err := s.Statuses(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("no keys stand as %v, %v", got, err)
	}
	put(t, s)
	if got := get(t, s); len(got) != 0 {
		t.Errorf("no keys gave %v", got)
	}
	if err := s.Each(t.Context(), texts.StageReason, func(texts.Generation) error { return errors.New("met one") }); err != nil {
		t.Error(err)
	}
	if c, err := s.Counts(t.Context()); err != nil || len(c) != 0 {
		t.Errorf("counts %v, %v", c, err)
	}
}

func neverReplaced(t *testing.T, s texts.Store) {
	failed, answer, other := Full("k"), Full("k"), Full("k")
	failed.Status, failed.Text, failed.Attempt = texts.StatusQuarantined, "", 3
	other.Text = "another answer"
	put(t, s, failed)
	again := failed
	again.Attempt = 6
	put(t, s, again)
	if got := get(t, s, "k")["k"]; got.Attempt != 6 {
		t.Errorf("a later failure was not kept: %+v", got)
	}
	put(t, s, answer)
	put(t, s, failed)
	put(t, s, other)
	if diff := cmp.Diff(answer, get(t, s, "k")["k"]); diff != "" {
		t.Errorf("the answer was replaced: %s", diff)
	}
}

func allOrNone(t *testing.T, s texts.Store) {
	bad := Full("bad")
	bad.Status = "unheard of"
	if err := s.Put(t.Context(), []texts.Generation{Full("good"), bad}); err == nil {
		t.Error("an unknown status was stored")
	}
	if got := get(t, s, "good"); len(got) != 0 {
		t.Error("half of a failed Put is there")
	}
}

func ordered(t *testing.T, s texts.Store) {
	var want []string
	var gs []texts.Generation
	for _, subject := range []string{"a", "b", "c"} {
		for fold := texts.FullFold; fold < 2; fold++ {
			for at := range 2 {
				g := Full(fmt.Sprintf("%s%d%d", subject, fold, at))
				g.Subject, g.Fold, g.Created = subject, fold, time.UnixMicro(int64(at)).UTC()
				want = append(want, g.Key)
				gs = append([]texts.Generation{g}, gs...)
			}
		}
	}
	put(t, s, gs...)
	elsewhere := Full("elsewhere")
	elsewhere.Stage, elsewhere.Subject = texts.StageDescribe, "a"
	put(t, s, elsewhere)
	var got []string
	if err := s.Each(t.Context(), texts.StageReason, func(g texts.Generation) error {
		got = append(got, g.Key)
		if len(got) == 1 { // storing while reading must not deadlock
			put(t, s, Full("written meanwhile"))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got[:min(len(got), len(want))]); diff != "" {
		t.Errorf("Each: %s", diff)
	}
	found, err := s.Find(t.Context(), texts.StageReason, "b")
	if err != nil || len(found) != 6 || found[0].Key != "b-10" || found[5].Key != "b11" {
		t.Errorf("Find: %d generations, %v", len(found), err)
	}
	stop := errors.New("enough")
	if err := s.Each(t.Context(), texts.StageReason, func(texts.Generation) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Each hides the callback's error: %v", err)
	}
}

func counts(t *testing.T, s texts.Store) {
	a, b, c := Full("a"), Full("b"), Full("c")
	c.Status = texts.StatusQuarantined
	put(t, s, a, b, c)
	got, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []texts.Count{
		{Stage: texts.StageReason, Model: "gemma3:27b", Status: texts.StatusOK, Generations: 2, PromptTokens: 2468, AnswerTokens: 198, Seconds: 3.25},
		{Stage: texts.StageReason, Model: "gemma3:27b", Status: texts.StatusQuarantined, Generations: 1, PromptTokens: 1234, AnswerTokens: 99, Seconds: 1.625},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func cancelled(t *testing.T, s texts.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, []texts.Generation{Full("k")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Get(ctx, []string{"k"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Statuses(ctx, []string{"k"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Statuses: %v", err)
	}
}

func concurrent(t *testing.T, s texts.Store) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				g := Full(fmt.Sprintf("w%di%d", w, i))
				if err := s.Put(t.Context(), []texts.Generation{g, Full("shared")}); err != nil {
					t.Error(err)
				}
				if got, err := s.Get(t.Context(), []string{g.Key, "shared"}); err != nil || len(got) != 2 {
					t.Errorf("%d generations, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
	n := 0
	if err := s.Each(t.Context(), texts.StageReason, func(texts.Generation) error { n++; return nil }); err != nil || n != 161 {
		t.Errorf("%d generations of 161, %v", n, err)
	}
}
