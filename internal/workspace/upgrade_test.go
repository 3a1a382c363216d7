package workspace

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

const (
	// interrupted is the run of paid.ws that was killed.
	interrupted = "runs/bpr-b4d967a1"
	// resumedHash is the input hash under which format 2 goes on with it.
	resumedHash = "48c72b62"
)

// format1 unpacks workspaces that version 0.1 made. paid.ws has texts by a language model
// in two folds, LSA vectors, a graph, three finished runs and an interrupted one; foreign.ws
// has imported vectors, a graph and a run.
func format1(t *testing.T) (paid, foreign string) {
	t.Helper()
	dir := t.TempDir()
	workspacetest.Unpack(t, filepath.Join("testdata", "format1.tar.gz"), dir)
	return filepath.Join(dir, "paid.ws"), filepath.Join(dir, "foreign.ws")
}

// contents reads all files below dir.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(rel)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// diskFormat is the format of the manifest on disk.
func diskFormat(t *testing.T, dir string) int {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	var head struct{ Format int }
	if err := json.Unmarshal(raw, &head); err != nil {
		t.Fatalf("a torn manifest: %v", err)
	}
	return head.Format
}

// editManifest changes the manifest of a workspace as a tree of JSON.
func editManifest(t *testing.T, dir string, change func(stages map[string]any)) {
	t.Helper()
	path := filepath.Join(dir, ManifestFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	change(m["stages"].(map[string]any))
	if err := writeJSON(path, m); err != nil {
		t.Fatal(err)
	}
}

// edge is what an artefact was made from and how it is marked.
type edge struct {
	Provenance string
	From       map[Kind]string // address and, after it, the files that were read
}

func edges(m Manifest) map[string]edge {
	all := map[string]edge{}
	for address, a := range m.Artefacts {
		e := edge{a.Provenance, map[Kind]string{}}
		for kind, in := range a.Inputs {
			e.From[kind] = strings.Join(append([]string{in.Address}, in.Files...), " ")
		}
		all[address] = e
	}
	return all
}

const (
	paidTexts   = "texts/items-openai-c31cc29b"
	paidUsers   = "texts/users-openai-95675a19"
	paidVectors = "features/items-lsa-3337d118"
	paidPrefs   = "features/users-lsa-5b6e4cd5"
	paidGraph   = "graphs/reference-k10-1cef95f6"
)

func paidEdges() map[string]edge {
	onData := map[Kind]string{KindData: "data interactions.parquet"}
	return map[string]edge{
		DataAddress: {"", map[Kind]string{}},
		paidTexts:   {ProvenanceTrainOnly, map[Kind]string{KindData: "data items.parquet"}},
		paidUsers:   {ProvenanceTrainOnly, map[Kind]string{KindItemTexts: paidTexts, KindData: "data interactions.parquet users.parquet"}},
		paidVectors: {ProvenanceTrainOnly, map[Kind]string{KindItemTexts: paidTexts}},
		paidPrefs:   {ProvenanceTrainOnly, map[Kind]string{KindUserTexts: paidUsers, KindItemVectors: paidVectors + " encoder.json lsa.safetensors"}},
		paidGraph:   {ProvenanceTrainOnly, map[Kind]string{KindItemVectors: paidVectors + " items.npy", KindData: "data interactions.parquet"}},
		"runs/mllmrec-04220adc": {ProvenanceTrainOnly, map[Kind]string{KindData: "data interactions.parquet",
			KindItemVectors: paidVectors + " items.npy", KindUserVectors: paidPrefs, KindItemGraph: paidGraph}},
		"runs/bpr-c568bef4":      {ProvenanceTrainOnly, onData},
		"runs/lightgcn-ff308c48": {ProvenanceTrainOnly, onData},
	}
}

func foreignEdges() map[string]edge {
	const items, users, graph = "features/items-imported-5b77ce7b", "features/users-imported-ad89ed44", "graphs/reference-k10-f35f0f52"
	return map[string]edge{
		DataAddress: {"", map[Kind]string{}},
		items:       {ProvenanceTrainOnly, map[Kind]string{KindData: "data items.parquet"}},
		users:       {ProvenanceUnknown, map[Kind]string{KindData: "data users.parquet"}},
		graph:       {ProvenanceTrainOnly, map[Kind]string{KindItemVectors: items + " items.npy", KindData: "data interactions.parquet"}},
		"runs/mllmrec-16b7f2a8": {ProvenanceUnknown, map[Kind]string{KindData: "data interactions.parquet",
			KindItemVectors: items + " items.npy", KindUserVectors: users, KindItemGraph: graph}},
	}
}

func TestUpgrade(t *testing.T) {
	paid, foreign := format1(t)
	for dir, want := range map[string]struct {
		edges map[string]edge
		run   string // the current one: that which was begun last
		texts bool
	}{
		paid:    {paidEdges(), "runs/lightgcn-ff308c48", true},
		foreign: {foreignEdges(), "runs/mllmrec-16b7f2a8", false},
	} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			before := contents(t, dir)
			w := mustOpen(t, dir)
			if diff := cmp.Diff(want.edges, edges(w.Manifest())); diff != "" {
				t.Errorf("artefacts (-want +got):\n%s", diff)
			}
			for address, a := range w.Manifest().Artefacts {
				if c := w.Check(address); c.State != Fresh || len(a.Files) == 0 {
					t.Errorf("%s: %+v, files %v", address, c, a.Files)
				}
				if a.Finished.IsZero() || a.Pending != 0 || a.Leaky {
					t.Errorf("%s: finished %v, pending %d, leaky %v", address, a.Finished, a.Pending, a.Leaky)
				}
				if a.Kind != KindData && a.InputHash != InputHash(a.Kind, a.Options, a.Inputs) {
					t.Errorf("%s: input hash %s is not that of its options and inputs", address, a.InputHash)
				}
			}
			if run, _, _ := w.Current(KindRun); run != want.run {
				t.Errorf("current run %s, want %s", run, want.run)
			}
			if _, err := w.Dataset(); err != nil {
				t.Error(err)
			}
			if want.texts {
				checkPaidTexts(t, w)
			}
			checkOnlyManifestChanged(t, before, contents(t, dir))
			if got := diskFormat(t, dir); got != 2 {
				t.Errorf("format %d on disk", got)
			}
			upgraded, err := os.ReadFile(w.Path(ManifestFile))
			if err != nil {
				t.Fatal(err)
			}
			again := mustOpen(t, dir)
			if diff := cmp.Diff(mustJSON(t, w.Manifest()), mustJSON(t, again.Manifest())); diff != "" {
				t.Errorf("read again:\n%s", diff)
			}
			if raw, err := os.ReadFile(w.Path(ManifestFile)); err != nil || string(raw) != string(upgraded) {
				t.Errorf("the second opening wrote the manifest again (%v)", err)
			}
		})
	}
}

// checkPaidTexts reads what a language model was paid for, and who it says was asked.
func checkPaidTexts(t *testing.T, w *Workspace) {
	t.Helper()
	if items, err := w.ItemTexts(paidTexts); err != nil || len(items) != 48 {
		t.Errorf("%d item texts, %v", len(items), err)
	}
	if users, err := w.UserTexts(paidUsers); err != nil || len(users) != 40*3 {
		t.Errorf("%d preference texts, %v", len(users), err)
	}
	a, _ := w.Artefact(paidTexts)
	want := `{"long":{},"pictures":{"dir":"."},"writer":{"answers":{},"mllm":"openai","models":["m"],"servers":{"base_urls":["http://127.0.0.1:18999/v1"]}}}`
	if got := mustJSON(t, a.Info["asked"]); got != want || a.Info["author"] != nil || a.Info["total"] != 48.0 {
		t.Errorf("asked %s, want %s (info %v)", got, want, a.Info)
	}
}

// checkOnlyManifestChanged wants every file as it was, but for the manifest, the lock and
// the configuration of the interrupted run.
func checkOnlyManifestChanged(t *testing.T, before, after map[string]string) {
	t.Helper()
	for rel, was := range before {
		switch is, ok := after[rel]; {
		case !ok:
			t.Errorf("%s is gone", rel)
		case rel == ManifestFile:
		case rel == interrupted+"/config.json":
			checkInterrupted(t, was, is)
		case is != was:
			t.Errorf("%s changed", rel)
		}
	}
	for rel := range after {
		if _, ok := before[rel]; !ok && rel != lockFile {
			t.Errorf("%s is new", rel)
		}
	}
}

// checkInterrupted wants the configuration of the interrupted run to differ in the input
// hash alone.
func checkInterrupted(t *testing.T, before, after string) {
	t.Helper()
	var was, is map[string]any
	if json.Unmarshal([]byte(before), &was) != nil || json.Unmarshal([]byte(after), &is) != nil {
		t.Fatal("no JSON")
	}
	if hash, _ := is["input_hash"].(string); !strings.HasPrefix(hash, resumedHash) {
		t.Errorf("input hash %v, want %s…", is["input_hash"], resumedHash)
	}
	delete(was, "input_hash")
	delete(is, "input_hash")
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("configuration of the interrupted run:\n%s", diff)
	}
}

// A folder that another process writes to is read as if it were upgraded, and stays as it
// is on disk until somebody can write.
func TestUpgradeWhileLocked(t *testing.T) {
	dir, _ := format1(t)
	before := contents(t, dir)
	l, err := (&Workspace{dir: dir, root: inside(dir)}).tryLock()
	if err != nil {
		t.Fatal(err)
	}
	w := mustOpen(t, dir)
	if diff := cmp.Diff(paidEdges(), edges(w.Manifest())); diff != "" {
		t.Errorf("artefacts (-want +got):\n%s", diff)
	}
	after := contents(t, dir)
	for rel, was := range before {
		if after[rel] != was {
			t.Errorf("%s was changed under a foreign lock", rel)
		}
	}
	unlock(dir, l)

	// The next change writes the present format, with the interrupted run carried over.
	put(t, w, "graphs/mine/item.npz", "graph")
	if err := w.Record("graphs/mine", Artefact{Kind: KindItemGraph, Stage: StageGraph, Files: map[string]File{ItemGraphFile: {Path: "graphs/mine/item.npz"}}}); err != nil {
		t.Fatal(err)
	}
	if got := diskFormat(t, dir); got != 2 {
		t.Errorf("format %d on disk", got)
	}
	checkInterrupted(t, before[interrupted+"/config.json"], contents(t, dir)[interrupted+"/config.json"])
	if m := mustOpen(t, dir).Manifest(); len(m.Artefacts) != len(paidEdges())+1 || w.Manifest().upgraded() {
		t.Errorf("%d artefacts, not yet upgraded: %v", len(m.Artefacts), w.Manifest().upgraded())
	}
}

// A process that was killed after it had carried over the interrupted run, and before it
// wrote the manifest, does no harm.
func TestUpgradeAfterAKill(t *testing.T) {
	dir, _ := format1(t)
	killed, _ := format1(t)
	want := mustOpen(t, dir)
	config, err := os.ReadFile(want.Path(interrupted, RunConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, filepath.FromSlash(interrupted), RunConfigFile), config, 0o666); err != nil {
		t.Fatal(err)
	}
	got := mustOpen(t, killed)
	if diff := cmp.Diff(edges(want.Manifest()), edges(got.Manifest())); diff != "" {
		t.Error(diff)
	}
	if again, err := os.ReadFile(got.Path(interrupted, RunConfigFile)); err != nil || string(again) != string(config) {
		t.Errorf("the configuration changed again (%v)", err)
	}
}

// Graph options that had no effect are no part of the record any more.
func TestUpgradeDropsIdleGraphOptions(t *testing.T) {
	for name, c := range map[string]struct {
		set  map[string]string
		want map[string]string
	}{
		"no denoising": {map[string]string{"denoise": "false"}, map[string]string{"variant": "reference", "k": "10", "denoise": "false", "topology": "true", "jaccard_k": "10"}},
		"no topology":  {map[string]string{"topology": "false"}, map[string]string{"variant": "reference", "k": "10", "denoise": "true", "threshold": "0.3", "topology": "false"}},
		"weights": {map[string]string{"weights": "cosine", "variant": "paper"},
			map[string]string{"variant": "paper", "k": "10", "denoise": "true", "threshold": "0.3", "topology": "true", "jaccard_k": "10", "weights": "cosine"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := format1(t)
			editManifest(t, dir, func(stages map[string]any) {
				options := stages[StageGraph].(map[string]any)["options"].(map[string]any)
				for k, v := range c.set {
					options[k] = v
				}
			})
			_, a, ok := mustOpen(t, dir).Current(KindItemGraph)
			if diff := cmp.Diff(c.want, a.Options); !ok || diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

// Runs of format 1 carry the hash of what they were made from. One whose graph was
// overwritten since stays, and does not claim to come from what is there now.
func TestUpgradeOfARunMadeFromSomethingElse(t *testing.T) {
	dir, _ := format1(t)
	editManifest(t, dir, func(stages map[string]any) {
		stages[StageGraph].(map[string]any)["outputs"].(map[string]any)["graphs/item.npz"] = strings.Repeat("0", 64)
	})
	w := mustOpen(t, dir)
	a, ok := w.Artefact("runs/mllmrec-04220adc")
	if !ok || len(a.Inputs) != 0 || !strings.HasPrefix(a.InputHash, "04220adc") {
		t.Errorf("run %v: inputs %v, hash %s", ok, a.Inputs, a.InputHash)
	}
	if a, _ := w.Artefact("runs/bpr-c568bef4"); a.Inputs[KindData].Address != DataAddress {
		t.Errorf("a model that reads no graph: %+v", a.Inputs)
	}
}

// Runs that cannot be served, or that somebody edited, are left out; the others stay.
func TestUpgradeOfBrokenRuns(t *testing.T) {
	for name, c := range map[string]struct{ file, content string }{
		"weights are gone":   {RunModelFile, ""},
		"vectors are gone":   {RunUsersFile, ""},
		"torn metrics":       {RunMetricsFile, `{"run": "bpr`},
		"not finished":       {RunMetricsFile, `{"model": "bpr"}`},
		"unknown provenance": {RunMetricsFile, `{"model": "bpr", "provenance": "clean", "finished": "2026-01-02T03:04:05Z"}`},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := format1(t)
			file := filepath.Join(dir, "runs", "bpr-c568bef4", c.file)
			if c.content == "" {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(file, []byte(c.content), 0o666); err != nil {
				t.Fatal(err)
			}
			want := paidEdges()
			delete(want, "runs/bpr-c568bef4")
			mustOpen(t, dir)
			if diff := cmp.Diff(want, edges(mustOpen(t, dir).Manifest())); diff != "" {
				t.Errorf("artefacts (-want +got):\n%s", diff)
			}
		})
	}
}

// The seed of an interrupted run stays exact, and a foreign configuration stays as it is.
func TestUpgradeKeepsConfigurations(t *testing.T) {
	dir, _ := format1(t)
	w := &Workspace{dir: dir}
	const foreign = `{"somebody": "else's"`
	put(t, w, "runs/mine/config.json", foreign)
	put(t, w, "runs/big/config.json", `{"model": "bpr", "seed": 18446744073709551615, "settings": {}, "input_hash": "old"}`)
	mustOpen(t, dir)
	after := contents(t, dir)
	if after["runs/mine/config.json"] != foreign {
		t.Error("a configuration that is none was changed")
	}
	var r run1
	if err := json.Unmarshal([]byte(after["runs/big/config.json"]), &r); err != nil || r.Seed != 1<<64-1 || len(r.InputHash) != 64 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Whatever part of format 1 is missing, what there is can be used.
func TestUpgradeOfUnfinishedWorkspaces(t *testing.T) {
	full := paidEdges()
	var last []string
	for n := range len(Stages()) - 1 {
		gone := Stages()[n+1:]
		dir, _ := format1(t)
		if err := os.RemoveAll(filepath.Join(dir, "runs")); err != nil {
			t.Fatal(err)
		}
		editManifest(t, dir, func(stages map[string]any) {
			maps.DeleteFunc(stages, func(name string, _ any) bool { return slices.Contains(gone, name) })
		})
		w := mustOpen(t, dir)
		var now []string
		for address, got := range edges(w.Manifest()) {
			now = append(now, address)
			if diff := cmp.Diff(full[address], got); diff != "" {
				t.Errorf("up to %s: %s:\n%s", Stages()[n], address, diff)
			}
			if c := w.Check(address); c.State != Fresh {
				t.Errorf("up to %s: %s: %+v", Stages()[n], address, c)
			}
		}
		if Stages()[n] != StageTrain && len(now) <= len(last) {
			t.Errorf("up to %s: %v", Stages()[n], now)
		}
		last = now
	}
}

// Texts that format 1 would have asked for again are pending.
func TestUpgradeCountsPendingTexts(t *testing.T) {
	dir, _ := format1(t)
	editManifest(t, dir, func(stages map[string]any) {
		info := stages[StageDescribe].(map[string]any)["info"].(map[string]any)
		info["pending"], info["quarantined"], info["images_may_come"] = 3, 2, 1
		reason := stages[StageReason].(map[string]any)
		reason["leaky"], reason["provenance"] = true, ProvenanceLeaky
	})
	w := mustOpen(t, dir)
	if _, a, _ := w.Current(KindItemTexts); a.Pending != 6 || a.Leaky {
		t.Errorf("item texts: %d pending, leaky %v", a.Pending, a.Leaky)
	}
	if _, a, _ := w.Current(KindUserTexts); a.Pending != 0 || !a.Leaky || a.Provenance != ProvenanceLeaky {
		t.Errorf("preferences: %d pending, leaky %v", a.Pending, a.Leaky)
	}
}

// Artefacts of format 1 share files; removing one leaves what the other has.
func TestRemoveAfterUpgrade(t *testing.T) {
	dir, _ := format1(t)
	w := mustOpen(t, dir)
	if err := w.Remove(paidPrefs, "runs/mllmrec-04220adc"); err != nil {
		t.Fatal(err)
	}
	for _, address := range w.Addresses(KindItemVectors) {
		if c := w.Check(address); c.State != Fresh {
			t.Errorf("%s: %+v", address, c)
		}
	}
	if diff := cmp.Diff([]string{"encoder.json", "items.npy", "lsa.safetensors"}, entries(t, w.Path("features"))); diff != "" {
		t.Error(diff)
	}
	if ok, _ := exists(w.Path("runs/mllmrec-04220adc")); ok {
		t.Error("the run's folder is still there")
	}
}
