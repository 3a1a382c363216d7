package stage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

const (
	kindTexts   = workspace.KindItemTexts
	kindVectors = workspace.KindItemVectors
	kindGraph   = workspace.KindItemGraph
	kindRun     = workspace.KindRun
)

// What is asked for is planned backwards: what it does not need is not even looked at.
func TestPlansBackwards(t *testing.T) {
	w := newWorld(t)
	w.make(kindGraph)
	w.wantBuilt(1, 1, 1, 0)
	if w.users.settled != 0 || w.run.settled != 0 || w.texts.settled != 1 {
		t.Errorf("preferences settled %d times, run %d, texts %d", w.users.settled, w.run.settled, w.texts.settled)
	}
	var order []string
	for _, said := range w.said {
		order = append(order, strings.TrimSuffix(said, ": made"))
	}
	if diff := cmp.Diff([]string{"describe", "encode", "graph"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	w.said = nil

	graph := w.make(kindGraph)
	w.wantBuilt(0, 0, 0, 0)
	w.wantSaid("graph: fresh, skipped: "+graph, "encode: fresh, skipped: features/")
	w.make(kindRun)
	w.wantBuilt(0, 0, 0, 1)
	a, _ := w.ws.Artefact(graph)
	if a.Stage != workspace.StageGraph || a.Options["k"] != "10" || a.Provenance != workspace.ProvenanceTrainOnly || fmt.Sprint(a.Info["built"]) != "1" || a.Seconds <= 0 ||
		len(a.Inputs) != 2 || a.InputHash != workspace.InputHash(kindGraph, a.Options, a.Inputs) || len(a.Files) != 1 {
		t.Errorf("record %+v", a)
	}
	e := w.engine()
	w.by(e, kindRun)
	settled := w.vectors.settled
	w.by(e, kindVectors)
	if w.vectors.settled != settled {
		t.Error("an engine settles a kind twice")
	}
}

// A changed option makes a second artefact beside the first; going back selects the first.
func TestChangedOption(t *testing.T) {
	w := newWorld(t)
	first := w.make(kindGraph)
	w.wantBuilt(1, 1, 1, 0)
	w.graph.options["k"] = "20"
	second := w.make(kindGraph)
	w.wantBuilt(0, 0, 1, 0)
	if first == second || w.ws.Check(first).State != workspace.Fresh {
		t.Errorf("%s and %s: %+v", first, second, w.ws.Check(first))
	}
	w.graph.options["k"] = "10"
	if again := w.make(kindGraph); again != first {
		t.Errorf("back at %s, want %s", again, first)
	}
	w.wantBuilt(0, 0, 0, 0)
}

// What is made from a changed input is new, and what was made from the old one stays.
func TestChangedInput(t *testing.T) {
	w := newWorld(t)
	run := w.make(kindRun)
	w.wantBuilt(1, 1, 1, 1)
	w.texts.options = map[string]string{"model": "other"}
	other := w.make(kindRun)
	w.wantBuilt(1, 1, 1, 1)
	for _, kind := range []workspace.Kind{kindTexts, kindVectors, kindGraph, kindRun} {
		all := w.ws.Addresses(kind)
		if len(all) != 2 {
			t.Errorf("%s: %v", kind, all)
		}
		for _, address := range all {
			if c := w.ws.Check(address); c.State != workspace.Fresh {
				t.Errorf("%s: %+v", address, c)
			}
		}
	}
	if run == other {
		t.Errorf("one address, %s, for two runs", run)
	}
}

// Only the contents of the files that a stage reads count.
func TestChangedInputOfTheSameContents(t *testing.T) {
	w := newWorld(t)
	w.vectors.constant = "the same"
	graph := w.make(kindGraph)
	w.wantBuilt(1, 1, 1, 0)
	w.texts.options = map[string]string{"model": "other"}
	if again := w.make(kindGraph); again != graph {
		t.Errorf("graph at %s, then at %s", graph, again)
	}
	w.wantBuilt(1, 1, 0, 0)
	// Nobody has to make the graph again to train on it.
	e := w.engine(w.vectors, w.texts, w.run)
	w.by(e, kindRun)
	a, _, _ := w.ws.Current(kindRun)
	if made, _ := w.ws.Artefact(a); made.Inputs[kindGraph].Address != graph {
		t.Errorf("trained on %s, want %s", made.Inputs[kindGraph].Address, graph)
	}
	for _, s := range stage.StatusOf(w.ws) {
		if s.Stage == workspace.StageGraph && s.State != "fresh" {
			t.Errorf("%+v", s)
		}
	}
}

func TestPendingIsGoneOnWith(t *testing.T) {
	w := newWorld(t)
	w.texts.pending, w.texts.constant = 3, "first answers"
	first := w.make(kindTexts)
	w.texts.constant, w.texts.pending = "more answers", 1
	second := w.make(kindTexts)
	w.wantSaid("3 texts lack an answer: going on")
	if diff := cmp.Diff([]string{path.Base(second)}, w.there("texts")); second != first+"-2" || diff != "" {
		t.Errorf("%s after %s, of which nothing was made:\n%s", second, first, diff)
	}
	// No progress: it stays where it is.
	if again := w.make(kindTexts); again != second {
		t.Errorf("the same texts at %s, then at %s", second, again)
	}
	w.wantBuilt(3, 0, 0, 0)

	// Vectors were made from it: it stays with them.
	w.make(kindVectors)
	w.texts.built, w.vectors.built = 0, 0
	w.texts.constant, w.texts.pending = "all answers", 0
	w.make(kindVectors)
	w.wantBuilt(1, 1, 0, 0)
	if c := w.ws.Check(second); c.State != workspace.Fresh || len(w.ws.Addresses(kindTexts)) != 2 {
		t.Errorf("what vectors were made from: %+v, all: %v", c, w.ws.Addresses(kindTexts))
	}
	w.make(kindVectors)
	w.wantBuilt(0, 0, 0, 0)
}

func TestForce(t *testing.T) {
	w := newWorld(t)
	first := w.make(kindVectors)
	was, _ := w.ws.Artefact(first)
	force := func() *stage.Engine {
		e := w.engine(w.vectors)
		e.Force = true
		return e
	}
	w.vectors.built = 0
	if again := w.by(force(), kindVectors); again != first {
		t.Errorf("the same result at %s, then at %s", first, again)
	}
	if a, _ := w.ws.Artefact(first); !a.Finished.After(was.Finished) || w.vectors.built != 1 {
		t.Errorf("made %v and %v, built %d times", was.Finished, a.Finished, w.vectors.built)
	}
	w.vectors.constant = "another result"
	if other := w.by(force(), kindVectors); other != first+"-2" {
		t.Errorf("another result at %s", other)
	}
	if got := len(w.ws.Addresses(kindVectors)); got != 2 {
		t.Errorf("%d artefacts, want both", got)
	}
	// Without force the latest is fresh.
	if now := w.make(kindVectors); now != first+"-2" {
		t.Errorf("%s is used", now)
	}
}

func TestAgainMakesOneKindAnew(t *testing.T) {
	w := newWorld(t)
	w.make(kindGraph)
	w.wantBuilt(1, 1, 1, 0)
	e := w.engine()
	e.Again(kindVectors)
	w.by(e, kindGraph)
	w.by(e, kindVectors)
	w.wantBuilt(0, 1, 0, 0)
}

// twoGraphs makes graphs of two kinds of vectors; those of the second are current.
func twoGraphs(t *testing.T) (w *world, vectors, graphs [2]string) {
	t.Helper()
	w = newWorld(t)
	for i, dim := range []string{"8", "16"} {
		w.vectors.options = map[string]string{"dim": dim}
		e := w.engine()
		graphs[i], vectors[i] = w.by(e, kindGraph), w.by(e, kindVectors)
	}
	return w, vectors, graphs
}

// Where no stage makes a kind, the engine uses what was made from what it works with.
func TestUseAndPresent(t *testing.T) {
	w, vectors, graphs := twoGraphs(t)
	for i := range 2 {
		e := w.engine(w.run)
		if err := e.Use(vectors[i]); err != nil {
			t.Fatal(err)
		}
		run, err := e.Make(t.Context(), kindRun)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := w.ws.Artefact(run)
		if a.Inputs[kindVectors].Address != vectors[i] || a.Inputs[kindGraph].Address != graphs[i] {
			t.Errorf("with %s: made from %+v, want %s", vectors[i], a.Inputs, graphs[i])
		}
	}
	// The current ones, where nothing is chosen.
	e := w.engine(w.run)
	if got, err := e.Make(t.Context(), kindGraph); err != nil || got != graphs[1] {
		t.Errorf("%s, %v; want %s", got, err, graphs[1])
	}
	// Of several that agree, the current one first.
	w.graph.options["k"] = "20"
	latest := w.make(kindGraph)
	if err := w.ws.Select(graphs[1]); err != nil {
		t.Fatal(err)
	}
	e = w.engine(w.run)
	if err := e.Use(vectors[1]); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Make(t.Context(), kindGraph); err != nil || got != graphs[1] {
		t.Errorf("%s, %v; want the current one %s rather than %s", got, err, graphs[1], latest)
	}
	// Else the latest that agrees.
	if err := w.ws.Select(graphs[0]); err != nil {
		t.Fatal(err)
	}
	e = w.engine(w.run)
	if err := e.Use(vectors[1]); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Make(t.Context(), kindGraph); err != nil || got != latest {
		t.Errorf("%s, %v; want the latest, %s", got, err, latest)
	}
}

// wantNotReady wants an error that names the stage to run.
func wantNotReady(t *testing.T, err error, name string, words ...string) {
	t.Helper()
	wantKind(t, err, usererr.KindNotReady, name, words...)
}

// wantNotProvable wants an error that names the changed file and the stage that makes it.
func wantNotProvable(t *testing.T, err error, name string, words ...string) {
	t.Helper()
	wantKind(t, err, usererr.KindNotProvable, name, words...)
}

func wantKind(t *testing.T, err error, kind usererr.Kind, name string, words ...string) {
	t.Helper()
	if usererr.KindOf(err) != kind || usererr.StageOf(err) != name {
		t.Fatalf("error %v names stage %q, want %q", err, usererr.StageOf(err), name)
	}
	if hint, _ := usererr.Hint(err); !strings.Contains(hint, `"`+name+`"`) {
		t.Errorf("hint %q does not name stage %q", hint, name)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

func TestNotReady(t *testing.T) {
	w, vectors, graphs := twoGraphs(t)
	_, err := w.engine(w.eval).Make(t.Context(), workspace.KindEvaluation)
	wantNotReady(t, err, workspace.StageTrain, "no result of stage")

	if err := w.ws.Remove(graphs[0]); err != nil {
		t.Fatal(err)
	}
	e := w.engine(w.run)
	if err := e.Use(vectors[0]); err != nil {
		t.Fatal(err)
	}
	_, err = e.Make(t.Context(), kindRun)
	wantNotReady(t, err, workspace.StageGraph, graphs[1], "made from something else")
	if w.run.built != 0 {
		t.Error("it was trained all the same")
	}
	if err := e.Use("features/none"); err == nil || !strings.Contains(err.Error(), "features/none") {
		t.Errorf("using what is not there: %v", err)
	}
}

func TestDamagedFiles(t *testing.T) {
	w := newWorld(t)
	graph := w.make(kindGraph)
	vectors, _, _ := w.ws.Current(kindVectors)
	w.damage(vectors, "vectors")
	w.wantBuilt(1, 1, 1, 0)

	// Nobody can make the vectors: they are refused.
	_, err := w.engine(w.graph).Make(t.Context(), kindGraph)
	wantNotProvable(t, err, workspace.StageEncode, vectors, "was modified")
	wantNotProvable(t, w.engine().Use(vectors), workspace.StageEncode, "was modified")

	// The same result mends them, and what was made from them is as fresh as before.
	if again := w.make(kindGraph); again != graph {
		t.Errorf("graph at %s, then at %s", graph, again)
	}
	w.wantBuilt(0, 1, 0, 0)
	if now, _, _ := w.ws.Current(kindVectors); now != vectors || w.ws.Check(vectors).State != workspace.Fresh {
		t.Errorf("vectors at %s, then at %s", vectors, now)
	}
	if w.by(w.engine(w.run), kindRun) == "" || len(w.ws.Leftovers()) != 0 {
		t.Errorf("left behind: %v", w.ws.Leftovers())
	}

	// Another result takes the place of a damaged one from which nothing was made.
	w.users.constant = "one"
	first := w.make(workspace.KindUserTexts)
	w.damage(first, "texts")
	w.users.constant = "two"
	second := w.make(workspace.KindUserTexts)
	if all := w.ws.Addresses(workspace.KindUserTexts); second == first || len(all) != 1 {
		t.Errorf("%s after %s, all: %v", second, first, all)
	}
}

// A stage that cannot settle its options uses what fits as far as is known.
func TestUnsettled(t *testing.T) {
	w := newWorld(t)
	texts := w.make(kindTexts)
	w.wantBuilt(1, 0, 0, 0)
	silent := errors.New("the server is silent")
	w.texts.unsettled, w.texts.reuse = silent, texts
	w.texts.options = map[string]string{"digest": "unknown"}
	if got := w.make(kindTexts); got != texts {
		t.Errorf("%s, want %s", got, texts)
	}
	w.make(kindVectors)
	force, again := w.engine(), w.engine()
	force.Force = true
	again.Again(kindTexts)
	for name, e := range map[string]*stage.Engine{"forced": force, "again": again} {
		if _, err := e.Make(t.Context(), kindVectors); !errors.Is(err, silent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.texts.reuse = ""
	if _, err := w.engine().Make(t.Context(), kindVectors); !errors.Is(err, silent) {
		t.Errorf("nothing fits: %v", err)
	}
	w.wantBuilt(0, 1, 0, 0)
}

// Begun work in place stays after an error, and is gone on with.
func TestInPlaceResumes(t *testing.T) {
	w := newWorld(t)
	killed := errors.New("killed")
	w.run.fails = killed
	if _, err := w.engine().Make(t.Context(), kindRun); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	if len(w.ws.Addresses(kindRun)) != 0 {
		t.Error("an interrupted run is recorded")
	}
	begun := "runs/" + w.there("runs")[0]
	if err := os.WriteFile(w.ws.Path(begun, "log"), []byte("no part of the artefact"), 0o666); err != nil {
		t.Fatal(err)
	}
	w.run.fails = nil
	run := w.make(kindRun)
	a, _ := w.ws.Artefact(run)
	if run != begun || w.run.resumed != 1 || len(a.Files) != 1 || a.Files["model"].Path != run+"/model" {
		t.Errorf("%s after %s, resumed %d times, files %v", run, begun, w.run.resumed, a.Files)
	}
	w.wantBuilt(1, 1, 1, 2)
	if again := w.make(kindRun); again != run {
		t.Errorf("%s, then %s", run, again)
	}
	w.wantBuilt(0, 0, 0, 0)
}

// Leaky beats unknown, unknown beats train-only.
func TestInheritedProvenance(t *testing.T) {
	for _, c := range []struct{ vectors, graph, want string }{
		{"", "", workspace.ProvenanceTrainOnly},
		{workspace.ProvenanceUnknown, "", workspace.ProvenanceUnknown},
		{"", workspace.ProvenanceUnknown, workspace.ProvenanceUnknown},
		{workspace.ProvenanceLeaky, workspace.ProvenanceUnknown, workspace.ProvenanceLeaky},
		{workspace.ProvenanceUnknown, workspace.ProvenanceLeaky, workspace.ProvenanceLeaky},
		{workspace.ProvenanceLeaky, "", workspace.ProvenanceLeaky},
	} {
		w := newWorld(t)
		w.graph.needs = w.graph.needs[:1] // of the data alone, so that it does not inherit
		w.vectors.provenance, w.vectors.leaky = c.vectors, c.vectors == workspace.ProvenanceLeaky
		w.graph.provenance, w.graph.leaky = c.graph, c.graph == workspace.ProvenanceLeaky
		for range 4 { // inputs come in any order
			w.run.options = map[string]string{"n": fmt.Sprint(len(w.ws.Addresses(kindRun)))}
			evaluation := w.make(workspace.KindEvaluation)
			run, _, _ := w.ws.Current(kindRun)
			for _, address := range []string{run, evaluation} {
				if a, _ := w.ws.Artefact(address); a.Provenance != c.want || a.Leaky != (c.want == workspace.ProvenanceLeaky) {
					t.Errorf("of %q and %q: %s is %q, leaky %v", c.vectors, c.graph, address, a.Provenance, a.Leaky)
				}
			}
		}
	}
}

// A build that fails or is cancelled leaves nothing behind.
func TestFailedBuild(t *testing.T) {
	w := newWorld(t)
	w.make(kindTexts)
	before := w.ws.Manifest()
	broken := errors.New("broken")
	w.vectors.fails = broken
	if _, err := w.engine().Make(t.Context(), kindGraph); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if left := w.there("features"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	w.vectors.fails = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.vectors.built = 0
	if _, err := w.engine().Make(ctx, kindGraph); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	w.wantBuilt(1, 0, 0, 0)
	if diff := cmp.Diff(before.Artefacts, w.ws.Manifest().Artefacts); diff != "" {
		t.Errorf("recorded:\n%s", diff)
	}
	w.make(kindGraph)
}

func TestMakeOfAKindThatNobodyMakes(t *testing.T) {
	w := newWorld(t)
	if got, err := w.engine(w.graph).Make(t.Context(), workspace.KindData); err != nil || got != workspace.DataAddress {
		t.Errorf("%s, %v", got, err)
	}
	if err := os.Truncate(w.ws.Path(workspace.ItemsFile), 3); err != nil {
		t.Fatal(err)
	}
	_, err := w.engine().Make(t.Context(), kindTexts)
	wantNotProvable(t, err, workspace.StageImport, "items.parquet was modified")
	w.wantBuilt(0, 0, 0, 0)
}
