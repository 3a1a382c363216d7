package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage/training"
)

// numbers writes item vectors of one value and a width.
func numbers(t *testing.T, path string, rows, cols int, value float32) string {
	t.Helper()
	x := tensor.New(rows, cols)
	for i := range x.Data {
		x.Data[i] = value + float32(i%5)
	}
	if err := arrayfile.WriteNPY(path, x); err != nil {
		t.Fatal(err)
	}
	return path
}

// modalitiesOf are name and width of a workspace's modalities, as status says them.
func modalitiesOf(t *testing.T, ws string) map[string]int {
	t.Helper()
	out, _ := ok(t, "status", ws, "--json")
	var s struct {
		Modalities []struct {
			Modality string
			Dim      int
		}
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, m := range s.Modalities {
		got[m.Modality] = m.Dim
	}
	return got
}

// same reports whether two maps are equal.
func same(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// A folder of MMRec is imported with the vectors that lie in it under MMRec's names, unless
// others are named or none are wanted; it says so.
func TestFoldersOfMMRecComeWithTheirVectors(t *testing.T) {
	dir := t.TempDir()
	inter := interactions(t, dir)
	numbers(t, filepath.Join(dir, "image_feat.npy"), items, 6, 1)
	numbers(t, filepath.Join(dir, "text_feat.npy"), items, 4, 2)
	other := numbers(t, filepath.Join(dir, "other.npy"), items, 3, 3)
	sound := numbers(t, filepath.Join(dir, "sound.npy"), items, 2, 4)
	for _, c := range []struct {
		flags   []string
		want    map[string]int
		says    []string
		keepsTo []string // and not these
	}{
		{nil, map[string]int{"visual": 6, "text": 4}, []string{"item vectors: visual, 6 wide (imported, image_feat.npy); text, 4 wide (imported, text_feat.npy)",
			"visual vectors of the items: ", "text vectors of the items: ", "text_feat.npy, found beside the .inter file"}, nil},
		{[]string{"--item-features", "visual=" + other, "--item-features", "audio=" + sound}, map[string]int{"visual": 3, "text": 4, "audio": 2}, []string{"text_feat.npy"}, []string{"image_feat.npy"}},
		{[]string{"--item-features", other}, map[string]int{"visual": 6, "text": 3}, []string{"other.npy"}, []string{"text_feat.npy"}},
		{[]string{"--ignore-features"}, map[string]int{}, nil, []string{"_feat.npy", "item vectors"}},
		{[]string{"--ignore-features", "--item-features", "text=" + other}, map[string]int{"text": 3}, nil, []string{"_feat.npy"}},
	} {
		ws := filepath.Join(t.TempDir(), "ws")
		out, _ := ok(t, append([]string{"import", "mmrec", "--inter", inter, "--out", ws}, c.flags...)...)
		for _, s := range c.says {
			if !strings.Contains(out, s) {
				t.Errorf("%v: no %q in %s", c.flags, s, out)
			}
		}
		for _, s := range c.keepsTo {
			if strings.Contains(out, s) {
				t.Errorf("%v: %q in %s", c.flags, s, out)
			}
		}
		if got := modalitiesOf(t, ws); !same(got, c.want) {
			t.Errorf("%v: modalities %v, want %v", c.flags, got, c.want)
		}
	}
	// Files that do not fit are named, with where they were found.
	numbers(t, filepath.Join(dir, "image_feat.npy"), items+1, 6, 1)
	ws := filepath.Join(t.TempDir(), "ws")
	code, _, errs := call(t, "import", "mmrec", "--inter", inter, "--out", ws)
	if code != exitUser || !strings.Contains(errs, "found beside the .inter file") || !strings.Contains(errs, "6 rows for 5 items") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if _, err := os.Stat(ws); err == nil {
		t.Error("a workspace was left behind")
	}
}

// Where ids are texts, nobody knows to which items the rows of a file belong that nobody has
// named.
func TestVectorsOfUnknownRowsAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	raw, err := os.ReadFile(interactions(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	inter := filepath.Join(dir, "named.inter")
	if err := os.WriteFile(inter, []byte(strings.ReplaceAll(string(raw), "\t4\t", "\tB00X\t")), 0o644); err != nil {
		t.Fatal(err)
	}
	file := numbers(t, filepath.Join(dir, "image_feat.npy"), items, 6, 1)
	ws := filepath.Join(t.TempDir(), "ws")
	if out, _ := ok(t, "import", "mmrec", "--inter", inter, "--out", ws); !strings.Contains(out, file+" is left out") || !strings.Contains(out, "--item-features visual="+file) {
		t.Errorf("%s", out)
	}
	if got := modalitiesOf(t, ws); len(got) != 0 {
		t.Errorf("modalities %v", got)
	}
	ok(t, "import", "mmrec", "--inter", inter, "--out", ws, "--item-features", "visual="+file)
	if got := modalitiesOf(t, ws); got["visual"] != 6 {
		t.Errorf("modalities %v", got)
	}
}

// Tables, too, come with vectors; status shows them and the export writes them back.
func TestTablesComeWithVectors(t *testing.T) {
	dir := filepath.Dir(importWordyShop(t, 24, 48))
	a, b := numbers(t, filepath.Join(dir, "a.npy"), 48, 5, 1), numbers(t, filepath.Join(dir, "b.npy"), 48, 3, 2)
	args := []string{"import", "tables", "--interactions", filepath.Join(dir, "inter.csv"), "--items", filepath.Join(dir, "items.csv"), "--split", "leave-latest", "--k-core", "0",
		"--out", filepath.Join(dir, "ws"), "--item-features", "visual=" + a, "--item-features", "audio=" + b}
	ws := filepath.Join(dir, "ws")
	if out, _ := ok(t, append(args, "--json")...); !strings.Contains(out, `"modality": "visual"`) || !strings.Contains(out, `"file": "b.npy"`) {
		t.Errorf("import: %s", out)
	}
	status, _ := ok(t, "status", ws)
	for _, want := range []string{"item vectors: visual, 5 wide (imported, a.npy); audio, 3 wide (imported, b.npy)", "features/items-visual-imported-", "features/items-audio-imported-"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in %s", want, status)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	said, _ := ok(t, "export", "mmrec", ws, "--out", out)
	for file, was := range map[string]string{"image_feat.npy": a, "audio_feat.npy": b} {
		want, _ := os.ReadFile(was)
		if got, err := os.ReadFile(filepath.Join(out, file)); err != nil || string(got) != string(want) || !strings.Contains(said, file) {
			t.Errorf("%s: %v", file, err)
		}
	}
	// A damaged file is seen, and the same import brings it back.
	address := vectorsOf(t, ws, "visual")
	if err := os.WriteFile(address, []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _ := ok(t, "status", ws); !strings.Contains(status, "changed or missing") || !strings.Contains(status, "import") || !strings.Contains(status, "stale") {
		t.Errorf("a damaged file: %s", status)
	}
	ok(t, args...)
	if status, _ := ok(t, "status", ws); strings.Contains(status, "changed or missing") {
		t.Errorf("imported again: %s", status)
	}
}

// vectorsOf is the file of a modality's vectors.
func vectorsOf(t *testing.T, ws, modality string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(ws, "features", "items-"+modality+"-imported-*", "items.npy"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	return found[0]
}

// What is wrong with a flag is said with the flag's name, and nothing is written.
func TestFeatureFlagsThatAreWrong(t *testing.T) {
	dir := t.TempDir()
	inter := interactions(t, dir)
	x := numbers(t, filepath.Join(dir, "x.npy"), items, 2, 1)
	for name, c := range map[string]struct {
		flags []string
		says  string
	}{
		"no file":     {[]string{"visual="}, "names no file"},
		"capitals":    {[]string{"Visual=" + filepath.Base(x)}, "is no name of a modality"},
		"twice":       {[]string{"visual=" + x, "visual=" + x}, "visual vectors are given twice"},
		"text twice":  {[]string{x, "text=" + x}, "text vectors are given twice"},
		"auto":        {[]string{"auto=" + x}, "auto stands for all modalities"},
		"no such one": {[]string{"visual=" + x + ".gone"}, "x.npy.gone"},
	} {
		ws := filepath.Join(t.TempDir(), "ws")
		args := []string{"import", "mmrec", "--inter", inter, "--out", ws}
		for _, value := range c.flags {
			args = append(args, "--item-features", value)
		}
		code, _, errs := call(t, args...)
		if code != exitUser || !strings.Contains(errs, c.says) || !strings.Contains(errs, "--item-features") && !strings.Contains(errs, "x.npy.gone") {
			t.Errorf("%s: exit %d: %s", name, code, errs)
		}
		if _, err := os.Stat(ws); err == nil {
			t.Errorf("%s: a workspace was left behind", name)
		}
	}
}

// A configuration that came with a folder names files of vectors only with consent, each.
func TestConfigsNameVectorsWithConsent(t *testing.T) {
	dir := t.TempDir()
	inter := interactions(t, dir)
	a, b := numbers(t, filepath.Join(dir, "a.npy"), items, 2, 1), numbers(t, filepath.Join(dir, "b.npy"), items, 2, 1)
	here := t.TempDir()
	t.Chdir(here)
	writeConfig(t, here, "all: {item-features: ['visual="+a+"', 'audio="+b+"']}\n")
	ws := filepath.Join(t.TempDir(), "ws")
	code, _, errs := call(t, "import", "mmrec", "--inter", inter, "--out", ws)
	if code != exitUser || !strings.Contains(errs, a) || !strings.Contains(errs, b) || strings.Contains(errs, "visual="+a) {
		t.Errorf("exit %d: %s", code, errs)
	}
	ok(t, "trust", ".", "--yes")
	ok(t, "import", "mmrec", "--inter", inter, "--out", ws)
	if got := modalitiesOf(t, ws); !same(got, map[string]int{"visual": 2, "audio": 2}) {
		t.Errorf("modalities %v", got)
	}
}

// The list of runs says what each was told to read.
func TestRunsAreListedWithTheirModalities(t *testing.T) {
	var out strings.Builder
	(&app{stdout: &out}).printStatus(&statusResult{Runs: []training.Summary{
		{ID: "a", Model: "senses", Finished: true, Settings: map[string]string{"modalities": "visual,text"}}, {ID: "b", Model: "bpr", Finished: true}}})
	if s := out.String(); !strings.Contains(s, "senses (visual,text)") || !strings.Contains(s, "bpr ") || strings.Contains(s, "bpr (") {
		t.Error(s)
	}
}
