package mllmrec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// servedShop makes a workspace with a run on LSA vectors, cross-fitted preferences and an
// item graph.
func servedShop(t *testing.T) (dir string) {
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
	dir = filepath.Join(t.TempDir(), "ws")
	if _, err := Import(t.Context(), dir, ds, ImportOptions{Split: dataset.SplitByLatest}); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), dir, BuildOptions{Model: "mllmrec", Settings: map[string]string{"epochs": "2"},
		Options: map[string]string{"mllm": "offline", "dim": "5", "folds": "2"}}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// askText opens the shop and asks by a sentence.
func askText(t *testing.T, dir string) ([]Recommendation, map[string]int) {
	t.Helper()
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.ForText(t.Context(), "a navy lamp", 5)
	if err != nil {
		t.Fatal(err)
	}
	return list, r.engine.Load().Workspace().Reads()
}

// trainingInputs lists what a run was trained on and a sentence does not need: graphs, and
// arrays of vectors.
func trainingInputs(t *testing.T, dir string) (files []string) {
	t.Helper()
	for _, pattern := range []string{"graphs/*/*", "features/*/*.npy"} {
		found, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	return files
}

// TestASentenceOpensNoTrainingInput asks by a sentence and looks at what was read: weights,
// item vectors and the encoder of the run, and the item texts for the reasons; neither the
// graph nor the vectors that it was trained on. Without these it answers the same.
func TestASentenceOpensNoTrainingInput(t *testing.T) {
	dir := servedShop(t)
	want, reads := askText(t, dir)
	read := func(folder, name string) (times int) {
		for rel, n := range reads {
			if strings.HasPrefix(rel, folder+"/") && strings.HasSuffix(rel, "/"+name) {
				times += n
			}
		}
		return times
	}
	for rel := range reads {
		if strings.HasPrefix(rel, "graphs/") || strings.HasPrefix(rel, "features/") && strings.HasSuffix(rel, ".npy") {
			t.Errorf("it read %s", rel)
		}
	}
	for file, folder := range map[string]string{workspace.RunModelFile: "runs", workspace.RunItemsFile: "runs", workspace.LSAFile: "features", workspace.EncoderFile: "features"} {
		if n := read(folder, file); n != 1 {
			t.Errorf("%s was read %d times", file, n)
		}
	}

	files := trainingInputs(t, dir)
	if len(files) < 1+1+3 { // a graph, item vectors, preferences with two folds
		t.Fatalf("the shop has only %v", files)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := askText(t, dir)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("without what it was trained on, the run answers otherwise:\n%s", diff)
	}
}

// TestReasonsOfAHistoryNeedTheGraph shows that the test above can fail: who asks by a
// history is told of edges, which the graph has.
func TestReasonsOfAHistoryNeedTheGraph(t *testing.T) {
	dir := servedShop(t)
	r, err := Open(t.Context(), dir, WithWriter("offline"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ForHistory(t.Context(), []string{"i1", "i5"}, 5); err != nil {
		t.Fatal(err)
	}
	read := map[string]bool{}
	for rel := range r.engine.Load().Workspace().Reads() {
		folder, _, _ := strings.Cut(rel, "/")
		read[folder] = true
	}
	if !read["graphs"] || !read["features"] {
		t.Errorf("read only %v", read)
	}
}
