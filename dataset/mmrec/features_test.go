package mmrec

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
)

func TestFeatureFilesLieBesideTheInterFile(t *testing.T) {
	dir := t.TempDir()
	inter := filepath.Join(dir, "baby.inter")
	if got := FeatureFiles(inter); got != nil {
		t.Errorf("in an empty folder: %+v", got)
	}
	for _, name := range []string{TextFile, "image_text_feat.npy", "feat.npy", "IMAGE_FEAT.NPY.bak"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]FeatureFile{{"text", filepath.Join(dir, TextFile)}}, FeatureFiles(inter)); diff != "" {
		t.Error(diff)
	}
	if err := os.Mkdir(filepath.Join(dir, VisualFile), 0o755); err != nil { // whoever reads it says that it is a folder
		t.Fatal(err)
	}
	if got := FeatureFiles(inter); len(got) != 2 || got[0].Modality != "visual" || got[0].Path != filepath.Join(dir, VisualFile) {
		t.Errorf("%+v", got)
	}
}

func TestNumberedItems(t *testing.T) {
	for _, c := range []struct {
		ids  []string
		want bool
	}{{[]string{"0", "1", "2"}, true}, {[]string{"1", "0"}, false}, {[]string{"0", "B002"}, false}, {[]string{"00"}, false}} {
		ds := &dataset.Dataset{}
		for _, id := range c.ids {
			ds.Items = append(ds.Items, dataset.Item{ID: id})
		}
		if got := NumberedItems(ds); got != c.want {
			t.Errorf("%q: %v", c.ids, got)
		}
	}
}
