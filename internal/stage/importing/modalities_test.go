package importing_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// matrixFile writes a .npy file of one value that is rows × cols.
func matrixFile(t *testing.T, rows, cols int, value float32) string {
	t.Helper()
	x := tensor.New(rows, cols)
	for i := range x.Data {
		x.Data[i] = value
	}
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := arrayfile.WriteNPY(path, x); err != nil {
		t.Fatal(err)
	}
	return path
}

// doubles writes a .npy file of float64 as NumPy does.
func doubles(t *testing.T, rows int, values ...float64) string {
	t.Helper()
	head := fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }\n", rows, len(values)/rows)
	raw := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), 0)
	raw = append(raw, head...)
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	path := filepath.Join(t.TempDir(), "f8.npy")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParseFeatures(t *testing.T) {
	for text, want := range map[string]importing.Features{
		"a.npy":                  {Modality: "text", Path: "a.npy"},
		"/data/x=1/a.npy":        {Modality: "text", Path: "/data/x=1/a.npy"},
		"./a=b.npy":              {Modality: "text", Path: "./a=b.npy"},
		`C:\x=1\a.npy`:           {Modality: "text", Path: `C:\x=1\a.npy`},
		"text=a.npy":             {Modality: "text", Path: "a.npy"},
		"visual=a.npy":           {Modality: "visual", Path: "a.npy"},
		"visual=/d/x=1/a.npy":    {Modality: "visual", Path: "/d/x=1/a.npy"},
		"deep_2-x=a.npy":         {Modality: "deep_2-x", Path: "a.npy"},
		"audio= spaced name.npy": {Modality: "audio", Path: " spaced name.npy"},
	} {
		if got, err := importing.ParseFeatures(text); err != nil || got != want {
			t.Errorf("%q is %+v (%v), want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                 "names no file",
		"visual=":                          "names no file",
		"=a.npy":                           "no name of a modality",
		"Visual=a.npy":                     "no name of a modality",
		"1d=a.npy":                         "no name of a modality",
		"my sound=a.npy":                   "no name of a modality",
		strings.Repeat("x", 41) + "=a.npy": "no name of a modality",
		"auto=a.npy":                       "auto stands for all",
	} {
		_, err := importing.ParseFeatures(text)
		if hint, ok := usererr.Hint(err); err == nil || !strings.Contains(err.Error(), want) || !ok || hint == "" {
			t.Errorf("%q: %v (%s)", text, err, hint)
		}
	}
}

// Whatever is typed names a file, and a modality that a kind can be made of, or is refused.
func FuzzParseFeatures(f *testing.F) {
	for _, text := range []string{"a.npy", "visual=a.npy", "=", "a==b", "auto=x", "../x=y", "ä=x", "text=text=text", strings.Repeat("a", 41) + "=b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := importing.ParseFeatures(text)
		if err != nil {
			if !isUsers(err) {
				t.Errorf("%q: %v is not the user's to mend", text, err)
			}
			return
		}
		name, ok := workspace.ItemVectorsOf(got.Modality).Modality()
		if !ok || name != got.Modality || !modality.Check(name) || name == modality.Auto || got.Path == "" || !strings.HasSuffix(text, got.Path) {
			t.Errorf("%q is %+v", text, got)
		}
	})
}

func TestModalitiesAreArtefactsOfTheirOwn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ws")
	visual := matrixFile(t, items, 5, 1)
	res, err := run(t, dir, importing.Options{ItemFeatures: []importing.Features{
		{Modality: "audio", Path: matrixFile(t, items, 2, 2)}, {Modality: "text", Path: matrixFile(t, items, 3, 3)}, {Modality: "visual", Path: visual}}})
	if err != nil {
		t.Fatal(err)
	}
	got := importing.Modalities(res.WS)
	for i := range got {
		a, _ := res.WS.Artefact(got[i].Address)
		if a.Stage != workspace.StageImport || a.Provenance != workspace.ProvenanceTrainOnly || len(a.Inputs) != 1 || res.WS.Check(got[i].Address).State != workspace.Fresh {
			t.Errorf("%s: %+v", got[i].Name, a)
		}
		got[i].Address = got[i].Address[:strings.LastIndex(got[i].Address, "-")]
	}
	want := []importing.Modality{
		{Name: "visual", Address: "features/items-visual-imported", Dim: 5, From: "imported", File: "x.npy"},
		{Name: "text", Address: "features/items-imported", Dim: 3, From: "imported", File: "x.npy"},
		{Name: "audio", Address: "features/items-audio-imported", Dim: 2, From: "imported", File: "x.npy"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if items, users := importing.Vectors(res.WS); !items || users {
		t.Errorf("imported texts %v, users %v", items, users)
	}
}

// Vectors of pictures do not stand in for those of texts.
func TestTextsAreEncodedBesideImportedModalities(t *testing.T) {
	res, err := run(t, filepath.Join(t.TempDir(), "ws"), importing.Options{ItemFeatures: []importing.Features{{Modality: "visual", Path: matrixFile(t, items, 2, 2)}}})
	if err != nil {
		t.Fatal(err)
	}
	if importing.HasVectors(res.WS) || importing.RefuseTexts(res.WS, workspace.StageDescribe) != nil {
		t.Error("no texts are written beside pictures")
	}
}

// The same import with other files adds to the workspace and exchanges what is in it; what
// was there stays beside it, and comes back with its file.
func TestImportAgainExchangesModalities(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ws")
	one, two, audio := matrixFile(t, items, 4, 1), matrixFile(t, items, 4, 2), matrixFile(t, items, 2, 3)
	visual := func(path string, others ...importing.Features) importing.Options {
		return importing.Options{ItemFeatures: append([]importing.Features{{Modality: "visual", Path: path}}, others...)}
	}
	addresses := func(opt importing.Options, notes ...string) (current string, all []string) {
		t.Helper()
		res, err := run(t, dir, opt)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(notes, res.Notes); diff != "" {
			t.Errorf("notes: %s", diff)
		}
		current, _, _ = res.WS.Current("item-vectors/visual")
		return current, res.WS.Addresses("item-vectors/visual")
	}
	first, _ := addresses(importing.Options{})
	if first != "" {
		t.Errorf("there is %s", first)
	}
	first, all := addresses(visual(one))
	if len(all) != 1 {
		t.Errorf("%q", all)
	}
	if again, all := addresses(visual(one)); again != first || len(all) != 1 {
		t.Errorf("the same once more: %s, not %s, of %q", again, first, all)
	}
	second, all := addresses(visual(two, importing.Features{Modality: "audio", Path: audio}))
	if second == first || len(all) != 2 {
		t.Errorf("another file: %s of %q", second, all)
	}
	if back, all := addresses(visual(one), "the workspace keeps the audio vectors of the items that were imported before"); back != first || len(all) != 2 {
		t.Errorf("the first file again: %s of %q", back, all)
	}
	if kept, all := addresses(importing.Options{}, "the workspace keeps the visual vectors of the items that were imported before",
		"the workspace keeps the audio vectors of the items that were imported before"); kept != first || len(all) != 2 {
		t.Errorf("without files: %s of %q", kept, all)
	}
	// The file of a name that it had before is read again.
	raw, err := os.ReadFile(two)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(one, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	if now, all := addresses(visual(one), "the workspace keeps the audio vectors of the items that were imported before"); now != second || len(all) != 2 {
		t.Errorf("other contents under the old name: %s of %q", now, all)
	}
	// Damaged vectors are brought back by the import.
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(second), "items.npy"), raw[:9], 0o644); err != nil {
		t.Fatal(err)
	}
	mended, _ := addresses(visual(two), "the workspace keeps the audio vectors of the items that were imported before")
	if ws, err := workspace.Open(dir); err != nil || mended != second || ws.Check(mended).State != workspace.Fresh {
		t.Errorf("mended %s: %v", mended, err)
	}
}

// Text and user vectors too are exchanged by the same import, where a path alone was compared.
func TestImportAgainExchangesTextVectors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ws")
	for n, want := range []int{1, 2} {
		res, err := run(t, dir, importing.Options{ItemFeatures: text(matrixFile(t, items, 2, float32(n))), UserFeatures: matrixFile(t, users, 2, float32(n))})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(res.WS.Addresses(workspace.KindItemVectors)); got != want || len(res.WS.Addresses(workspace.KindUserVectors)) != want {
			t.Errorf("%d artefacts, want %d", got, want)
		}
	}
	other := shop()
	other.Items[0].Title = "Jug"
	other.Name = "another shop"
	if _, err := importing.Run(t.Context(), dir, other, &dataset.Report{Kind: "tables"}, importing.Options{Split: dataset.SplitByLatest, Seed: 1}, nil); err == nil {
		t.Error("other data went into the workspace")
	}
}

// What does not fit is said before anything is written, with the modality and the file.
func TestImportRejectsModalities(t *testing.T) {
	good := matrixFile(t, items, 2, 1)
	hostile := filepath.Join(t.TempDir(), "hostile.npy")
	head := "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 1000000000000), }\n"
	if err := os.WriteFile(hostile, append([]byte("\x93NUMPY\x01\x00"+string(rune(len(head)))+"\x00"), head...), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "folder.npy")
	if err := os.Mkdir(link, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files []importing.Features
		want  []string
	}{
		"too few rows":    {[]importing.Features{{Modality: "visual", Path: matrixFile(t, items-1, 2, 1)}}, []string{"visual item features", "5 rows for 6 items"}},
		"no columns":      {[]importing.Features{{Modality: "visual", Path: matrixFile(t, items, 0, 1)}}, []string{"visual item features", "no numbers"}},
		"NaN":             {[]importing.Features{{Modality: "audio", Path: matrixFile(t, items, 2, float32(math.NaN()))}}, []string{"audio item features", "row 0", "NaN"}},
		"infinity":        {[]importing.Features{{Modality: "audio", Path: doubles(t, items, 1, 1, 1, 1e300, 1, 1)}}, []string{"audio item features", "row 3", "1e+300"}},
		"no such file":    {[]importing.Features{{Modality: "visual", Path: "none.npy"}}, []string{"visual item features", "none.npy"}},
		"folder":          {[]importing.Features{{Modality: "visual", Path: link}}, []string{"visual item features", "folder.npy"}},
		"shape that lies": {[]importing.Features{{Modality: "visual", Path: hostile}}, []string{"visual item features", "hostile.npy", "cut off"}},
		"twice":           {[]importing.Features{{Modality: "visual", Path: good}, {Modality: "visual", Path: good}}, []string{"visual vectors are given twice"}},
		"no name":         {[]importing.Features{{Modality: "../x", Path: good}}, []string{`"../x" is no name`}},
		"auto":            {[]importing.Features{{Modality: "auto", Path: good}}, []string{"auto stands for all"}},
		"second is wrong": {[]importing.Features{{Modality: "audio", Path: good}, {Modality: "visual", Path: "none.npy"}}, []string{"visual"}},
	} {
		dir := filepath.Join(t.TempDir(), "ws")
		_, err := run(t, dir, importing.Options{ItemFeatures: c.files})
		if err == nil || !isUsers(err) || slices.ContainsFunc(c.want, func(want string) bool { return !strings.Contains(err.Error(), want) }) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s: left a folder (%v)", name, err)
		}
	}
}

// Rows are those of the catalogue that the k-core leaves. A file with the rows of the whole
// catalogue is none, and is not cut in silence.
func TestRowsAreThoseThatTheCoreLeaves(t *testing.T) {
	withRest := func(t *testing.T, file string) (*importing.Result, error) {
		ds := shop()
		ds.Items = append(ds.Items, dataset.Item{ID: "rare", Title: "Rare"})
		ds.Append(dataset.Interaction{User: 0, Item: int32(items), Time: 1})
		opt := importing.Options{Split: dataset.SplitByLatest, Seed: 1, KCore: 2, ItemFeatures: []importing.Features{{Modality: "visual", Path: file}}}
		return importing.Run(t.Context(), filepath.Join(t.TempDir(), "ws"), ds, &dataset.Report{Kind: "tables"}, opt, nil)
	}
	if _, err := withRest(t, matrixFile(t, items+1, 2, 1)); err == nil || !strings.Contains(err.Error(), "leaves 6 of 7 items and would renumber") {
		t.Errorf("rows of the whole catalogue: %v", err)
	}
	if res, err := withRest(t, matrixFile(t, items, 2, 1)); err != nil || len(importing.Modalities(res.WS)) != 1 {
		t.Errorf("rows of what is left: %v", err)
	}
}

func TestDoublesAreCountedAndCast(t *testing.T) {
	res, err := run(t, filepath.Join(t.TempDir(), "ws"), importing.Options{ItemFeatures: []importing.Features{
		{Modality: "visual", Path: doubles(t, items, 0.1, 2, 3, 4, 5, 6), Where: "beside the .inter file"}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Notes) != 2 || !strings.Contains(res.Notes[0], "visual vectors of the items: ") || !strings.HasSuffix(res.Notes[0], "f8.npy, found beside the .inter file") || !strings.Contains(res.Notes[1], "6 numbers of float64 are kept as float32") {
		t.Errorf("notes %q", res.Notes)
	}
	address, _, _ := res.WS.Current("item-vectors/visual")
	x, err := arrayfile.ReadNPY(res.WS.Path(address, workspace.ItemVectorsFile))
	if err != nil || x.Rows != items || x.Data[0] != 0.1 || x.Data[5] != 6 {
		t.Errorf("%v %v", x, err)
	}
}

// isUsers reports whether an error says that the user can mend it.
func isUsers(err error) bool {
	_, ok := usererr.Hint(err)
	return ok
}
