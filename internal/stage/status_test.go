package stage_test

import (
	"encoding/json"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// states returns "state" or "state: reason" by stage, without those that are missing.
func states(ws *workspace.Workspace) map[string]string {
	all := map[string]string{}
	for _, s := range stage.StatusOf(ws) {
		if s.State == "missing" && s.Reason == "" && s.Addresses == nil && s.Finished == nil {
			continue
		}
		all[s.Stage] = s.State
		if s.Reason != "" {
			all[s.Stage] += ": " + s.Reason
		}
	}
	return all
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	want := func(what string, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, states(w.ws)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	all := stage.StatusOf(w.ws)
	var names []string
	for _, s := range all {
		names = append(names, s.Stage)
	}
	if diff := cmp.Diff(workspace.Stages(), names); diff != "" {
		t.Error(diff)
	}
	want("a new workspace", map[string]string{"import": "fresh"})

	w.make(workspace.KindEvaluation)
	want("all made", map[string]string{"import": "fresh", "describe": "fresh", "encode": "fresh", "graph": "fresh", "train": "fresh", "evaluate": "fresh"})

	w.texts.options, w.texts.pending = map[string]string{"model": "other"}, 4
	oldTexts, _, _ := w.ws.Current(kindTexts)
	newTexts := w.make(kindTexts)
	const partial = "partial: 4 texts lack an answer; the next run goes on with them"
	want("other texts, partly", map[string]string{"import": "fresh", "describe": partial, "encode": "stale: made from " + oldTexts + "; current is " + newTexts,
		"graph": "stale: an earlier stage is stale", "train": "stale: an earlier stage is stale", "evaluate": "stale: an earlier stage is stale"})

	w.make(kindGraph)
	oldVectors := func() string {
		run, _, _ := w.ws.Current(kindRun)
		a, _ := w.ws.Artefact(run)
		return a.Inputs[kindVectors].Address
	}()
	newVectors, _, _ := w.ws.Current(kindVectors)
	run := "stale: made from " + oldVectors + "; current is " + newVectors
	want("new graph", map[string]string{"import": "fresh", "describe": partial, "encode": "fresh", "graph": "fresh", "train": run, "evaluate": "stale: an earlier stage is stale"})

	w.damage(newVectors, "vectors")
	want("damaged vectors", map[string]string{"import": "fresh", "describe": partial, "encode": "stale: file " + newVectors + "/vectors was modified",
		"graph": "stale: an earlier stage is stale", "train": run, "evaluate": "stale: an earlier stage is stale"})
}

// A stage that makes two kinds stands as the worse of them.
func TestStatusOfTwoKinds(t *testing.T) {
	w := newWorld(t)
	prefs := &fake{name: workspace.StageEncode, kind: workspace.KindUserVectors, files: []string{"prefs"}, needs: w.vectors.needs, leaky: true, provenance: workspace.ProvenanceLeaky}
	e := w.engine(w.texts, w.vectors, prefs)
	vectors, users := w.by(e, kindVectors), w.by(e, workspace.KindUserVectors)
	encode := func() stage.Status {
		all := stage.StatusOf(w.ws)
		return all[slices.IndexFunc(all, func(s stage.Status) bool { return s.Stage == workspace.StageEncode })]
	}
	if s := encode(); s.State != "fresh" || !s.Leaky || s.Provenance != workspace.ProvenanceLeaky || s.Seconds <= 0 || !slices.Equal(s.Addresses, []string{vectors, users}) || s.Finished == nil {
		t.Errorf("%+v", s)
	}
	for _, c := range [][2]string{{users, "prefs"}, {vectors, "vectors"}} {
		w.damage(c[0], c[1])
		if s := encode(); s.State != "stale" || !strings.Contains(s.Reason, "was modified") {
			t.Errorf("%s is damaged: %+v", c[0], s)
		}
		w.damage(c[0], c[1]) // turns the bit back
	}
	raw, err := json.Marshal(encode())
	if err != nil || !strings.HasPrefix(string(raw), `{"stage":"encode","state":"fresh","addresses":[`) {
		t.Errorf("%s, %v", raw, err)
	}
}

// shape writes a tree as nested lists of addresses.
func shape(n *stage.Node) any {
	above := []any{}
	for _, a := range n.Above {
		above = append(above, shape(a))
	}
	return map[string]any{n.Address: above}
}

func TestTree(t *testing.T) {
	w, vectors, graphs := twoGraphs(t)
	run := w.make(kindRun)
	texts, _, _ := w.ws.Current(kindTexts)
	w.damage(graphs[0], "graph")
	root := stage.Tree(w.ws)
	want := map[string]any{"data": []any{map[string]any{texts: []any{
		map[string]any{vectors[0]: []any{map[string]any{graphs[0]: []any{}}}},
		map[string]any{vectors[1]: []any{map[string]any{graphs[1]: []any{map[string]any{run: []any{}}}}}},
	}}}}
	if diff := cmp.Diff(any(want), shape(root)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	old, now := root.Above[0].Above[0].Above[0], root.Above[0].Above[1].Above[0]
	if old.Current || old.Intact || !now.Current || !now.Intact || now.Stage != workspace.StageGraph || now.Finished.IsZero() {
		t.Errorf("old graph %+v, current graph %+v", old, now)
	}
	if diff := cmp.Diff([]string{"data", vectors[1]}, now.From); diff != "" {
		t.Errorf("made from (-want +got):\n%s", diff)
	}
}

// pruneWorld has two runs, each with texts, vectors and a graph of its own and an
// evaluation, and a third graph that no run has; the second run is current.
func pruneWorld(t *testing.T) (w *world, runs [2]string, made [2][]string, idle string) {
	t.Helper()
	w = newWorld(t)
	for i, model := range []string{"one", "two"} {
		w.texts.options = map[string]string{"model": model}
		e := w.engine()
		evaluation := w.by(e, workspace.KindEvaluation)
		runs[i] = w.by(e, kindRun)
		made[i] = []string{evaluation, runs[i], w.by(e, kindGraph), w.by(e, kindVectors), w.by(e, kindTexts)}
	}
	w.graph.options["k"] = "20"
	idle = w.make(kindGraph)
	if err := w.ws.Select(made[1][2]); err != nil {
		t.Fatal(err)
	}
	for rel, content := range map[string]string{"generations.db": "paid for", "features/cache/vectors": "expensive", "runs/begun/config.json": "{}",
		"features/.making-1/vectors": "half", "graphs/item-graph-01234567/graph": "unrecorded"} {
		if err := os.MkdirAll(path.Dir(w.ws.Path(rel)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.ws.Path(rel), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return w, runs, made, idle
}

func sorted(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return all
}

func TestPrune(t *testing.T) {
	leftovers := []string{"features/.making-1", "graphs/item-graph-01234567"}
	for name, c := range map[string]struct {
		runs func(runs [2]string) []string
		gone func(made [2][]string, idle string) []string
	}{
		"all runs": {func([2]string) []string { return nil }, func(_ [2][]string, idle string) []string { return []string{idle} }},
		"current run": {func(runs [2]string) []string { return []string{path.Base(runs[1])} },
			func(made [2][]string, idle string) []string { return append(slices.Clone(made[0]), idle) }},
		"other run": {func(runs [2]string) []string { return []string{path.Base(runs[0])} },
			func(made [2][]string, idle string) []string { return append(slices.Clone(made[1][:2]), idle) }}, // the rest is current
	} {
		t.Run(name, func(t *testing.T) {
			w, runs, made, idle := pruneWorld(t)
			want := sorted(c.gone(made, idle))
			var wantBytes int64
			for _, address := range want {
				a, _ := w.ws.Artefact(address)
				for _, f := range a.Files {
					wantBytes += f.Bytes
				}
			}
			wantBytes += int64(len("half") + len("unrecorded"))
			for _, kept := range []string{workspace.GenerationsFile, workspace.LiveFile, workspace.LiveFile + "-wal"} {
				if err := os.WriteFile(w.ws.Path(kept), []byte(kept), 0o600); err != nil {
					t.Fatal(err)
				}
				defer func() {
					if raw, err := os.ReadFile(w.ws.Path(kept)); err != nil || string(raw) != kept {
						t.Errorf("%s: %q, %v", kept, raw, err)
					}
				}()
			}
			before := w.ws.Manifest()
			dry, err := stage.Prune(w.ws, c.runs(runs), true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, w.ws.Manifest(), cmp.AllowUnexported(workspace.Manifest{})); diff != "" || len(w.ws.Leftovers()) != 2 {
				t.Errorf("a dry run changed something: %s, leftovers %v", diff, w.ws.Leftovers())
			}
			wet, err := stage.Prune(w.ws, c.runs(runs), false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(dry, wet); diff != "" {
				t.Errorf("the dry run said something else:\n%s", diff)
			}
			if diff := cmp.Diff(want, sorted(wet.Removed)); diff != "" {
				t.Errorf("removed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(leftovers, sorted(wet.Leftovers)); diff != "" || wet.Bytes != wantBytes {
				t.Errorf("%d bytes, want %d; leftovers (-want +got):\n%s", wet.Bytes, wantBytes, diff)
			}
			for _, address := range wet.Kept {
				if c := w.ws.Check(address); c.State != workspace.Fresh {
					t.Errorf("kept %s: %+v", address, c)
				}
			}
			if len(wet.Kept)+len(wet.Removed) != len(before.Artefacts) || !slices.Contains(wet.Kept, workspace.DataAddress) {
				t.Errorf("kept %v", wet.Kept)
			}
			wantOnDisk(t, w.ws, want, true)
			wantOnDisk(t, w.ws, leftovers, true)
			wantOnDisk(t, w.ws, []string{"generations.db", "features/cache/vectors", "runs/begun/config.json", workspace.ItemsFile, workspace.InteractionsFile}, false)
			if run, err := stage.RunAddress(w.ws, ""); err != nil || !slices.Contains(wet.Kept, run) {
				t.Errorf("the run to use is %s, %v", run, err)
			}
			nothing, err := stage.Prune(w.ws, c.runs(runs), false)
			if err != nil || len(nothing.Removed)+len(nothing.Leftovers) != 0 || nothing.Bytes != 0 {
				t.Errorf("a second time: %+v, %v", nothing, err)
			}
		})
	}
}

func wantOnDisk(t *testing.T, ws *workspace.Workspace, paths []string, gone bool) {
	t.Helper()
	for _, rel := range paths {
		if _, err := os.Stat(ws.Path(rel)); os.IsNotExist(err) != gone {
			t.Errorf("%s: %v", rel, err)
		}
	}
}

func TestPruneRefusesUnknownRuns(t *testing.T) {
	w, runs, _, _ := pruneWorld(t)
	before := w.ws.Manifest()
	for _, id := range []string{"none", "begun", "../data"} {
		_, err := stage.Prune(w.ws, []string{path.Base(runs[0]), id}, false)
		if usererr.KindOf(err) != usererr.KindUnknown || !strings.Contains(err.Error(), id) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if diff := cmp.Diff(before.Artefacts, w.ws.Manifest().Artefacts); diff != "" || len(w.ws.Leftovers()) != 2 {
		t.Errorf("something was removed: %s", diff)
	}
}

// What nobody may remove while another process writes stays.
func TestPruneWhileAnotherWrites(t *testing.T) {
	ws := newWorkspace(t)
	other, err := workspace.Open(ws.Dir())
	if err != nil {
		t.Fatal(err)
	}
	release, err := other.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	draft, err := other.NewDraft(kindGraph)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Prune(ws, nil, false); err == nil {
		t.Error("pruned beside a writer")
	}
	if _, err := os.Stat(draft.Path("")); err != nil {
		t.Errorf("the writer's draft: %v", err)
	}
}

func TestRunAddress(t *testing.T) {
	w := newWorld(t)
	_, err := stage.RunAddress(w.ws, "")
	if usererr.StageOf(err) != workspace.StageTrain {
		t.Errorf("no run: %v", err)
	}
	first := w.make(kindRun)
	w.run.options = map[string]string{"seed": "2"}
	second := w.make(kindRun)
	for id, want := range map[string]string{"": second, path.Base(first): first, path.Base(second): second} {
		if got, err := stage.RunAddress(w.ws, id); err != nil || got != want {
			t.Errorf("run %q at %s, %v; want %s", id, got, err, want)
		}
	}
	graph, _, _ := w.ws.Current(kindGraph)
	for _, id := range []string{"none", "..", "../" + graph, first, "x/../" + path.Base(first)} {
		if got, err := stage.RunAddress(w.ws, id); usererr.KindOf(err) != usererr.KindUnknown {
			t.Errorf("run %q at %s, %v", id, got, err)
		}
	}
}
