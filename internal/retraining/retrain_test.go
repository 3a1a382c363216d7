package retraining_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/build"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/sqlite"
	"github.com/mllmrec/mllmrec/internal/retraining"
	"github.com/mllmrec/mllmrec/internal/shopfront"
	"github.com/mllmrec/mllmrec/internal/shopfront/shoptest"
)

func TestMain(m *testing.M) { shoptest.Main(m) }

func setting(t *testing.T) (dir string, store *live.Store, shop *shopfront.Shop, o retraining.Options) {
	t.Helper()
	dir, _ = shoptest.Shop(t, "bm25")
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "live.db"))
	if err != nil {
		t.Fatal(err)
	}
	shop, err = shopfront.Open(t.Context(), store, "", shopfront.Options{Dir: dir, Poll: 20 * time.Millisecond,
		Locate: func(run string) (string, string, error) { return retraining.Locate(dir, run) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		shop.Close()
		store.Close() //nolint:errcheck // nothing is written any more
	})
	opt := build.New()
	opt.Train.Model = "bm25"
	return dir, store, shop, retraining.Options{Shop: dir, Store: store, Build: opt, Weights: shopfront.DefaultWeights()}
}

// post has newcomers like tents, and one new item, day by day.
func post(t *testing.T, shop *shopfront.Shop, begin time.Time) {
	t.Helper()
	if _, err := shop.PutItems(t.Context(), []dataset.Item{{ID: "tent-new", Title: "New tent", Brand: "Ridgeback", Categories: []string{"Outdoor", "Tents"}}}); err != nil {
		t.Fatal(err)
	}
	var events []live.Event
	for u := range 30 {
		user := "visitor-" + shoptest.User(u)
		for n := range 5 {
			events = append(events, live.Event{User: user, Item: shoptest.Item(3, (u+n)%shoptest.Looks), Type: live.Purchase, Time: begin.Add(time.Duration(60*u+n) * time.Minute)})
		}
		events = append(events, live.Event{User: user, Item: "tent-new", Type: live.Like, Time: begin.Add(time.Duration(60*u+9) * time.Minute)},
			live.Event{User: user, Item: shoptest.Item(0, 1), Type: live.View}, live.Event{User: user, Item: "nothing", Type: live.Like})
	}
	if _, err := shop.Feedback(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

// The next generation knows who and what came, is judged on choices that neither run was trained on, is swapped to without the server being
// told, and can be gone back from. Again, with nothing new, nothing is made.
func TestTheNextGeneration(t *testing.T) {
	dir, store, shop, o := setting(t)
	if out, err := retraining.Run(t.Context(), o); err != nil || out.Run != "" || !strings.Contains(out.Why, "nothing happened") {
		t.Fatalf("%v %+v", err, out)
	}
	first := shop.Arms()[0].Run
	post(t, shop, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	out, err := retraining.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if out.Taken.Interactions != 180 || out.Taken.Passed != 30 || out.Taken.Unknown != 30 || out.Taken.Users != 30 || out.Taken.Items != 1 {
		t.Errorf("%+v", out.Taken)
	}
	if out.Validation == nil || out.Validation.Users < 100 || !out.Swapped || out.Validation.Difference < 0 || out.Against != first {
		t.Fatalf("%+v, %+v", out, out.Validation)
	}
	wait(t, func() bool { return shop.Arms()[0].Run == out.Run })
	answer, err := shop.Recommend(t.Context(), shopfront.Query{User: "visitor-u00", K: 8})
	if err != nil || answer.Run != out.Run || answer.Basis != shopfront.ByUser {
		t.Fatalf("%v %+v", err, answer)
	}
	e := shop.Arms()[0].Engine
	if _, err := e.Item("tent-new"); err != nil {
		t.Errorf("the new item is none of the run's: %v", err)
	}
	if again, err := retraining.Run(t.Context(), o); err != nil || again.Run != out.Run {
		t.Errorf("again: %v %+v", err, again)
	}
	if _, err := os.Stat(filepath.Join(dir, "runs")); err != nil {
		t.Error(err)
	}
	from, to, err := retraining.Back(t.Context(), store)
	if err == nil {
		t.Errorf("gone back from %s to %s, with one version on record", from, to)
	}
	// Somebody serves the first run again: recorded, and so it can be gone back from.
	if _, err := store.Serve(t.Context(), live.ServingState{Run: first}, live.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if from, to, err = retraining.Back(t.Context(), store); err != nil || from != first || to != out.Run {
		t.Errorf("%v: from %s to %s", err, from, to)
	}
	wait(t, func() bool { return shop.Arms()[0].Run == out.Run })
}

// Other options on the same feedback make another run; the same ones find that theirs is served. Whom nothing is known of gets what is popular by the
// data of their own arm's run.
func TestOptionsAndArmsOfGenerations(t *testing.T) {
	_, store, shop, o := setting(t)
	first := shop.Arms()[0].Run
	post(t, shop, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	one, err := retraining.Run(t.Context(), o)
	if err != nil || !one.Swapped {
		t.Fatalf("%v %+v", err, one)
	}
	if again, err := retraining.Run(t.Context(), o); err != nil || again.Run != one.Run || again.Swapped || again.Why != "it is served already" {
		t.Errorf("%v %+v", err, again)
	}
	o.Build = build.New()
	o.Build.Train.Model = "itemknn"
	if other, err := retraining.Run(t.Context(), o); err != nil || other.Run == one.Run || other.Validation == nil {
		t.Errorf("another model on the same feedback: %v %+v", err, other)
	}
	arms := []live.Arm{{Name: "old", Run: first, Share: 50}, {Name: "new", Run: one.Run, Share: 50}}
	if _, err := store.Serve(t.Context(), live.ServingState{Run: first, Arms: arms}, live.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if err := shop.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	most := map[string]string{}
	for _, arm := range shop.Arms() {
		count, best := map[int32]int{}, int32(0)
		for _, i := range arm.Engine.Train.Lists().Items {
			if count[i]++; count[i] > count[best] || count[i] == count[best] && i < best {
				best = i
			}
		}
		most[arm.Name] = arm.Engine.Data.Items[best].ID
	}
	if most["old"] == most["new"] {
		t.Fatalf("%v: this test shows nothing", most)
	}
	met := map[string]bool{}
	for n := range 20 {
		user := "unknown-" + shoptest.User(n)
		if _, err := shop.AddUsers(t.Context(), []string{user}); err != nil {
			t.Fatal(err)
		}
		a, err := shop.Recommend(t.Context(), shopfront.Query{User: user, K: 3})
		if err != nil || a.Basis != shopfront.ByNobody || a.Hits[0].Item.ID != most[a.Arm] {
			t.Errorf("%v: arm %s gets %s first, %s is its most popular", err, a.Arm, a.Hits[0].Item.ID, most[a.Arm])
		}
		met[a.Arm] = true
	}
	if len(met) != 2 {
		t.Errorf("arms %v", met)
	}
}

// A run that is worse is made, not served, and the outcome says by how much.
func TestAWorseRunIsNotServed(t *testing.T) {
	_, _, shop, o := setting(t)
	first := shop.Arms()[0].Run
	post(t, shop, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	o.Build = build.New()
	o.Build.Train.Model = "bpr"
	o.Build.Train.Settings = []string{"epochs=1", "lr=0.0000001"} // as good as random
	out, err := retraining.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if out.Swapped || out.Validation.High >= 0 || !strings.Contains(out.Why, "difference") {
		t.Errorf("%+v %+v", out, out.Validation)
	}
	if shop.Arms()[0].Run != first {
		t.Error("it is served")
	}
}

func TestNamesOfRuns(t *testing.T) {
	for run, want := range map[string][2]string{"bm25-1": {"ws", "bm25-1"}, "e12/bm25-1": {filepath.Join("ws", "generations", "e12"), "bm25-1"}, "": {"ws", ""}} {
		if dir, id, err := retraining.Locate("ws", run); err != nil || dir != want[0] || id != want[1] {
			t.Errorf("%q: %s %s %v", run, dir, id, err)
		}
	}
	for _, bad := range []string{"../x", "e1/../../x", "e01/x", "e-1/x", "x/y", "e1/x/y", `e1/x\y`} {
		if dir, id, err := retraining.Locate("ws", bad); err == nil {
			t.Errorf("%q leads to %s %s", bad, dir, id)
		}
	}
}

// A folder of generations that is a link, in a workspace that somebody else made, is not followed: nothing is read or written where it leads.
func TestLinksAreNotFollowed(t *testing.T) {
	dir, _, shop, o := setting(t)
	post(t, shop, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, retraining.Folder)); err != nil {
		t.Fatal(err)
	}
	if out, err := retraining.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "not followed") {
		t.Errorf("%v %+v", err, out)
	}
	if _, err := retraining.Generations(dir); err == nil {
		t.Error("generations of elsewhere are listed")
	}
	if _, _, err := retraining.Locate(dir, "e1/x"); err == nil {
		t.Error("a run of elsewhere is found")
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("%v is written outside, %v", left, err)
	}
}

func wait(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server does not follow")
		}
	}
}
