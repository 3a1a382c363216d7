package workspace

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/parquetfile"
)

// resign makes the manifest believe the files as they are now, to reach the checks
// behind the hashes.
func resign(t *testing.T, w *Workspace) *Workspace {
	t.Helper()
	data, _ := w.Artefact(DataAddress)
	if err := w.Record(DataAddress, data); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, w.Dir())
}

func TestDatasetNoticesChangedFiles(t *testing.T) {
	for _, file := range []string{ItemsFile, UsersFile, InteractionsFile} {
		w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
		raw, err := os.ReadFile(w.Path(file))
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		put(t, w, file, string(raw))
		_, err = w.Dataset()
		wantUserError(t, err, w.Dir(), "file "+file+" was modified")
		if err := os.Remove(w.Path(file)); err != nil {
			t.Fatal(err)
		}
		_, err = w.Dataset()
		wantUserError(t, err, "file "+file+" is missing")
	}
}

func TestDatasetNoticesBadRows(t *testing.T) {
	good := []interactionRow{{0, 0, "train", 1, 1}, {0, 3, "test", 1, 2}, {1, 4, "valid", 1, 3}, {2, 1, "train", 1, 4}}
	for name, c := range map[string]struct {
		file  string
		write func(path string) error
		words []string
	}{
		"item out of range": {InteractionsFile, func(p string) error { return writeChanged(p, good, 1, interactionRow{0, 5, "test", 1, 2}) }, []string{"row 1", "item 5 is outside the 5 items"}},
		"user out of range": {InteractionsFile, func(p string) error { return writeChanged(p, good, 3, interactionRow{9, 1, "train", 1, 2}) }, []string{"row 3", "user 9 is outside"}},
		"bad label":         {InteractionsFile, func(p string) error { return writeChanged(p, good, 2, interactionRow{1, 4, "dev", 1, 3}) }, []string{"row 2", `label "dev" (known: train, valid, test)`}},
		"rows missing":      {InteractionsFile, func(p string) error { return parquetfile.Write(p, slices.Values(good[:3])) }, []string{"3 interactions on disk", "says 3, 4"}},
		"user twice":        {UsersFile, func(p string) error { return parquetfile.Write(p, slices.Values([]userRow{{"ann"}, {"bob"}, {"ann"}})) }, []string{"row 2", `id "ann" stands in row 0 already`}},
		"column missing":    {UsersFile, func(p string) error { return parquetfile.Write(p, slices.Values([]struct{ Name string }{{"x"}})) }, []string{"column id is missing"}},
		"column type": {UsersFile, func(p string) error {
			return parquetfile.Write(p, slices.Values([]struct {
				ID int64 `parquet:"id"`
			}{{1}}))
		}, []string{"column id has type INT"}},
		"torn":       {ItemsFile, func(p string) error { return os.Truncate(p, 100) }, []string{"Parquet file"}},
		"empty":      {ItemsFile, func(p string) error { return os.Truncate(p, 0) }, []string{"Parquet file"}},
		"other file": {ItemsFile, func(p string) error { return os.WriteFile(p, []byte("id,title\n1,mug\n"), 0o666) }, []string{"no Parquet file"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
			if err := c.write(w.Path(c.file)); err != nil {
				t.Fatal(err)
			}
			_, err := resign(t, w).Dataset()
			words := c.words
			if name != "rows missing" {
				words = append(words, w.Path(c.file))
			}
			wantUserError(t, err, words...)
		})
	}
}

func writeChanged(path string, rows []interactionRow, at int, row interactionRow) error {
	rows = slices.Clone(rows)
	rows[at] = row
	return parquetfile.Write(path, slices.Values(rows))
}

// Rows of several batches do not share memory: strings and lists of early rows stay
// what they were when later ones have been read.
func TestRowsKeepTheirMemory(t *testing.T) {
	const n = 5000
	ds := shop()
	ds.Items = nil
	ds.SetInteractions(nil)
	for i := range n {
		it := dataset.Item{ID: fmt.Sprintf("item-%d", i), Title: strings.Repeat(fmt.Sprint(i, " "), 1+i%20)}
		for k := range i % 4 {
			it.Categories = append(it.Categories, fmt.Sprintf("c%d-%d", i, k))
		}
		ds.Items = append(ds.Items, it)
	}
	w, err := Create(filepath.Join(t.TempDir(), "ws"), ds, source())
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Dataset()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if a, b := ds.Items[i], got.Items[i]; a.ID != b.ID || a.Title != b.Title || !slices.Equal(a.Categories, b.Categories) {
			t.Fatalf("item %d: %+v, want %+v", i, b, a)
		}
	}
}

// Equal data give equal bytes, so that hashes of workspaces can be compared.
func TestParquetIsDeterministic(t *testing.T) {
	a, b := mustCreate(t, filepath.Join(t.TempDir(), "a")), mustCreate(t, filepath.Join(t.TempDir(), "b"))
	one, _ := a.Artefact(DataAddress)
	two, _ := b.Artefact(DataAddress)
	if len(one.Files) != 3 {
		t.Errorf("files %v", one.Files)
	}
	for file, f := range one.Files {
		if other := two.Files[file]; other.SHA256 != f.SHA256 {
			t.Errorf("%s: %s and %s", file, f.SHA256, other.SHA256)
		}
	}
}
