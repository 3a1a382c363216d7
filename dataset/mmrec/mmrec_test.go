package mmrec

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "toy.inter")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, content string, opt Options) (*dataset.Dataset, *dataset.Report, error) {
	t.Helper()
	opt.Inter = write(t, content)
	return Read(t.Context(), opt)
}

func TestReadDense(t *testing.T) {
	// Columns in an order of their own, a byte order mark, CRLF, no final line break.
	ds, rep, err := read(t, "\ufeffx_label\titemID\textra\tuserID\r\n0\t4\t?\t1\r\n2\t0\t?\t1\r\n\r\n1\t2\t?\t0", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if ds.Name != "toy" || ds.Split != dataset.SplitLabelled || ds.Users() != 2 || ds.NumItems() != 5 || ds.Items[3].ID != "3" {
		t.Errorf("dataset %+v", ds)
	}
	want := []dataset.Interaction{{User: 0, Item: 2, Label: dataset.Valid}, {User: 1, Item: 4}, {User: 1, Item: 0, Label: dataset.Test}}
	for i, x := range labelledtest.Rows(ds) {
		if x != want[i] {
			t.Errorf("interaction %d is %+v, want %+v", i, x, want[i])
		}
	}
	if f := rep.Files[0]; f.Rows != 3 || f.Bad != 0 || len(f.SHA256) != 64 || !strings.Contains(f.Format, "dense user ids") {
		t.Errorf("report %+v", f)
	}
}

func TestReadOpaque(t *testing.T) {
	// Integers come first; the word on line 4 shows that they are names after all.
	ds, _, err := read(t, "userID\titemID\trating\ttimestamp\n9\tb7\t4.5\t30\n3\tb1\t1\t20.0\nu\tb7\t2\t10\n9\tb1\t5\t10\n", Options{Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ds.UserIDs, " "); got != "9 3 u" {
		t.Errorf("users %s", got)
	}
	if ds.Items[0].ID != "b7" || ds.Items[1].ID != "b1" || ds.Split != "" || ds.Clock != dataset.ClockMoment {
		t.Errorf("dataset %+v", ds)
	}
	if x := labelledtest.Rows(ds)[0]; x.Item != 1 || x.Rating != 5 || x.Time != 10 {
		t.Errorf("the earliest interaction of user 9 is %+v", x)
	}
	ds, _, err = read(t, "userID\titemID\n7\t-5\n007\t1099511627776\n", Options{IDs: Opaque})
	if err != nil || ds.Users() != 2 || ds.Items[1].ID != "1099511627776" {
		t.Errorf("forced opaque: %+v, %v", ds, err)
	}
}

const header = "userID\titemID\trating\ttimestamp\tx_label\n"

func TestBadRows(t *testing.T) {
	good := header + "0\t0\t1\t0\t0\n0\t1\t1\t0\t2\n"
	for name, c := range map[string]struct {
		row, reason string
		column      int
	}{
		"label 7":        {"0\t0\t1.0\t0\t7", "label", 11},
		"no label":       {"0\t0\t1.0\t0\t", "label", 11},
		"negative id":    {"-1\t0\t1.0\t0\t0", "negative", 1},
		"few fields":     {"0\t0\t1.0", "3 fields where the header has 5", 0},
		"empty id":       {"0\t\t1.0\t0\t0", "empty id", 3},
		"rating NaN":     {"0\t0\tNaN\t0\t0", "finite", 5},
		"rating word":    {"0\t0\tgood\t0\t0", "finite", 5},
		"time word":      {"0\t0\t1.0\tnow\t0", "time", 9},
		"time infinite":  {"0\t0\t1.0\tInf\t0", "time", 9},
		"NUL in id":      {"\x000\t0\t1.0\t0\t0", "control", 1},
		"line too long":  {strings.Repeat("9", 17<<20), "longer than", 0},
		"an id too long": {strings.Repeat("9", 5000) + "\t0\t1.0\t0\t0", "id of 5000 bytes", 1},
	} {
		content := good + c.row + "\n0\t2\t1\t0\t0\n"
		_, _, err := read(t, content, Options{})
		var row dataset.RowError
		if _, user := usererr.Hint(err); !user || !errors.As(err, &row) {
			t.Errorf("%s: error %v", name, err)
			continue
		}
		if row.Line != 4 || row.Column != c.column || !strings.Contains(row.Reason, c.reason) || !strings.HasSuffix(row.File, "toy.inter") {
			t.Errorf("%s: %+v, want line 4, column %d, %q", name, row, c.column, c.reason)
		}
		policy := &dataset.RowPolicy{Skip: true}
		ds, rep, err := read(t, content, Options{Policy: policy})
		if err != nil || policy.Count != 1 || rep.Files[0].Bad != 1 || rep.Files[0].Rows != 3 || ds.NumInteractions() != 3 || ds.NumItems() != 3 {
			t.Errorf("%s, skipping: %v, %+v", name, err, policy)
		}
	}
}

// Ids and times as data frames write them. The units of times are told by their size.
func TestNumbersOfDataFrames(t *testing.T) {
	ds, _, err := read(t, header+"0.0\t0.0\t1.0\t1600000000000.0\t0.0\n1.0\t1.0\t1.0\t1600000060000.0\t0\n0.0\t1.0\t1.0\t1600000060000\t2.0\n", Options{})
	if err != nil || ds.Users() != 2 || ds.NumItems() != 2 || ds.Items[1].ID != "1" {
		t.Fatalf("%+v, %v", ds, err)
	}
	if rows := labelledtest.Rows(ds); rows[0].Time != 1600000000 || rows[1].Label != dataset.Test {
		t.Errorf("%+v", rows)
	}
	if _, _, err := read(t, header+"0\t0\t1\t1600000000\t0\n0\t1\t1\t1600000060000\t2\n", Options{}); err == nil || !strings.Contains(err.Error(), "unix milliseconds, the file's first time was unix seconds") {
		t.Errorf("units mixed: %v", err)
	}
	if _, _, err := read(t, header+"9007199254740993.0\t0\t1\t0\t0\n0\t0\t1\t0\t2\n", Options{IDs: Dense}); err == nil {
		t.Error("an id that lost digits was taken for a row")
	}
}

func TestBadFiles(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"empty":             {"", "empty"},
		"header only":       {header, "no usable"},
		"no user column":    {"user\titemID\n1\t1\n", "no column userID"},
		"RecBole's":         {"user_id:token\titem_id:token\n1\t1\n", "an .inter file of RecBole"},
		"comma-separated":   {"userID,itemID\n1,1\n", "no column userID"},
		"duplicate columns": {"userID\titemID\tuserID\n1\t1\t1\n", "twice"},
		"no train rows":     {header + "0\t0\t1\t0\t2\n", "no train"},
		"no test rows":      {header + "0\t0\t1\t0\t0\n0\t1\t1\t0\t1\n", "no test"},
		"not UTF-8":         {header + "a\xff\t0\t1.0\t0\t0", ":2:2: not UTF-8"},
		"UTF-16, no mark":   {"u\x00s\x00e\x00r\x00I\x00D\x00", "looks like UTF-16"},
		// Must be refused before anything of that size is made.
		"id 2^40": {header + "0\t1099511627776\t1\t0\t0\n0\t0\t1\t0\t2\n", "1099511627777 rows"},
		"id 2^30": {header + "0\t0\t1\t0\t0\n0\t1073741824\t1\t0\t2\n", ":3: itemID 1073741824"},
		"torn gz": {"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x2a\x2d", "cut off"},
		"not gz":  {"\x1f\x8b\x07\x00\x00\x00\x00\x00\x00\xff", "broken gzip"},
	} {
		_, _, err := read(t, c.content, Options{})
		if _, user := usererr.Hint(err); !user || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "toy.inter") {
			t.Errorf("%s: %v, want a user's error naming the file, with %q", name, err, c.want)
		}
	}
	if _, _, err := read(t, header, Options{IDs: "random"}); err == nil || !strings.Contains(err.Error(), "random") {
		t.Errorf("unknown id mode: %v", err)
	}
	if _, _, err := Read(t.Context(), Options{Inter: filepath.Join(t.TempDir(), "absent.inter")}); err == nil || !strings.Contains(err.Error(), "absent.inter") {
		t.Errorf("absent file: %v", err)
	}
	if _, _, err := read(t, header+"0\tx\t1\t0\t0\n", Options{IDs: Dense}); err == nil || !strings.Contains(err.Error(), "no row number") {
		t.Errorf("word among dense ids: %v", err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Read(ctx, Options{Inter: write(t, header+"0\t0\t1\t0\t0\n")}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func FuzzInter(f *testing.F) {
	f.Add([]byte(header+"0\t0\t1.0\t0\t0\n1\t5\t1.0\t0\t2\n"), false)
	f.Add([]byte("itemID\tuserID\r\na\tb\r\nc\td"), true)
	f.Add([]byte("userID\titemID\n0\t99999999999\n"), true)
	f.Add([]byte("\x1f\x8b\x08\x00"), true)
	path := filepath.Join(f.TempDir(), "fuzz.inter")
	f.Fuzz(func(t *testing.T, data []byte, skip bool) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		policy := &dataset.RowPolicy{Skip: skip}
		ds, rep, err := Read(t.Context(), Options{Inter: path, Policy: policy})
		if err != nil {
			if _, user := usererr.Hint(err); !user {
				t.Fatalf("not marked as the user's: %v", err)
			}
			return
		}
		if ds.NumInteractions() != rep.Files[0].Rows || policy.Count != rep.Files[0].Bad {
			t.Fatalf("%d interactions, report %+v", ds.NumInteractions(), rep.Files[0])
		}
		if ds.NumItems() > 16*len(data)+4096 {
			t.Fatalf("%d items from %d bytes", ds.NumItems(), len(data))
		}
		for _, x := range labelledtest.Rows(ds) {
			if int(x.User) >= ds.Users() || int(x.Item) >= ds.NumItems() || x.User < 0 || x.Item < 0 || x.Label > dataset.Test {
				t.Fatalf("interaction out of range: %+v", x)
			}
		}
	})
}
