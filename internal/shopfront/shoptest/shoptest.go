// Package shoptest makes a small shop with runs to serve, for tests.
package shoptest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mllmrec/mllmrec"
	"github.com/mllmrec/mllmrec/dataset"
)

// What the shop holds: looks of each kind, users who choose seven items of one kind and one of the next.
const (
	Looks = 12
	Users = 80
)

var kinds = []struct{ id, title, brand, family, special, words string }{
	{"mug", "mug", "Kilnwood", "Home", "Mugs", "Stoneware for coffee and tea"},
	{"lamp", "lamp", "Glimmer", "Home", "Lamps", "Warm light for the bedside"},
	{"sneaker", "sneaker", "Fleet", "Outdoor", "Shoes", "Canvas upper with a rubber sole"},
	{"tent", "tent", "Ridgeback", "Outdoor", "Tents", "Waterproof shelter for two campers"},
}

var colours = [Looks]string{"Red striped", "Blue", "Green", "Yellow", "White", "Black", "Grey dotted", "Orange", "Violet", "Brown", "Pink", "Golden"}

// Item is the id of a look of a kind, of 0 mug, 1 lamp, 2 sneaker, 3 tent.
func Item(kind, look int) string { return fmt.Sprintf("%s-%02d", kinds[kind].id, look) }

// User is the id of a user; those whose number leaves n when divided by 4 like kind n.
func User(n int) string { return fmt.Sprintf("u%02d", n) }

// Data is the data set.
func Data() *dataset.Dataset {
	ds := &dataset.Dataset{Name: "shop", Domain: "housewares"}
	for _, kind := range kinds {
		for n, colour := range colours {
			ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprintf("%s-%02d", kind.id, n), Title: colour + " " + kind.title, Brand: kind.brand,
				Categories: []string{kind.family, kind.special}, Description: kind.words, Price: float64(n%5) * 10})
		}
	}
	for u := range Users {
		ds.UserIDs = append(ds.UserIDs, User(u))
		for n := range 8 {
			kind, look := u%len(kinds), (u/len(kinds)+3*n+n/4)%Looks
			if n == 7 {
				kind = (kind + 1) % len(kinds)
			}
			ds.Append(dataset.Interaction{User: int32(u), Item: int32(kind*Looks + look), Time: int64(1_700_000_000 + 3600*(8*u+n))})
		}
	}
	return ds
}

var made struct {
	sync.Mutex
	folder string
	runs   map[string]string
}

// Main removes what Shop made, after the tests.
func Main(m *testing.M) {
	code := m.Run()
	if made.folder != "" {
		os.RemoveAll(made.folder) //nolint:errcheck // the system removes what is left
	}
	os.Exit(code)
}

// Shop returns the folder of a workspace of the test's own, and the run of each model asked for, built without a model server. The
// workspace's present run is of the first model.
func Shop(t testing.TB, models ...string) (dir string, runs map[string]string) {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	ctx := context.Background()
	if made.folder == "" {
		folder, err := os.MkdirTemp("", "shoptest")
		if err != nil {
			t.Fatal(err)
		}
		os.Setenv("MLLMREC_CONFIG_DIR", filepath.Join(folder, "config")) //nolint:errcheck // a name that is fine
		made.folder, made.runs = folder, map[string]string{}
		if _, err := mllmrec.Import(ctx, filepath.Join(folder, "shop.ws"), Data(), mllmrec.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	from := filepath.Join(made.folder, "shop.ws")
	for n := range models {
		model := models[len(models)-1-n]
		if made.runs[model] != "" && n < len(models)-1 {
			continue
		}
		opt := mllmrec.BuildOptions{Model: model}
		if model == "hybrid" || model == "mllmrec" {
			opt.Options = map[string]string{"mllm": "offline", "dim": "16"}
		}
		if model == "mllmrec" {
			opt.Settings = map[string]string{"epochs": "40"}
		}
		built, err := mllmrec.Build(ctx, from, opt)
		if err != nil {
			t.Fatal(err)
		}
		made.runs[model] = built.Run
	}
	dir = filepath.Join(t.TempDir(), "shop.ws")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	runs = map[string]string{}
	for model, id := range made.runs {
		runs[model] = id
	}
	return dir, runs
}

// Kind is the kind of an item by its id.
func Kind(id string) string {
	kind, _, _ := strings.Cut(id, "-")
	return kind
}
