package mmrec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func exported(t *testing.T) (*dataset.Dataset, Options) {
	t.Helper()
	ds := &dataset.Dataset{Name: "toy", Split: dataset.SplitByLatest, Clock: dataset.ClockMoment, UserIDs: []string{"ann", "bob \"b\""},
		Items: []dataset.Item{{ID: "cup"}, {ID: "a\u00e9"}, {ID: "nobody's"}}}
	ds.SetInteractions([]dataset.Interaction{{User: 0, Item: 1, Rating: 4.5, Time: 10}, {User: 0, Item: 0, Rating: 3, Time: 20, Label: dataset.Valid},
		{User: 1, Item: 1, Time: -5}, {User: 1, Item: 2, Time: 7, Label: dataset.Test}})
	dir := t.TempDir()
	if err := Write(dir, "toy", ds); err != nil {
		t.Fatal(err)
	}
	return ds, Options{Inter: filepath.Join(dir, "toy.inter"), UserMap: filepath.Join(dir, UserMapFile), ItemMap: filepath.Join(dir, ItemMapFile)}
}

func TestWriteFormat(t *testing.T) {
	_, opt := exported(t)
	for path, want := range map[string]string{
		opt.Inter:   "userID\titemID\trating\ttimestamp\tx_label\n0\t1\t4.5\t10\t0\n0\t0\t3.0\t20\t1\n1\t1\t0.0\t-5\t0\n1\t2\t0.0\t7\t2\n",
		opt.UserMap: "user_id\tuserID\nann\t0\n\"bob \"\"b\"\"\"\t1\n",
		opt.ItemMap: "asin\titemID\ncup\t0\na\u00e9\t1\nnobody's\t2\n",
	} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", filepath.Base(path), got, err, want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	want, opt := exported(t)
	got, rep, err := Read(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	want.Split = dataset.SplitLabelled
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(dataset.Dataset{})); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(labelledtest.Rows(want), labelledtest.Rows(got)); diff != "" {
		t.Errorf("interactions read back (-want +got):\n%s", diff)
	}
	if len(rep.Files) != 3 || rep.Files[2].Rows != 3 {
		t.Errorf("report %+v", rep)
	}
}

func TestWriteRefuses(t *testing.T) {
	ds, _ := exported(t)
	for _, name := range []string{"", "a/b", "..", ".hidden"} {
		if err := Write(t.TempDir(), name, ds); err == nil {
			t.Errorf("name %q was accepted", name)
		}
	}
	ds.Split = ""
	if err := Write(t.TempDir(), "toy", ds); err == nil {
		t.Error("a dataset without a split was written")
	}
}

func TestBadMaps(t *testing.T) {
	_, opt := exported(t)
	for name, c := range map[string]struct{ content, want string }{
		"other columns": {"id,row\na,0\n", "one of them itemID"},
		"missing row":   {"asin\titemID\ncup\t0\nx\t2\n", "no id for itemID 1"},
		"row beyond":    {"asin\titemID\ncup\t1099511627776\n", "beyond the 3 rows"},
		"row twice":     {"asin,itemID\ncup,0\nx,0\n", "already"},
		"id twice":      {"itemID,asin\n0,cup\n1,cup\n", "already"},
		"no number":     {"asin,itemID\ncup,one\n", "no row number"},
		"empty":         {"", "empty"},
	} {
		if err := os.WriteFile(opt.ItemMap, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := Read(t.Context(), opt)
		if _, user := usererr.Hint(err); !user || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), ItemMapFile) {
			t.Errorf("%s: %v, want a user's error with %q", name, err, c.want)
		}
	}
	opt.IDs = Opaque
	if _, _, err := Read(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "no row numbers") {
		t.Errorf("map for opaque ids: %v", err)
	}
}
