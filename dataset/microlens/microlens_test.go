package microlens

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	goodPairs  = "7\t30 10 20\r\n8\t10 40\r\n"
	goodTitles = "item,title\r\n10,\"A \"\"good\"\" one, really\"\r\n99,Nobody's\r\n30,Two\n20,\"two\nlines\""
)

func TestRead(t *testing.T) {
	pics := t.TempDir()
	for _, name := range []string{"10.JPG", "30.png", "30.webp", "20.txt"} {
		if err := os.WriteFile(filepath.Join(pics, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	opt := Options{Pairs: write(t, "p.tsv", goodPairs), Titles: write(t, "t.csv", goodTitles), Images: pics}
	ds, rep, err := Read(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, it := range ds.Items {
		got = append(got, it.ID+"="+it.Title+"|"+filepath.Base(it.Image))
	}
	if want := "30=Two|30.png 10=A \"good\" one, really|10.JPG 20=two\nlines|. 40=|."; strings.Join(got, " ") != want {
		t.Errorf("items %q, want %q", strings.Join(got, " "), want)
	}
	if x := labelledtest.Rows(ds)[2]; x.User != 0 || ds.Items[x.Item].ID != "20" || x.Time != 3 {
		t.Errorf("third interaction %+v", x)
	}
	if ds.Clock != dataset.ClockOrder || ds.Split != "" || ds.Name != "microlens" || len(rep.Files) != 2 || len(rep.Notes) != 1 {
		t.Errorf("dataset %+v, report %+v", ds, rep)
	}
	opt.KeepUnseen = true
	if ds, _, err = Read(t.Context(), opt); err != nil || ds.NumItems() != 5 || ds.Items[4].ID != "99" {
		t.Errorf("with unseen items: %v, %v", ds, err)
	}
}

func TestBadRows(t *testing.T) {
	for name, c := range map[string]struct {
		pairs, titles, reason string
		line, column          int
	}{
		"no tab":       {goodPairs + "9 1 2\n", goodTitles, "no tab", 3, 0},
		"second tab":   {goodPairs + "9\t1\t2\n", goodTitles, "second tab", 3, 4},
		"no items":     {goodPairs + "9\t \n", goodTitles, "no items", 3, 3},
		"user twice":   {goodPairs + "8\t10\n", goodTitles, "already", 3, 1},
		"empty user":   {goodPairs + "\t10\n", goodTitles, "empty id", 3, 1},
		"NUL in item":  {goodPairs + "9\t10 1\x000\n", goodTitles, "control", 3, 6},
		"title twice":  {goodPairs, goodTitles + "\r\n10,again", "already", 7, 1},
		"three fields": {goodPairs, "item,title\n10,a,b\n", "3 fields", 2, 0},
		"after quote":  {goodPairs, "item,title\n10,\"a\" b\n", "closing quote", 2, 4},
	} {
		opt := Options{Pairs: write(t, "p.tsv", c.pairs), Titles: write(t, "t.csv", c.titles)}
		_, _, err := Read(t.Context(), opt)
		var row dataset.RowError
		if _, user := usererr.Hint(err); !user || !errors.As(err, &row) || row.Line != c.line || row.Column != c.column || !strings.Contains(row.Reason, c.reason) {
			t.Errorf("%s: %v, want line %d column %d %q", name, err, c.line, c.column, c.reason)
		}
		policy := &dataset.RowPolicy{Skip: true}
		opt.Policy = policy
		if ds, _, err := Read(t.Context(), opt); err != nil || policy.Count != 1 || ds.NumInteractions() != 5 {
			t.Errorf("%s, skipping: %v, %+v", name, err, policy)
		}
	}
}

func TestBadFiles(t *testing.T) {
	for name, c := range map[string]struct{ pairs, titles, want string }{
		"no pairs":      {"\n\n", goodTitles, "no usable"},
		"wrong header":  {goodPairs, "id,title\n", "header is"},
		"not UTF-8":     {goodPairs, "item,title\n10,caf\xe9\n", "t.csv:2:7: not UTF-8"},
		"pairs.csv":     {"user,item,timestamp\n1,2,3\n", goodTitles, "the table of pairs"},
		"empty titles":  {goodPairs, "", "empty"},
		"open quote":    {goodPairs, "item,title\n1,x\n2,\"never closed\n3,y\n", "t.csv:3: a quote opened in this record never closes"},
		"endless quote": {goodPairs, "item,title\n2,\"" + strings.Repeat("long line\n", 2<<20), "still open after 16 MiB"},
	} {
		_, _, err := Read(t.Context(), Options{Pairs: write(t, "p.tsv", c.pairs), Titles: write(t, "t.csv", c.titles)})
		if _, user := usererr.Hint(err); !user || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want a user's error with %q", name, err, c.want)
		}
	}
	opt := Options{Pairs: write(t, "p.tsv", goodPairs), Images: t.TempDir()}
	if _, _, err := Read(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "no picture") {
		t.Errorf("image folder without pictures: %v", err)
	}
}

func fuzz(f *testing.F, opt func(path string) Options) {
	path := filepath.Join(f.TempDir(), "fuzzed")
	f.Fuzz(func(t *testing.T, data []byte, skip bool) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		o := opt(path)
		o.KeepUnseen = true
		o.Policy = &dataset.RowPolicy{Skip: skip}
		ds, rep, err := Read(t.Context(), o)
		if err != nil {
			if _, user := usererr.Hint(err); !user {
				t.Fatalf("not marked as the user's: %v", err)
			}
			return
		}
		bad := 0
		for _, r := range rep.Files {
			bad += r.Bad
		}
		if bad != o.Policy.Count {
			t.Fatalf("%d bad rows reported, %d counted", bad, o.Policy.Count)
		}
		dataset.MergeDuplicates(ds)
		if err := dataset.SplitLeaveLatest(ds); err != nil {
			t.Fatal(err)
		}
		if s := dataset.Compute(ds); s.Train+s.Valid+s.Test != s.Interactions || s.UsersWithoutTrain != 0 {
			t.Fatalf("statistics %+v", s)
		}
	})
}

func FuzzPairs(f *testing.F) {
	f.Add([]byte(goodPairs), false)
	f.Add([]byte("1\t2  3 \n\n4\t5"), true)
	f.Add([]byte("1\t2\t3\n2\n3\t\xff 1\n"), true)
	titles := write(f, "t.csv", goodTitles)
	fuzz(f, func(path string) Options { return Options{Pairs: path, Titles: titles} })
}

func FuzzTitles(f *testing.F) {
	f.Add([]byte(goodTitles), false)
	f.Add([]byte("item,title\n10,\"\n\"\n,\n10,\"\"\"\"x\n"), true)
	f.Add([]byte("\ufeffitem,title\n1,caf\xe9\x00\n"), true)
	pairs := write(f, "p.tsv", goodPairs)
	fuzz(f, func(path string) Options { return Options{Pairs: pairs, Titles: path} })
}
