package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
)

func itemTexts() []ItemText {
	var texts []ItemText
	for i := range 5 {
		texts = append(texts, ItemText{Item: fmt.Sprint("i", i), Text: fmt.Sprintf("A mug, number %d.", i), ImageText: "It is blue.", By: "offline", Key: fmt.Sprint("k", i), Status: StatusOK})
	}
	return texts
}

func userTexts() []UserText {
	mk := func(user string, fold int32, sources ...int32) UserText {
		return UserText{User: user, Fold: fold, Text: "Likes mugs – " + user, By: "offline", Key: user, Status: StatusOK, Sources: sources, SplitHash: "abc", Scope: "train"}
	}
	return []UserText{mk("ann", -1, 0, 7), mk("bob", -1), mk("ç", -1, 3), mk("ann", 0, 7), mk("ç", 0), mk("ann", 1, 0)}
}

// each yields texts, without error.
func each[T any](texts []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range texts {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// recordTexts makes an artefact of texts, written by write, and returns its address.
func recordTexts[T any](t *testing.T, w *Workspace, kind Kind, file string, write func(string, iter.Seq2[T, error]) error, texts []T) string {
	t.Helper()
	d, err := w.NewDraft(kind)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Discard()
	if err := write(d.Path(file), each(texts)); err != nil {
		t.Fatal(err)
	}
	address, err := d.Commit("m", Artefact{Stage: StageDescribe, InputHash: HashInputs(kind)})
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func TestTextsRoundTrip(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	items, err := w.ItemTexts(recordTexts(t, w, KindItemTexts, ItemTextsFile, w.WriteItemTexts, itemTexts()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(itemTexts(), items); diff != "" {
		t.Error(diff)
	}
	address := recordTexts(t, w, KindUserTexts, UserTextsFile, w.WriteUserTexts, userTexts())
	users, err := w.UserTexts(address)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = w.EachUserText(address, func(u UserText) error {
		if u.User != users[n].User || u.Fold != users[n].Fold || u.Text != users[n].Text {
			t.Errorf("row %d: %+v, want %+v", n, u, users[n])
		}
		n++
		return nil
	})
	if err != nil || n != len(users) {
		t.Errorf("%d rows one by one, %v", n, err)
	}
	want := userTexts()
	for i := range want { // parquet does not tell nil from empty
		if want[i].Sources == nil {
			want[i].Sources = []int32{}
		}
		if users[i].Sources == nil {
			users[i].Sources = []int32{}
		}
	}
	if diff := cmp.Diff(want, users); diff != "" {
		t.Errorf("full texts first, then folds, each by user (-want +got):\n%s", diff)
	}
}

func TestTextsRejects(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	path := w.Path("texts", "file.parquet")
	items := func(f func([]ItemText) []ItemText) error { return w.WriteItemTexts(path, each(f(itemTexts()))) }
	users := func(f func([]UserText) []UserText) error { return w.WriteUserTexts(path, each(f(userTexts()))) }
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"too few items":      {items(func(x []ItemText) []ItemText { return x[:4] }), "4 texts for 5 items"},
		"items in disorder":  {items(func(x []ItemText) []ItemText { x[1], x[2] = x[2], x[1]; return x }), `row 1: item "i2"`},
		"item status":        {items(func(x []ItemText) []ItemText { x[3].Status = "done"; return x }), `item "i3": status "done"`},
		"too many items":     {items(func(x []ItemText) []ItemText { return append(x, x[0]) }), "more texts than the 5 items"},
		"unknown user":       {users(func(x []UserText) []UserText { x[1].User = "eve"; return x }), `user "eve" is unknown`},
		"users in disorder":  {users(func(x []UserText) []UserText { x[1], x[2] = x[2], x[1]; return x }), `row 2: user "bob" comes twice for fold -1, or not in the order`},
		"folds in disorder":  {users(func(x []UserText) []UserText { x[4], x[5] = x[5], x[4]; return x }), `row 5: user "ç": fold 0 after fold 1`},
		"far too many folds": {users(func(x []UserText) []UserText { x[5].Fold = 256; return x }), "fold 256"},
		"missing full":       {users(func(x []UserText) []UserText { return x[1:] }), "2 full texts for 3 users"},
		"fold twice":         {users(func(x []UserText) []UserText { x[5].Fold = 0; return x }), `user "ann" comes twice for fold 0`},
		"negative fold":      {users(func(x []UserText) []UserText { x[5].Fold = -2; return x }), "fold -2"},
		"user status":        {users(func(x []UserText) []UserText { x[0].Status = ""; return x }), "status"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, c.err, c.want)
		}
	}
	if left := entries(t, w.Path("texts")); len(left) != 0 {
		t.Errorf("rejected writes left %v", left)
	}
	if _, err := w.UserTexts("texts/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("texts that nobody wrote: %v", err)
	}
	put(t, w, "texts/x/items.parquet", "no Parquet")
	if err := w.Record("texts/x", Artefact{Kind: KindItemTexts, Stage: StageDescribe, Files: map[string]File{ItemTextsFile: {Path: "texts/x/items.parquet"}}}); err != nil {
		t.Fatal(err)
	}
	_, err := w.ItemTexts("texts/x")
	wantUserError(t, err, ItemTextsFile)
}

func TestTextsThatFailToComeLeaveTheFile(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	address := recordTexts(t, w, KindUserTexts, UserTextsFile, w.WriteUserTexts, userTexts())
	broken := errors.New("the ledger broke")
	err := w.WriteUserTexts(w.Path(address, UserTextsFile), func(yield func(UserText, error) bool) {
		for _, x := range userTexts()[:2] {
			x.Text = "new"
			if !yield(x, nil) {
				return
			}
		}
		yield(UserText{}, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got, err := w.UserTexts(address); err != nil || got[0].Text != userTexts()[0].Text {
		t.Errorf("%+v, %v", got, err)
	}
	if left := entries(t, w.Path(address)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// manyUsers is a workspace of n users, each with one interaction, and their texts.
func manyUsers(t testing.TB, n int) (*Workspace, []UserText) {
	t.Helper()
	words := strings.Fields("warm blue ceramic striped mug minimal wood lamp outdoor canvas trainer vintage clock cotton shirt green plant")
	ds := shop()
	ds.SetInteractions(nil)
	var texts []UserText
	ds.UserIDs = nil
	for u := range n {
		id := fmt.Sprintf("A%08dX", u*7919)
		ds.UserIDs = append(ds.UserIDs, id)
		ds.Append(dataset.Interaction{User: int32(u), Item: int32(u % 5)})
		var b strings.Builder
		for k := range 100 {
			b.WriteString(words[(u*31+k*k+k*u/7)%len(words)])
			b.WriteByte(' ')
		}
		texts = append(texts, UserText{User: id, Fold: -1, Text: b.String(), By: "offline", Key: HashInputs(u), Status: StatusOK,
			Sources: []int32{int32(u), int32(u + 1), int32(u + 2), int32(u + 3), int32(u + 4)}, SplitHash: HashInputs("split"), Scope: "train"})
	}
	w, err := Create(filepath.Join(t.TempDir(), "ws"), ds, source())
	if err != nil {
		t.Fatal(err)
	}
	return w, texts
}

func BenchmarkUserTexts(b *testing.B) {
	w, texts := manyUsers(b, 50_000)
	const address = "texts/bench"
	path := w.Path(address, UserTextsFile)
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if err := w.WriteUserTexts(path, each(texts)); err != nil {
				b.Fatal(err)
			}
		}
		info, _ := os.Stat(path)
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	})
	err := w.Record(address, Artefact{Kind: KindUserTexts, Stage: StageReason, Files: map[string]File{UserTextsFile: {Path: address + "/" + UserTextsFile}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if got, err := w.UserTexts(address); err != nil || len(got) != len(texts) {
				b.Fatal(err)
			}
		}
	})
	b.Run("stream", func(b *testing.B) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		peak := uint64(0)
		n := 0
		for b.Loop() {
			err := w.EachUserText(address, func(UserText) error {
				if n++; n%10_000 == 0 {
					runtime.ReadMemStats(&after)
					peak = max(peak, after.HeapInuse-min(before.HeapInuse, after.HeapInuse))
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(peak)/1e6, "MB-heap-over-start")
	})
}
