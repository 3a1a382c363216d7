package graphing_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/graphing"
	"github.com/mllmrec/mllmrec/internal/workspace"
	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

func paid(t *testing.T) *stage.Session {
	t.Helper()
	dir := t.TempDir()
	workspacetest.Unpack(t, filepath.Join("..", "..", "workspace", "testdata", "format1.tar.gz"), dir)
	ws, err := workspace.Open(filepath.Join(dir, "paid.ws"))
	if err != nil {
		t.Fatal(err)
	}
	return stage.NewSession(ws, nil)
}

// Made again, the graph is that of version 0.1 to the last byte, and so stays in its place.
func TestGraphIsThatOfVersion01(t *testing.T) {
	s := paid(t)
	was, old, _ := s.WS.Current(workspace.KindItemGraph)
	opt := itemgraph.DefaultOptions()
	opt.Threshold = new(float32(0.3))
	e := stage.NewEngine(s, &graphing.Stage{Options: opt})
	e.Force = true
	got, err := e.Make(t.Context(), workspace.KindItemGraph)
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := s.WS.Artefact(got); got != was || !a.Finished.After(old.Finished) || fmt.Sprint(a.Info["edges"]) != fmt.Sprint(old.Info["edges"]) {
		t.Errorf("%s made %v with %v edges; was %s, %v, %v", got, a.Finished, a.Info["edges"], was, old.Finished, old.Info["edges"])
	}
}

// Graphs of different options stand side by side under names that tell them apart.
func TestNamesAndOptions(t *testing.T) {
	s := paid(t)
	seen := map[string]bool{}
	for want, change := range map[string]func(o *itemgraph.Options){
		"graphs/reference-k10-s0.5-j10-": func(*itemgraph.Options) {},
		"graphs/reference-k10-t0.7-j10-": func(o *itemgraph.Options) { o.Threshold = new(float32(0.7)) },
		"graphs/reference-k5-s0.5-j10-":  func(o *itemgraph.Options) { o.K = 5 },
		"graphs/reference-k10-j10-":      func(o *itemgraph.Options) { o.Denoise = false },
		"graphs/reference-k10-s0.5-":     func(o *itemgraph.Options) { o.Topology = false },
		"graphs/paper-k10-s0.5-j10-":     func(o *itemgraph.Options) { o.Variant = "paper" },
	} {
		opt := itemgraph.DefaultOptions()
		change(&opt)
		got, err := stage.NewEngine(s, &graphing.Stage{Options: opt}).Make(t.Context(), workspace.KindItemGraph)
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if len(got) != len(want)+8 || got[:len(want)] != want || seen[got] {
			t.Errorf("%s, want %s and eight digits", got, want)
		}
		seen[got] = true
		if back, ok, err := graphing.Recorded(s.WS); !ok || err != nil || back.K != opt.K || back.Variant != opt.Variant || back.Denoise != opt.Denoise || back.Topology != opt.Topology {
			t.Errorf("%s: recorded %+v, %v", got, back, err)
		}
		if g, err := s.Graph(got); err != nil || g.Rows != 48 || g.NNZ() == 0 {
			t.Errorf("%s: %v", got, err)
		}
	}
	bad := itemgraph.DefaultOptions()
	bad.K = 0
	if _, err := stage.NewEngine(s, &graphing.Stage{Options: bad}).Make(t.Context(), workspace.KindItemGraph); err == nil {
		t.Error("a graph of no neighbours")
	}
}

// A threshold that does not fit the encoder's cosines is not applied without a word.
func TestThresholdThatKeepsAllOrNothingIsSaid(t *testing.T) {
	for threshold, want := range map[float32]string{0.999: "drops nearly all", -1: "drops none", 0.62: ""} {
		s := paid(t)
		var said []string
		s.Observe = func(e stage.Event) { said = append(said, e.Message) }
		opt := itemgraph.DefaultOptions()
		opt.Threshold = &threshold
		e := stage.NewEngine(s, &graphing.Stage{Options: opt})
		e.Force = true
		if _, err := e.Make(t.Context(), workspace.KindItemGraph); err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(said, "\n"); strings.Contains(all, "warning") != (want != "") || !strings.Contains(all, want) {
			t.Errorf("threshold %v: %s", threshold, all)
		}
	}
}
