package stage_test

import (
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/stage/graphing"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/workspace"
	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

// upgraded opens a workspace that version 0.1 made.
func upgraded(t *testing.T, name string) *workspace.Workspace {
	t.Helper()
	dir := t.TempDir()
	workspacetest.Unpack(t, filepath.Join("..", "workspace", "testdata", "format1.tar.gz"), dir)
	ws, err := workspace.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// modelServer lists the model that the texts of paid.ws were written by, and answers no
// question.
func modelServer(t *testing.T) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("the model was asked: %s %s", r.Method, r.URL)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 8192}]}`)) //nolint:errcheck // the client will say so
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1"
}

func recorded(t *testing.T, ws *workspace.Workspace, kind workspace.Kind) workspace.Artefact {
	t.Helper()
	_, a, ok := ws.Current(kind)
	if !ok {
		t.Fatalf("no %s", kind)
	}
	return a
}

// writers returns the stages that wrote the texts of paid.ws, from what is recorded there
// but for the address of the server.
func writers(t *testing.T, ws *workspace.Workspace, url string) (d *describing.Stage, r *reasoning.Stage) {
	t.Helper()
	dopt, err := describing.Recorded(recorded(t, ws, workspace.KindItemTexts))
	if err != nil {
		t.Fatal(err)
	}
	ropt, err := reasoning.Recorded(recorded(t, ws, workspace.KindUserTexts))
	if err != nil {
		t.Fatal(err)
	}
	if dopt.Writer.MLLM != "openai" || !slices.Equal(dopt.Writer.Models, []string{"m"}) || dopt.Pictures.Dir != "." || ropt.Preference.Folds != 2 ||
		!slices.Equal(ropt.Writer.Servers.BaseURLs, []string{"http://127.0.0.1:18999/v1"}) {
		t.Fatalf("recorded options: %+v, %+v", dopt, ropt)
	}
	dopt.Writer.Servers.BaseURLs, ropt.Writer.Servers.BaseURLs = []string{url}, []string{url}
	if d, err = describing.New(dopt); err != nil {
		t.Fatal(err)
	}
	if r, err = reasoning.New(ropt); err != nil {
		t.Fatal(err)
	}
	return d, r
}

// encoders returns the stages that made the vectors of paid.ws.
func encoders(t *testing.T) (items, users stage.Stage) {
	t.Helper()
	items, users, err := encoding.New(encoder.Options{Encoder: encoder.LSA, Dim: 8, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return items, users
}

func trainer(t *testing.T, name string, seed uint64, settings ...string) *training.Stage {
	t.Helper()
	s, err := training.New(training.Options{Model: name, Seed: seed, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func graphOptions(threshold float32) itemgraph.Options {
	opt := itemgraph.DefaultOptions()
	opt.Threshold = &threshold
	return opt
}

// What version 0.1 made is fresh for the stages of today under the same options: nothing
// is made, and no model asked, again.
func TestUpgradedArtefactsAreFresh(t *testing.T) {
	for name, c := range map[string]struct {
		stages func(t *testing.T, ws *workspace.Workspace) []stage.Stage
		runs   map[string]*training.Stage
	}{
		"paid.ws": {func(t *testing.T, ws *workspace.Workspace) []stage.Stage {
			describe, reason := writers(t, ws, modelServer(t))
			items, users := encoders(t)
			return []stage.Stage{describe, reason, items, users, &graphing.Stage{Options: graphOptions(0.3)}}
		}, map[string]*training.Stage{
			"runs/mllmrec-04220adc":  trainer(t, "mllmrec", 1, "embedding_dim=4", "epochs=3"),
			"runs/bpr-c568bef4":      trainer(t, "bpr", 1, "epochs=2", "embedding_dim=4"),
			"runs/lightgcn-ff308c48": trainer(t, "lightgcn", 1, "embedding_dim=4", "epochs=2"),
		}},
		"foreign.ws": {func(*testing.T, *workspace.Workspace) []stage.Stage {
			return []stage.Stage{&graphing.Stage{Options: graphOptions(0.7)}}
		}, map[string]*training.Stage{"runs/mllmrec-16b7f2a8": trainer(t, "mllmrec", 999, "embedding_dim=4", "epochs=2")}},
	} {
		t.Run(name, func(t *testing.T) {
			ws := upgraded(t, name)
			before := ws.Manifest().Artefacts
			for run, train := range c.runs {
				stages := append(c.stages(t, ws), train)
				e := stage.NewEngine(stage.NewSession(ws, nil), stages...)
				want := ws.Manifest().Current
				for _, st := range stages {
					got, err := e.Make(t.Context(), st.Makes())
					if err != nil {
						t.Fatal(err)
					}
					if st.Makes() == workspace.KindRun {
						want[workspace.KindRun] = run
					}
					if got != want[st.Makes()] {
						t.Errorf("%s: made %s, want %s", st.Name(), got, want[st.Makes()])
					}
				}
			}
			after := ws.Manifest().Artefacts
			for address := range after {
				if !after[address].Finished.Equal(before[address].Finished) {
					t.Errorf("%s was made again", address)
				}
			}
			for _, s := range stage.StatusOf(ws) {
				if s.State != "fresh" && s.State != "missing" {
					t.Errorf("%+v", s)
				}
			}
			if root := stage.Tree(ws); root.Address != workspace.DataAddress || !root.Intact {
				t.Errorf("tree %+v", root)
			}
		})
	}
}

// With the server switched off, texts that version 0.1 had written are used as they are.
func TestUpgradedTextsWithoutServer(t *testing.T) {
	ws := upgraded(t, "paid.ws")
	s := httptest.NewServer(http.NotFoundHandler())
	url := s.URL + "/v1"
	s.Close()
	describe, reason := writers(t, ws, url)
	want := ws.Manifest().Current
	e := stage.NewEngine(stage.NewSession(ws, nil), describe, reason)
	for _, kind := range []workspace.Kind{workspace.KindUserTexts, workspace.KindItemTexts} {
		if got, err := e.Make(t.Context(), kind); err != nil || got != want[kind] {
			t.Errorf("%s: %s, %v; want %s", kind, got, err, want[kind])
		}
	}
	e = stage.NewEngine(stage.NewSession(ws, nil), describe, reason)
	e.Force = true
	if _, err := e.Make(t.Context(), workspace.KindItemTexts); err == nil {
		t.Error("texts were made anew without a server")
	}
}

// Graph options that had no effect stand in the records of version 0.1 and not in those
// of today.
func TestUpgradedGraphWithoutEffectOfOptions(t *testing.T) {
	ws := upgraded(t, "paid.ws")
	a := recorded(t, ws, workspace.KindItemGraph)
	g := &graphing.Stage{Options: graphOptions(0.3)}
	spec, err := g.Settle(t.Context(), stage.NewSession(ws, nil), stage.Inputs(a.Inputs))
	if err != nil {
		t.Fatal(err)
	}
	if got := workspace.InputHash(workspace.KindItemGraph, spec.Options, a.Inputs); got != a.InputHash {
		t.Errorf("options %v give %s; recorded are %v, %s", spec.Options, got, a.Options, a.InputHash)
	}
	if opt, ok, err := graphing.Recorded(ws); !ok || err != nil || !reflect.DeepEqual(opt, g.Options) {
		t.Errorf("recorded options %+v, %v, %v; want %+v", opt, ok, err, g.Options)
	}
}

// A run that version 0.1 was killed in goes on, in the same folder.
func TestInterruptedRunOfVersion01GoesOn(t *testing.T) {
	ws := upgraded(t, "paid.ws")
	const begun = "runs/bpr-b4d967a1"
	train := trainer(t, "bpr", 2, "embedding_dim=4", "epochs=100000", "patience=100000")
	inputs := stage.Inputs{}
	for _, need := range train.Needs() {
		address, _, _ := ws.Current(need.Kind)
		in, err := ws.InputFrom(address, need.Files...)
		if err != nil {
			t.Fatal(err)
		}
		inputs[need.Kind] = in
	}
	s := stage.NewSession(ws, nil)
	spec, err := train.Settle(t.Context(), s, inputs)
	if err != nil {
		t.Fatal(err)
	}
	hash := workspace.InputHash(workspace.KindRun, spec.Options, inputs)
	if address, resume, err := train.Place(s, spec, hash); err != nil || !resume || address != begun {
		t.Errorf("place %s, resume %v, %v; want %s", address, resume, err, begun)
	}
	other := trainer(t, "bpr", 3, "embedding_dim=4", "epochs=100000", "patience=100000")
	if spec, err = other.Settle(t.Context(), s, inputs); err != nil {
		t.Fatal(err)
	}
	hash = workspace.InputHash(workspace.KindRun, spec.Options, inputs)
	if address, resume, err := other.Place(s, spec, hash); err != nil || resume || path.Dir(address) != "runs" || address == begun {
		t.Errorf("another seed: place %s, resume %v, %v", address, resume, err)
	}
	list, err := training.List(ws)
	if err != nil || len(list) != 4 {
		t.Fatalf("runs %+v, %v", list, err)
	}
	for _, r := range list {
		if r.Finished != (r.ID != path.Base(begun)) {
			t.Errorf("%+v", r)
		}
	}
}
