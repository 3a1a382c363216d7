package workspace

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// shop is a small data set with everything that parquet must keep apart.
func shop() *dataset.Dataset {
	ds := &dataset.Dataset{Name: "shop", Domain: "mugs & más", Split: "labelled", Clock: dataset.ClockMoment, UserIDs: []string{"ann", "bob", "ç"}}
	for i := range 5 {
		ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprint("i", i), Title: fmt.Sprintf("Mug No. %d\nwith \"quotes\"", i), Image: fmt.Sprintf("%d.png", i)})
	}
	ds.Items[1].Categories = []string{"Kitchen", "Mugs"}
	ds.Items[2].Categories = []string{"Outdoor"}
	ds.Items[3].Brand, ds.Items[3].Description = "Ørsted", strings.Repeat("long ", 3000)
	ds.SetInteractions([]dataset.Interaction{
		{User: 0, Item: 0, Label: dataset.Train, Rating: 4.5, Time: 10},
		{User: 0, Item: 3, Label: dataset.Test, Rating: 5, Time: 20},
		{User: 1, Item: 4, Label: dataset.Valid, Time: -5},
		{User: 2, Item: 1, Label: dataset.Train, Time: 1 << 40},
	})
	return ds
}

func source() Source {
	return Source{Kind: "test", Files: []SourceFile{{"a.csv", "00ff", 12}}, Options: map[string]string{"split": "labelled"}}
}

func mustCreate(t *testing.T, dir string) *Workspace {
	t.Helper()
	w, err := Create(dir, shop(), source())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Prices are kept where there are any; a catalogue without them has the column neither, and so the bytes that it always had.
func TestPricesAreKept(t *testing.T) {
	dir := t.TempDir()
	ds := shop()
	ds.Items[2].Price = 12.5
	for name, ds := range map[string]*dataset.Dataset{"priced": ds, "plain": shop()} {
		w, err := Create(filepath.Join(dir, name), ds, source())
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.Dataset()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ds.Items, got.Items); diff != "" {
			t.Errorf("%s: items (-want +got):\n%s", name, diff)
		}
		raw, err := os.ReadFile(filepath.Join(dir, name, "items.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(raw), "price"); has != (name == "priced") {
			t.Errorf("%s: a column of prices: %v", name, has)
		}
	}
	ds.Items[2].Price = -1
	if _, err := Create(filepath.Join(dir, "below nothing"), ds, source()); err == nil || !strings.Contains(err.Error(), "-1 is no price") {
		t.Errorf("a price of -1: %v", err)
	}
}

// wantUserError demands a user error that says all of the given words.
func wantUserError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", words)
	}
	if _, ok := usererr.Hint(err); !ok {
		t.Errorf("%v is no user error", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func TestCreateAndReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "ws")
	w := mustCreate(t, dir)
	for _, w := range []*Workspace{w, mustOpen(t, dir)} {
		ds, err := w.Dataset()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(shop(), ds, cmpopts.IgnoreUnexported(dataset.Dataset{})); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(labelledtest.Rows(shop()), labelledtest.Rows(ds)); diff != "" {
			t.Errorf("interactions read back (-want +got):\n%s", diff)
		}
		m := w.Manifest()
		if m.SplitHash != ds.SplitHash() || m.Users != 3 || m.Items != 5 || m.Interactions != 4 {
			t.Errorf("manifest %+v does not fit the data", m)
		}
	}
	names, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(names) != 1 {
		t.Errorf("beside the workspace: %v, %v", names, err)
	}
}

// The test's data set has something in every field, so that a field that somebody adds
// and this package forgets makes TestCreateAndReadBack, or this test, fail.
func TestShopHasEveryField(t *testing.T) {
	for _, v := range []any{shop(), &labelledtest.Rows(shop())[1]} {
		r := reflect.ValueOf(v).Elem()
		for i := range r.NumField() {
			if name := r.Type().Field(i).Name; r.Field(i).IsZero() && name != "User" && name != "cache" {
				t.Errorf("%s.%s is zero", r.Type(), r.Type().Field(i).Name)
			}
		}
	}
}

// BenchmarkDataset reads a workspace of baby's size.
func BenchmarkDataset(b *testing.B) {
	ds := &dataset.Dataset{Name: "baby", Split: "random"}
	for i := range 7050 {
		ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprintf("B%09d", i), Title: fmt.Sprint("Soft cotton blanket no. ", i), Description: strings.Repeat("A long description of the product. ", 15)})
	}
	for u := range 19_445 {
		ds.UserIDs = append(ds.UserIDs, fmt.Sprintf("A%013d", u))
		for k := range 8 {
			ds.Append(dataset.Interaction{User: int32(u), Item: int32((u*31 + k*977) % 7050), Label: dataset.Label(max(0, k-5)), Rating: 5, Time: int64(k)})
		}
	}
	dir, n := b.TempDir(), 0
	var w *Workspace
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			n++
			var err error
			if w, err = Create(filepath.Join(dir, fmt.Sprint("ws", n)), ds, source()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.Dataset(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func mustOpen(t *testing.T, dir string) *Workspace {
	t.Helper()
	w, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
