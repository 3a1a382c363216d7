package mllmrec_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec"
	"github.com/mllmrec/mllmrec/internal/demo"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// shop is the built-in shop's workspace, trained for an epoch: enough to ask.
var shop string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mllmrec")
	if err != nil {
		log.Fatal(err)
	}
	res, err := demo.Run(context.Background(), demo.Options{Dir: filepath.Join(dir, "demo"), Seed: 1, Epochs: 2})
	if err != nil {
		log.Fatal(err)
	}
	shop = res.Workspace
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func Example() {
	ctx := context.Background()
	rec, err := mllmrec.Open(ctx, shop) // a workspace that 'mllmrec run' has filled
	if err != nil {
		log.Fatal(err)
	}
	items, err := rec.ForUser(ctx, "shopper-0001", 5) // or ForHistory, or ForText
	if err != nil {
		log.Fatal(err)
	}
	for _, it := range items {
		fmt.Println(it.Rank, it.Title != "", it.Score > items[len(items)-1].Score-1e-9)
	}
	// Output:
	// 1 true true
	// 2 true true
	// 3 true true
	// 4 true true
	// 5 true true
}

func open(t *testing.T) *mllmrec.Recommender {
	t.Helper()
	rec, err := mllmrec.Open(t.Context(), shop)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestHistoryIsLeftOut(t *testing.T) {
	rec := open(t)
	history, err := rec.History("shopper-0001")
	if err != nil {
		t.Fatal(err)
	}
	mine := map[string]bool{}
	for _, it := range history {
		mine[it.ID] = true
	}
	items, err := rec.ForUser(t.Context(), "shopper-0001", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if want := 360 - len(history); len(items) != want {
		t.Fatalf("%d items, want the catalogue less the history: %d", len(items), want)
	}
	for i, it := range items {
		if mine[it.Item] {
			t.Errorf("%s is in the history", it.Item)
		}
		if i > 0 && it.Score > items[i-1].Score {
			t.Errorf("rank %d scores above rank %d", it.Rank, it.Rank-1)
		}
	}
}

func TestColdStart(t *testing.T) {
	rec := open(t)
	red, err := rec.ForHistory(t.Context(), []string{"mug-01", "mug-02", "teapot-01"}, 10)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rec.ForHistory(t.Context(), []string{"sneaker-01", "backpack-01", "shirt-01"}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if same(red, other) {
		t.Error("two unlike histories get the same list")
	}
	for _, it := range red {
		for _, h := range []string{"mug-01", "mug-02", "teapot-01"} {
			if it.Item == h {
				t.Errorf("%s is in the history", h)
			}
		}
	}
}

func same(a, b []mllmrec.Recommendation) bool {
	for i := range a {
		if a[i].Item != b[i].Item {
			return false
		}
	}
	return len(a) == len(b)
}

func TestMistakesAreTheUsers(t *testing.T) {
	rec := open(t)
	ask := map[string]func() error{
		"unknown user":      func() error { _, err := rec.ForUser(t.Context(), "nobody", 5); return err },
		"unknown item":      func() error { _, err := rec.ForHistory(t.Context(), []string{"nothing"}, 5); return err },
		"empty history":     func() error { _, err := rec.ForHistory(t.Context(), nil, 5); return err },
		"no items":          func() error { _, err := rec.ForUser(t.Context(), "shopper-0001", 0); return err },
		"words unknown":     func() error { _, err := rec.ForText(t.Context(), "qwxyz", 5); return err },
		"unknown run":       func() error { _, err := mllmrec.Open(t.Context(), shop, mllmrec.WithRun("none")); return err },
		"no such workspace": func() error { _, err := mllmrec.Open(t.Context(), filepath.Join(shop, "nowhere")); return err },
	}
	for name, f := range ask {
		err := f()
		if _, mine := usererr.Hint(err); err == nil || !mine {
			t.Errorf("%s: %v is no user error", name, err)
		}
	}
}
