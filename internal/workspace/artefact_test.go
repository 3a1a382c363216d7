package workspace

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// graphAddress is where withGraph records its artefact.
const graphAddress = "graphs/reference-k10-aaaa"

// withGraph is a workspace with a recorded graph of two files.
func withGraph(t *testing.T) *Workspace {
	t.Helper()
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	for _, name := range []string{"item.npz", "stats.json"} {
		put(t, w, graphAddress+"/"+name, "content of "+name)
	}
	data, err := w.InputFrom(DataAddress, InteractionsFile)
	if err != nil {
		t.Fatal(err)
	}
	err = w.Record(graphAddress, Artefact{Kind: KindItemGraph, Stage: StageGraph,
		InputHash: "aaaa", Options: map[string]string{"k": "10", "variant": "paper"}, Seconds: 1.5, Provenance: ProvenanceTrainOnly,
		Inputs: map[Kind]Input{KindData: data}, Info: map[string]any{"edges": 12.0},
		Files: map[string]File{"item.npz": {Path: graphAddress + "/item.npz"}, "stats.json": {Path: graphAddress + "/stats.json", SHA256: "ignored"}},
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

func TestArtefactStates(t *testing.T) {
	w := withGraph(t)
	check := func(want State, reason string) {
		t.Helper()
		for _, v := range []*Workspace{w, mustOpen(t, w.Dir())} {
			if got := v.Check(graphAddress); got.State != want || got.Reason != reason {
				t.Errorf("got %v, %q; want %v, %q", got.State, got.Reason, want, reason)
			}
		}
	}
	check(Fresh, "")
	if c := w.Check("graphs/none"); c.State != Missing || c.Reason != "never made" {
		t.Errorf("what was never made: %+v", c)
	}
	// The same bytes at another time are fresh, other bytes of the same length are not.
	file := w.Path(graphAddress, "item.npz")
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(file, later, later); err != nil {
		t.Fatal(err)
	}
	check(Fresh, "")
	put(t, w, graphAddress+"/item.npz", "Content of item.npz")
	check(Stale, "file "+graphAddress+"/item.npz was modified")
	put(t, w, graphAddress+"/item.npz", "short")
	check(Stale, "file "+graphAddress+"/item.npz was modified")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	check(Stale, "file "+graphAddress+"/item.npz is missing")
	put(t, w, graphAddress+"/item.npz", "content of item.npz")
	check(Fresh, "")
	if err := w.Remove(graphAddress); err != nil {
		t.Fatal(err)
	}
	check(Missing, "never made")
}

func TestStatesAsText(t *testing.T) {
	for state, want := range map[State]string{Missing: "missing", Stale: "stale", Fresh: "fresh"} {
		if got := mustJSON(t, Check{State: state}); got != `{"state":"`+want+`"}` {
			t.Errorf("%s for %s", got, want)
		}
	}
}

func TestRecordComesBack(t *testing.T) {
	w := withGraph(t)
	got, ok := mustOpen(t, w.Dir()).Artefact(graphAddress)
	want, err := w.root.hash(graphAddress + "/" + "item.npz")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if f := got.Files["item.npz"]; f.SHA256 != want.SHA256 || f.Bytes != want.Bytes || f.Modified != nil || len(got.Files) != 2 || got.Files["stats.json"].SHA256 == "ignored" {
		t.Errorf("files %v, want the hash %s", got.Files, want.SHA256)
	}
	if got.Finished.IsZero() || got.Seconds != 1.5 || got.Info["edges"] != 12.0 || got.Provenance != ProvenanceTrainOnly || got.Options["variant"] != "paper" ||
		got.Inputs[KindData].Address != DataAddress || got.InputHash != "aaaa" {
		t.Errorf("record %+v", got)
	}
	if address, _, ok := w.Current(KindItemGraph); !ok || address != graphAddress {
		t.Errorf("current graph %q, %v", address, ok)
	}
}

func TestRecordRejects(t *testing.T) {
	w := withGraph(t)
	before, err := os.ReadFile(w.Path(ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, rel string) Artefact {
		return Artefact{Kind: KindItemVectors, Stage: StageEncode, Files: map[string]File{name: {Path: rel}}}
	}
	for name, c := range map[string]struct {
		address string
		a       Artefact
		want    string
	}{
		"unknown kind":       {"features/x", Artefact{Kind: "bread", Stage: StageEncode}, `kind "bread" is unknown`},
		"unknown stage":      {"features/x", Artefact{Kind: KindItemVectors, Stage: "bake"}, `stage "bake" is unknown (known: import, describe,`},
		"missing file":       {"features/x", file("items.npy", "features/x/items.npy"), filepath.Join("features", "x", "items.npy")},
		"folder as file":     {"features/x", file("items.npy", "graphs"), "not a regular file"},
		"path outside":       {"features/x", file("items.npy", "../x"), "no path inside"},
		"absolute path":      {"features/x", file("items.npy", "/etc/hostname"), "no path inside"},
		"backslashes":        {"features/x", file("items.npy", `features\x`), "no path inside"},
		"name outside":       {"features/x", file("../items.npy", "items.parquet"), "no name of a file"},
		"address outside":    {"../x", Artefact{Kind: KindItemVectors, Stage: StageEncode}, "no path inside"},
		"absolute address":   {"/x", Artefact{Kind: KindItemVectors, Stage: StageEncode}, "no path inside"},
		"the root":           {".", Artefact{Kind: KindItemVectors, Stage: StageEncode}, "no path inside"},
		"from itself":        {"runs/x", Artefact{Kind: KindRun, Stage: StageTrain, Inputs: map[Kind]Input{KindRun: {Address: "runs/x"}}}, "run is made from no run"},
		"from what is later": {"features/x", Artefact{Kind: ItemVectorsOf(Visual), Stage: StageImport, Inputs: map[Kind]Input{KindRun: {Address: "runs/x"}}}, "made from no run"},
		"from a path":        {"runs/x", Artefact{Kind: KindRun, Stage: StageTrain, Inputs: map[Kind]Input{"item-vectors/../x": {}}}, "made from no item-vectors/../x"},
		"provenance":         {"features/x", Artefact{Kind: KindItemVectors, Stage: StageEncode, Provenance: "clean"}, `provenance "clean"`},
	} {
		if err := w.Record(c.address, c.a); err == nil || !strings.Contains(err.Error(), c.want) {
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
	for w, kind := range map[*Workspace]Kind{a: KindItemVectors, b: KindItemGraph} {
		if err := w.Record(path.Join(folders[kind], "x"), Artefact{Kind: kind, Stage: StageGraph}); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range []*Workspace{a, b} {
		if err := w.Reload(); err != nil {
			t.Fatal(err)
		}
		if m := w.Manifest(); len(m.Artefacts) != 3 || len(m.Current) != 3 {
			t.Errorf("artefacts %v, current %v; want data, vectors, graph", m.Artefacts, m.Current)
		}
	}
}

func TestManifestIsACopy(t *testing.T) {
	w := withGraph(t)
	want := mustJSON(t, w.Manifest())
	spoil := func(a Artefact) {
		a.Files["item.npz"] = File{SHA256: "spoilt"}
		a.Inputs[KindData] = Input{Hash: "spoilt"}
		a.Options["k"], a.Info["edges"] = "spoilt", "spoilt"
	}
	m := w.Manifest()
	spoil(m.Artefacts[graphAddress])
	m.Source.Options["split"], m.Source.Files[0].Name = "spoilt", "spoilt"
	m.Current[KindItemGraph] = "spoilt"
	delete(m.Artefacts, DataAddress)
	a, _ := w.Artefact(graphAddress)
	spoil(a)
	_, a, _ = w.Current(KindItemGraph)
	spoil(a)
	_, a = w.Find(KindItemGraph, "aaaa")
	spoil(a)
	if diff := cmp.Diff(want, mustJSON(t, w.Manifest())); diff != "" {
		t.Errorf("a caller can change the workspace's manifest:\n%s", diff)
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

// The input hash is of kind, options and the contents of the inputs, wherever these stand.
func TestInputHash(t *testing.T) {
	options := map[string]string{"k": "10"}
	in := func(address, hash string) map[Kind]Input {
		return map[Kind]Input{KindData: {Address: address, Hash: hash}}
	}
	base := InputHash(KindItemGraph, options, in("a", "1"))
	if InputHash(KindItemGraph, options, in("b", "1")) != base {
		t.Error("the address of an input counts")
	}
	if InputHash(KindRun, nil, nil) != InputHash(KindRun, map[string]string{}, map[Kind]Input{}) {
		t.Error("none and empty differ")
	}
	for what, other := range map[string]string{
		"kind": InputHash(KindRun, options, in("a", "1")), "options": InputHash(KindItemGraph, map[string]string{"k": "11"}, in("a", "1")),
		"contents": InputHash(KindItemGraph, options, in("a", "2")), "kind of input": InputHash(KindItemGraph, options, map[Kind]Input{KindRun: {Hash: "1"}}),
	} {
		if other == base {
			t.Errorf("the %s do not count", what)
		}
	}
}

// threeGraphs records graphs of the same input hash, but for the last one.
func threeGraphs(t *testing.T) *Workspace {
	t.Helper()
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, address := range []string{"graphs/b", "graphs/a", "graphs/c"} {
		put(t, w, address+"/item.npz", "graph "+address)
		put(t, w, address+"/stats.json", "the same in all")
		a := Artefact{Kind: KindItemGraph, Stage: StageGraph, InputHash: "same", Finished: start.Add(time.Duration(i) * time.Hour),
			Files: map[string]File{"item.npz": {Path: address + "/item.npz"}, "stats.json": {Path: address + "/stats.json"}}}
		if i == 2 {
			a.InputHash = "other"
		}
		if err := w.Record(address, a); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func TestFindAndSelect(t *testing.T) {
	w := threeGraphs(t)
	if diff := cmp.Diff([]string{"graphs/c", "graphs/a", "graphs/b"}, w.Addresses(KindItemGraph)); diff != "" {
		t.Errorf("the latest first (-want +got):\n%s", diff)
	}
	if got := w.Addresses(KindRun); len(got) != 0 {
		t.Errorf("runs %v", got)
	}
	if address, a := w.Find(KindItemGraph, "same"); address != "graphs/a" || a.InputHash != "same" {
		t.Errorf("found %q, %+v; want the later of the two", address, a)
	}
	for kind, hash := range map[Kind]string{KindItemGraph: "none", KindRun: "same"} {
		if address, _ := w.Find(kind, hash); address != "" {
			t.Errorf("found the %s of %q at %q", kind, hash, address)
		}
	}
	if _, _, ok := w.Current(KindRun); ok {
		t.Error("a run is current where there is none")
	}
	if err := w.Select("graphs/b"); err != nil {
		t.Fatal(err)
	}
	for _, v := range []*Workspace{w, mustOpen(t, w.Dir())} {
		if address, _, ok := v.Current(KindItemGraph); !ok || address != "graphs/b" {
			t.Errorf("current %q after selecting graphs/b", address)
		}
	}
	wantUserError(t, w.Select("graphs/d"), "no artefact graphs/d")
	other := mustOpen(t, w.Dir())
	release, err := other.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := w.Select("graphs/b"); err != nil {
		t.Errorf("selecting what is current writes: %v", err)
	}
	wantUserError(t, w.Select("graphs/a"), "select graphs/a", "is being written")
}

func TestInputFrom(t *testing.T) {
	w := threeGraphs(t)
	in := func(address string, files ...string) Input {
		t.Helper()
		in, err := w.InputFrom(address, files...)
		if err != nil {
			t.Fatal(err)
		}
		if in.Address != address || !cmp.Equal(in.Files, files) {
			t.Errorf("input %+v from %s, %v", in, address, files)
		}
		return in
	}
	whole, graph, stats := in("graphs/a"), in("graphs/a", "item.npz"), in("graphs/a", "stats.json")
	if whole.Hash == graph.Hash || graph.Hash == stats.Hash || in("graphs/b").Hash == whole.Hash {
		t.Error("different contents, one hash")
	}
	if in("graphs/a", "stats.json", "item.npz").Hash != whole.Hash || in("graphs/a", "item.npz", "not there").Hash != graph.Hash {
		t.Error("the order of names, or a name without a file, counts")
	}
	if in("graphs/b", "stats.json").Hash != stats.Hash {
		t.Error("equal files of two artefacts differ")
	}
	if !w.Matches("graphs/b", stats) || w.Matches("graphs/b", whole) || w.Matches("graphs/d", stats) || !w.Matches("graphs/a", whole) {
		t.Error("an artefact matches by the files that were read, and by nothing else")
	}
	if _, err := w.InputFrom("graphs/d"); err == nil {
		t.Error("an input from nothing")
	}
}

func TestOpenFile(t *testing.T) {
	w := threeGraphs(t)
	f, err := w.OpenFile("graphs/a", "item.npz")
	if err != nil || f.Name() != w.Path("graphs", "a", "item.npz") {
		t.Fatalf("%v, %v", f, err)
	}
	f.Close()
	for _, c := range [][2]string{{"graphs/a", "none"}, {"graphs/d", "item.npz"}} {
		if _, err := w.OpenFile(c[0], c[1]); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c[0]) {
			t.Errorf("file %s of %s: %v", c[1], c[0], err)
		}
	}
	if diff := cmp.Diff(map[string]int{"graphs/a/item.npz": 1}, w.Reads()); diff != "" {
		t.Error(diff)
	}
}

// The data set is read once, however many ask for it.
func TestDatasetIsReadOnce(t *testing.T) {
	w := mustOpen(t, mustCreate(t, filepath.Join(t.TempDir(), "ws")).Dir())
	first, err := w.Dataset()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if ds, err := w.Dataset(); err != nil || ds != first {
				t.Errorf("another data set: %v", err)
			}
		})
	}
	wg.Wait()
	if n := w.Reads()[InteractionsFile]; n != 1 {
		t.Errorf("read %d times", n)
	}
	w.Reads()[InteractionsFile] = 5
	if w.Reads()[InteractionsFile] != 1 {
		t.Error("a caller can change the counts")
	}
}

// Many goroutines record, select, check and read at once; nothing gets lost.
func TestConcurrentUse(t *testing.T) {
	w := withGraph(t)
	release, err := w.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	const n = 12
	committed := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			// Three contents for each of two input hashes.
			address, err := commit(w, KindItemVectors, "items-x", Artefact{Stage: StageEncode, InputHash: HashInputs(i % 2)}, map[string]string{"items.npy": strings.Repeat("v", 1+i%3)})
			if err != nil {
				t.Error(err)
			}
			committed[i] = address
			if err := w.Select(address); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			w.Check(graphAddress)
			w.Manifest()
			w.Addresses(KindItemVectors)
			if _, err := w.Items(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	byContent := map[[2]int]string{}
	for i, address := range committed {
		key := [2]int{i % 2, i % 3}
		if was, ok := byContent[key]; ok && was != address {
			t.Errorf("equal artefacts at %s and %s", was, address)
		}
		byContent[key] = address
		if raw, err := os.ReadFile(w.Path(address, "items.npy")); err != nil || len(raw) != 1+i%3 {
			t.Errorf("%s: %d bytes, %v; want %d", address, len(raw), err, 1+i%3)
		}
		if c := w.Check(address); c.State != Fresh {
			t.Errorf("%s: %+v", address, c)
		}
	}
	distinct := map[string]bool{}
	for address := range maps.Values(byContent) {
		distinct[address] = true
	}
	if len(distinct) != 6 || len(w.Addresses(KindItemVectors)) != 6 {
		t.Errorf("%d artefacts, %d recorded; want 6", len(distinct), len(w.Addresses(KindItemVectors)))
	}
}
