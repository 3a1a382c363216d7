package workspace

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func TestBrokenManifests(t *testing.T) {
	w := withGraph(t)
	good, err := os.ReadFile(w.Path(ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	with := func(key string, value any) string {
		var m map[string]any
		if err := json.Unmarshal(good, &m); err != nil {
			t.Fatal(err)
		}
		m[key] = value
		return mustJSON(t, m)
	}
	artefact := func(address string, a map[string]any) string {
		return with("artefacts", map[string]any{address: a, DataAddress: map[string]any{"kind": "data", "stage": "import"}})
	}
	old := func(stages string) string {
		return `{"format": 1, "split_hash": "a", "users": 1, "items": 2, "interactions": 3, "stages": ` + stages + `}`
	}
	for name, c := range map[string]struct {
		raw   string
		words []string
	}{
		"empty":           {"", []string{"unexpected end"}},
		"torn":            {string(good[:len(good)/2]), []string{"line ", "unexpected end"}},
		"not JSON":        {"{\n  \"format\": oops\n}", []string{"line 2, column 13"}},
		"other file":      {`{"hello": 1}`, []string{"names no format"}},
		"format zero":     {with("format", 0), []string{"names no format"}},
		"newer":           {with("format", 7), []string{"format 7", "reads up to 2", "needs mllmrec " + readBy + " or newer"}},
		"newer, other":    {`{"format": 3, "artefacts": [], "read_by": "3.1.4"}`, []string{"needs mllmrec 3.1.4 or newer"}},
		"newer, silent":   {`{"format": 3}`, []string{"needs a newer mllmrec"}},
		"unknown field":   {with("color", "red"), []string{`unknown field "color"`}},
		"field of 1 in 2": {with("stages", map[string]any{}), []string{`unknown field "stages"`}},
		"wrong type":      {with("users", "many"), []string{"users"}},
		"negative":        {with("users", -1), []string{"negative"}},
		"no split":        {with("split_hash", ""), []string{"split"}},
		"bad kind":        {artefact("graphs/x", map[string]any{"kind": "bread", "stage": "graph"}), []string{`graphs/x`, `kind "bread" is unknown`}},
		"bad stage":       {artefact("graphs/x", map[string]any{"kind": "item-graph", "stage": "bake"}), []string{`graphs/x`, `stage "bake" is unknown`}},
		"path outside": {artefact("graphs/x", map[string]any{"kind": "item-graph", "stage": "graph", "files": map[string]any{"item.npz": map[string]any{"path": "../../etc/passwd"}}}),
			[]string{"graphs/x", "no path inside"}},
		"address outside":    {artefact("../x", map[string]any{"kind": "item-graph", "stage": "graph"}), []string{"no path inside"}},
		"provenance":         {artefact("graphs/x", map[string]any{"kind": "item-graph", "stage": "graph", "provenance": "clean"}), []string{`provenance "clean"`}},
		"current is nothing": {with("current", map[string]any{"item-graph": "graphs/none"}), []string{"current item-graph", "graphs/none"}},
		"current is another": {with("current", map[string]any{"item-graph": DataAddress}), []string{"current item-graph", `"data"`}},
		"bad stage of 1":     {old(`{"bake": {}}`), []string{`stage "bake" is unknown`}},
		"path of 1 outside":  {old(`{"graph": {"outputs": {"../../etc/passwd": ""}}}`), []string{"stage graph", "no path inside"}},
		"field of 2 in 1":    {`{"format": 1, "split_hash": "a", "artefacts": {}}`, []string{`unknown field "artefacts"`}},
		"provenance of 1":    {old(`{"graph": {"provenance": "clean"}}`), []string{`provenance "clean"`}},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, w, ManifestFile, c.raw)
			_, err := Open(w.Dir())
			wantUserError(t, err, append(c.words, w.Path(ManifestFile))...)
			if err := w.Record("runs/x", Artefact{Kind: KindRun, Stage: StageTrain}); err == nil {
				t.Error("an artefact was recorded into a broken manifest")
			}
			if raw, err := os.ReadFile(w.Path(ManifestFile)); err != nil || string(raw) != c.raw {
				t.Errorf("the broken manifest was replaced (%v)", err)
			}
		})
	}
	_, err = Open(t.TempDir())
	wantUserError(t, err, "no workspace")
}

// A killed writer's temporary files and drafts go when the next writer comes.
func TestLockSweepsDeadFiles(t *testing.T) {
	w := withGraph(t)
	there := map[string]bool{
		"graphs/.item.npz.tmp-abc": false, "runs/x/.model.safetensors.tmp-abc": false, "features/.making-1a2b/items.npy": false,
		"texts/.making-z/items.parquet": false, "graphs/.making-z/item.npz": false, "evaluations/.making-z/evaluation.json": false,
		"graphs/.keep": true, graphAddress + "/item.npz": true, "features/cache/vectors": true, "runs/x/config.json": true,
	}
	for rel := range there {
		put(t, w, rel, "half")
	}
	alive, err := atomicfile.Create(w.Path("graphs", "other.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Discard()
	living, err := filepath.Glob(w.Path("graphs", ".other.npz.tmp-*"))
	if err != nil || len(living) != 1 {
		t.Fatal(living, err)
	}
	there["graphs/"+filepath.Base(living[0])] = true
	old := time.Now().Add(-time.Hour)
	for _, rel := range []string{"graphs/.item.npz.tmp-abc", "runs/x/.model.safetensors.tmp-abc", "graphs/.keep", "graphs/" + filepath.Base(living[0])} {
		if err := os.Chtimes(w.Path(rel), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if !atomicfile.IsTemp("graphs/.item.npz.tmp-abc") {
		t.Fatal("the test's name is no temporary one")
	}
	release, err := w.Lock()
	if err != nil {
		t.Fatal(err)
	}
	release()
	for rel, want := range there {
		if ok, err := exists(w.Path(rel)); ok != want || err != nil {
			t.Errorf("%s there: %v (%v)", rel, ok, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"split_hash":"a","users":1,"items":2,"interactions":3,"stages":{"graph":{"outputs":{"graphs/item.npz":"00"},"options":{"variant":"../../x","k":"3","weights":""}}}}`))
	f.Add([]byte(`{"format":1,"split_hash":"a","stages":{"import":{"outputs":{"items.parquet":"00","users.parquet":"01"}},"describe":{"options":{"mllm":"openai"},"outputs":{"texts/items.parquet":"02"},"info":{"pending":3,"author":{"mllm":"openai","model":"m"}}},"encode":{"options":{"encoder":"imported"},"outputs":{"features/items.npy":"03","features/users.npy":"04"}}}}`))
	f.Add([]byte(`{"format":2,"split_hash":"a","users":1,"items":2,"interactions":3,"artefacts":{"data":{"kind":"data","stage":"import"},"graphs/x-1":{"kind":"item-graph","stage":"graph","inputs":{"data":{"address":"data","files":["a"],"hash":"1"}},"files":{"item.npz":{"path":"graphs/x-1/item.npz","sha256":"0","bytes":1,"modified":"2026-01-02T03:04:05Z"}}}},"current":{"data":"data","item-graph":"graphs/x-1"}}`))
	f.Add([]byte(`{"format":2,"split_hash":"a"}`))
	f.Add([]byte(`{"format":99,"read_by":"2"}`))
	f.Add([]byte("{\n\"format\": 1,,}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseManifest(raw)
		if err != nil {
			var newer *newerFormatError
			if errors.As(err, &newer) && newer.format <= FormatVersion {
				t.Fatalf("format %d called newer", newer.format)
			}
			return
		}
		if m.Format != FormatVersion {
			t.Fatalf("format %d came out", m.Format)
		}
		for address, a := range m.Artefacts {
			if err := checkArtefact(address, a); err != nil {
				t.Fatal(err)
			}
		}
		n, err := parseManifest([]byte(mustJSON(t, m)))
		if err != nil {
			t.Fatalf("does not come back: %v", err)
		}
		if n.upgraded() {
			t.Fatal("comes back as of an older format")
		}
		if diff := cmp.Diff(mustJSON(t, m), mustJSON(t, n)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// A record that was changed behind the program's back is refused, though it still makes
// sense; whoever changes it on purpose takes the digest away.
func TestChangedManifestIsNotProvable(t *testing.T) {
	w := withGraph(t)
	path := w.Path(ManifestFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(raw), `"provenance": "train-only"`, `"provenance": "unknown"`, 1)
	if changed == string(raw) {
		t.Fatal("there is no provenance to change")
	}
	for name, c := range map[string]struct {
		text string
		want usererr.Kind
	}{
		"as it is":   {string(raw), ""},
		"changed":    {changed, usererr.KindNotProvable},
		"on purpose": {regexp.MustCompile(`,\s*"digest": "[0-9a-f]{64}"`).ReplaceAllString(changed, ""), ""},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(w.Dir()); usererr.KindOf(err) != c.want || err != nil && !strings.Contains(err.Error(), ManifestFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
