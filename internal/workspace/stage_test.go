package workspace

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
)

// withGraph is a workspace whose graph stage is recorded with two outputs.
func withGraph(t *testing.T) *Workspace {
	t.Helper()
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	for _, name := range []string{"graphs/item.npz", "graphs/stats.json"} {
		put(t, w, name, "content of "+name)
	}
	err := w.RecordStage(StageGraph, Stage{
		InputHash: "aaaa", Options: map[string]string{"k": "10", "variant": "paper"}, Seconds: 1.5, Provenance: ProvenanceTrainOnly,
		Outputs: map[string]string{"graphs/item.npz": "", "graphs/stats.json": "ignored"}, Info: map[string]any{"edges": 12.0},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func put(t *testing.T, w *Workspace, rel, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.Path(rel)), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.Path(rel), []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestStageStates(t *testing.T) {
	w := withGraph(t)
	check := func(want State, reason string, hash string, options map[string]string) {
		t.Helper()
		for _, v := range []*Workspace{w, mustOpen(t, w.Dir())} {
			if got := v.CheckStage(StageGraph, hash, options); got.State != want || !strings.Contains(got.Reason, reason) {
				t.Errorf("got %v, %q; want %v, %q", got.State, got.Reason, want, reason)
			}
			if got := v.StageState(StageGraph, hash); got != want {
				t.Errorf("StageState %v, want %v", got, want)
			}
		}
	}
	check(Fresh, "", "aaaa", nil)
	check(Fresh, "", "", nil)
	check(Stale, "input changed: made from aaaa, now bbbb", "bbbb", nil)
	check(Stale, "option k was 10, is 20", "bbbb", map[string]string{"k": "20", "variant": "paper"})
	check(Stale, "option layers is new (2)", "bbbb", map[string]string{"k": "10", "layers": "2", "variant": "paper"})
	check(Stale, "option variant is gone (was paper)", "bbbb", map[string]string{"k": "10"})
	check(Stale, "made from", "bbbb", map[string]string{"k": "10", "variant": "paper"})
	if c := w.CheckStage(StageTrain, "x", nil); c.State != Missing || c.Reason != "never run" {
		t.Errorf("a stage that never ran: %+v", c)
	}

	// The same bytes at another time are fresh, other bytes of the same length are not.
	path := w.Path("graphs/item.npz")
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	check(Fresh, "", "aaaa", nil)
	put(t, w, "graphs/item.npz", "Content of graphs/item.npz")
	check(Stale, "output graphs/item.npz was modified", "aaaa", nil)
	put(t, w, "graphs/item.npz", "short")
	check(Stale, "output graphs/item.npz was modified", "aaaa", nil)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	check(Stale, "output graphs/item.npz is missing", "aaaa", nil)
	put(t, w, "graphs/item.npz", "content of graphs/item.npz")
	check(Fresh, "", "aaaa", nil)
	if err := w.ForgetStage(StageGraph); err != nil {
		t.Fatal(err)
	}
	check(Missing, "never run", "aaaa", nil)
}

func TestRecordedStageComesBack(t *testing.T) {
	w := withGraph(t)
	got := mustOpen(t, w.Dir()).Manifest().Stages[StageGraph]
	want, err := HashFile(w.Path("graphs/item.npz"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Outputs["graphs/item.npz"] != want.SHA256 || len(got.Outputs) != 2 {
		t.Errorf("outputs %v, want the hash %s", got.Outputs, want.SHA256)
	}
	if got.Finished.IsZero() || got.Seconds != 1.5 || got.Info["edges"] != 12.0 || got.Provenance != ProvenanceTrainOnly || got.Options["variant"] != "paper" {
		t.Errorf("record %+v", got)
	}
}

func TestRecordStageRejects(t *testing.T) {
	w := withGraph(t)
	before, err := os.ReadFile(w.Path(ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		stage string
		st    Stage
		want  string
	}{
		"unknown stage":    {"bake", Stage{}, `stage "bake" is unknown (known: import, describe,`},
		"missing output":   {StageEncode, Stage{Outputs: map[string]string{"features/items.npy": ""}}, "output features/items.npy"},
		"folder as output": {StageEncode, Stage{Outputs: map[string]string{"graphs": ""}}, "no regular file"},
		"path outside":     {StageEncode, Stage{Outputs: map[string]string{"../x": ""}}, "no path inside"},
		"absolute path":    {StageEncode, Stage{Outputs: map[string]string{"/etc/hostname": ""}}, "no path inside"},
		"provenance":       {StageEncode, Stage{Provenance: "clean"}, `provenance "clean"`},
	} {
		if err := w.RecordStage(c.stage, c.st); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if after, err := os.ReadFile(w.Path(ManifestFile)); err != nil || string(after) != string(before) {
		t.Errorf("the manifest changed (%v)", err)
	}
}

// Two workspaces on one folder: each update builds on what the other has written.
func TestUpdatesDoNotLoseEachOther(t *testing.T) {
	a := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	b := mustOpen(t, a.Dir())
	for w, stage := range map[*Workspace]string{a: StageEncode, b: StageGraph} {
		if err := w.RecordStage(stage, Stage{InputHash: stage}); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range []*Workspace{a, b} {
		if err := w.Reload(); err != nil {
			t.Fatal(err)
		}
		if stages := w.Manifest().Stages; len(stages) != 3 {
			t.Errorf("stages %v, want import, encode, graph", stages)
		}
	}
}

func TestManifestIsACopy(t *testing.T) {
	w := withGraph(t)
	m := w.Manifest()
	m.Stages[StageGraph].Outputs["graphs/item.npz"] = "spoilt"
	m.Source.Options["split"] = "spoilt"
	delete(m.Stages, StageImport)
	if again := w.Manifest(); again.Stages[StageGraph].Outputs["graphs/item.npz"] == "spoilt" || again.Source.Options["split"] == "spoilt" || len(again.Stages) != 2 {
		t.Error("a caller can change the workspace's manifest")
	}
}

func TestHashInputs(t *testing.T) {
	a := HashInputs("x", map[string]string{"b": "2", "a": "1"}, 0.1)
	if b := HashInputs("x", map[string]string{"a": "1", "b": "2"}, 0.1); a != b || len(a) != 64 {
		t.Errorf("map order counts: %s, %s", a, b)
	}
	for _, other := range []string{HashInputs("x", map[string]string{"a": "1"}, 0.1), HashInputs("xy"), HashInputs("x", "y"), HashInputs()} {
		if other == a {
			t.Error("different inputs, one hash")
		}
	}
	if HashInputs("xy") == HashInputs("x", "y") {
		t.Error("parts run together")
	}
}

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
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for name, c := range map[string]struct {
		raw   string
		words []string
	}{
		"empty":         {"", []string{"unexpected end"}},
		"torn":          {string(good[:len(good)/2]), []string{"line ", "unexpected end"}},
		"not JSON":      {"{\n  \"format\": oops\n}", []string{"line 2, column 13"}},
		"other file":    {`{"hello": 1}`, []string{"names no format"}},
		"format zero":   {with("format", 0), []string{"names no format"}},
		"newer":         {with("format", 7), []string{"format 7", "reads up to 1", "needs mllmrec " + readBy + " or newer"}},
		"newer, other":  {`{"format": 2, "stages": [], "read_by": "3.1.4"}`, []string{"needs mllmrec 3.1.4 or newer"}},
		"newer, silent": {`{"format": 2}`, []string{"needs a newer mllmrec"}},
		"unknown field": {with("color", "red"), []string{`unknown field "color"`}},
		"wrong type":    {with("users", "many"), []string{"users"}},
		"negative":      {with("users", -1), []string{"negative"}},
		"no split":      {with("split_hash", ""), []string{"split"}},
		"bad stage":     {with("stages", map[string]any{"bake": map[string]any{}}), []string{`stage "bake" is unknown`}},
		"path outside":  {with("stages", map[string]any{"graph": map[string]any{"outputs": map[string]string{"../../etc/passwd": ""}}}), []string{"no path inside"}},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, w, ManifestFile, c.raw)
			_, err := Open(w.Dir())
			wantUserError(t, err, append(c.words, w.Path(ManifestFile))...)
			if err := w.RecordStage(StageTrain, Stage{}); err == nil {
				t.Error("a stage was recorded into a broken manifest")
			}
		})
	}
	_, err = Open(t.TempDir())
	wantUserError(t, err, "no workspace")
}

// A killed writer's temporary files go when the next writer comes.
func TestLockSweepsDeadFiles(t *testing.T) {
	w := withGraph(t)
	put(t, w, "graphs/.item.npz.tmp-abc", "half")
	put(t, w, "runs/x/.model.safetensors.tmp-abc", "half")
	put(t, w, "graphs/.young.npz.tmp-abc", "being written")
	put(t, w, "graphs/.keep", "mine")
	for _, rel := range []string{"graphs/.item.npz.tmp-abc", "runs/x/.model.safetensors.tmp-abc", "graphs/.keep"} {
		old := time.Now().Add(-2 * deadAfter)
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
	for rel, want := range map[string]bool{"graphs/.item.npz.tmp-abc": false, "runs/x/.model.safetensors.tmp-abc": false, "graphs/.keep": true, "graphs/.young.npz.tmp-abc": true, "graphs/item.npz": true} {
		if ok, err := exists(w.Path(rel)); ok != want || err != nil {
			t.Errorf("%s there: %v (%v)", rel, ok, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"split_hash":"a","users":1,"items":2,"interactions":3,"stages":{"graph":{"outputs":{"graphs/item.npz":"00"}}}}`))
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
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		n, err := parseManifest(again)
		if err != nil {
			t.Fatalf("does not come back: %v", err)
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
