package build

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// shop imports a small data set and opens its workspace anew, as a process would.
func shop(t *testing.T) *stage.Session {
	t.Helper()
	ds := &dataset.Dataset{Name: "shop"}
	colours, things := []string{"red", "navy", "green"}, []string{"mug", "lamp", "chair", "rug"}
	for i := range 36 {
		ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprintf("i%d", i), Title: fmt.Sprintf("%s %s of style %d", colours[i%3], things[i%4], i/12)})
	}
	for u := range 20 {
		ds.UserIDs = append(ds.UserIDs, fmt.Sprintf("u%d", u))
		for n := range 6 {
			ds.Append(dataset.Interaction{User: int32(u), Item: int32((u + 4*n) % 36), Time: int64(100*u + n)})
		}
	}
	dir := filepath.Join(t.TempDir(), "ws")
	if _, err := importing.Run(t.Context(), dir, ds, &dataset.Report{Kind: "test"}, importing.Options{Split: dataset.SplitByLatest}, nil); err != nil {
		t.Fatal(err)
	}
	return session(t, dir)
}

// session opens a workspace as another process would.
func session(t *testing.T, dir string) *stage.Session {
	t.Helper()
	ws, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return stage.NewSession(ws, nil)
}

// options sets options by name on top of the defaults.
func options(t *testing.T, pairs ...string) *Options {
	t.Helper()
	o := New()
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if err := o.Set().Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// TestARunReadsNothingTwice counts what one process opens in a whole run, of a model that
// has texts written, encoded and joined to a graph, and of one that reads interactions alone.
func TestARunReadsNothingTwice(t *testing.T) {
	for name, c := range map[string]struct {
		options []string
		read    []string // beginnings of paths that must be counted, or the count is blind
	}{
		"mllmrec": {[]string{"model=mllmrec", "mllm=offline", "dim=5", "folds=2", "set=epochs=2"}, []string{"texts/items-", "features/items-", "graphs/", "runs/"}},
		"bpr":     {[]string{"model=bpr", "set=epochs=2"}, []string{"runs/"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := shop(t)
			res, err := Run(t.Context(), s, options(t, c.options...), false)
			if err != nil {
				t.Fatal(err)
			}
			reads := s.WS.Reads()
			if n := reads[workspace.InteractionsFile]; n != 1 {
				t.Errorf("the interactions were read %d times", n)
			}
			for rel, n := range reads {
				t.Log(n, rel)
				if most := readers(rel); n > most {
					t.Errorf("%s was read %d times, by %d stages", rel, n, most)
				}
			}
			for _, want := range c.read {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(reads)), func(rel string) bool { return strings.HasPrefix(rel, want) }) {
					t.Errorf("nothing that begins with %s was counted", want)
				}
			}
			freshRunReadsItsEvaluation(t, s.WS.Dir(), res.Run.ID, c.options)
		})
	}
}

// readers is how many stages read a file. None of them reads it twice.
func readers(rel string) int {
	switch folder, _, _ := strings.Cut(rel, "-"); folder + "/" + path.Base(rel) {
	case "texts/items/items.parquet":
		return 2 // reason, which extracts preferences from them, and encode
	case "features/items/items.npy":
		return 3 // graph, train, and evaluate, which compares with untrained vectors
	case "features/users/users.npy":
		return 2 // train and evaluate
	}
	if path.Base(rel) == workspace.RunMetricsFile {
		return 2 // a small one: evaluate names the run, and the command prints it
	}
	return 1
}

// freshRunReadsItsEvaluation runs the same again in another process: what is fresh is
// skipped, not read.
func freshRunReadsItsEvaluation(t *testing.T, dir, id string, pairs []string) {
	t.Helper()
	s := session(t, dir)
	res, err := Run(t.Context(), s, options(t, pairs...), false)
	if err != nil || res.Run.ID != id {
		t.Fatalf("run %v, not %s: %v", res, id, err)
	}
	address, _, _ := s.WS.Current(workspace.KindEvaluation)
	want := map[string]int{path.Join(address, workspace.EvaluationFile): 1, path.Join(workspace.RunsFolder, id, workspace.RunMetricsFile): 1}
	if _, a, ok := s.WS.Current(workspace.KindUserTexts); ok {
		want[path.Join(a.Inputs[workspace.KindItemTexts].Address, workspace.ItemTextsFile)] = 1 // the offline writer is known by the corpus that it knows
		want[workspace.ItemsFile] = 1                                                           // in whose order the texts must be
	}
	if diff := cmp.Diff(want, s.WS.Reads()); diff != "" {
		t.Errorf("a run in which all is fresh has read: %s", diff)
	}
}
