package stage_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// fake is a stage whose files say from which options and inputs they were made.
type fake struct {
	name  string
	kind  workspace.Kind
	needs []stage.Need
	files []string // names of the files that it writes

	options    map[string]string
	constant   string // content of the files in place of what they would say
	pending    int
	leaky      bool
	provenance string
	fails      error // of Build, after it has written
	unsettled  error
	reuse      string

	settled, built int
}

func (f *fake) Name() string          { return f.name }
func (f *fake) Makes() workspace.Kind { return f.kind }
func (f *fake) Needs() []stage.Need   { return f.needs }

func (f *fake) Settle(context.Context, *stage.Session, stage.Inputs) (stage.Spec, error) {
	f.settled++
	return stage.Spec{Name: string(f.kind), Options: maps.Clone(f.options), Unsettled: f.unsettled, Reuse: f.reuse}, nil
}

func (f *fake) Build(_ context.Context, b *stage.Build) error {
	f.built++
	content := fmt.Sprint(f.options)
	for _, kind := range slices.Sorted(maps.Keys(b.Inputs)) {
		content += fmt.Sprint(" ", kind, b.Inputs[kind].Hash)
	}
	if f.constant != "" {
		content = f.constant
	}
	for _, name := range f.files {
		if err := os.WriteFile(b.Path(name), []byte(name+" "+content), 0o666); err != nil {
			return err
		}
	}
	if f.fails != nil {
		return f.fails
	}
	b.Pending, b.Leaky = f.pending, b.Leaky || f.leaky
	if f.provenance != "" {
		b.Provenance = f.provenance
	}
	b.Info = map[string]any{"built": f.built}
	b.Done("made")
	return nil
}

// inPlace is a fake whose begun work stays in its folder.
type inPlace struct {
	fake
	begun   string // address of begun work
	resumed int
}

func (f *inPlace) Place(s *stage.Session, _ stage.Spec, inputHash string) (string, bool, error) {
	if f.begun != "" {
		return f.begun, true, nil
	}
	return s.WS.FreeRun("fake", inputHash), false, nil
}

func (f *inPlace) Build(ctx context.Context, b *stage.Build) error {
	f.begun, b.Files = b.Address, f.files
	if b.Resume {
		f.resumed++
	}
	if err := f.fake.Build(ctx, b); err != nil {
		return err
	}
	f.begun = ""
	return nil
}

// world is a workspace with fake stages.
type world struct {
	*testing.T
	ws                                 *workspace.Workspace
	texts, users, vectors, graph, eval *fake
	run                                *inPlace
	said                               []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ws := newWorkspace(t)
	release, err := ws.Lock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	need := func(kind workspace.Kind, files ...string) stage.Need { return stage.Need{Kind: kind, Files: files} }
	return &world{T: t, ws: ws,
		texts:   &fake{name: workspace.StageDescribe, kind: workspace.KindItemTexts, files: []string{"texts"}, needs: []stage.Need{need(workspace.KindData, workspace.ItemsFile)}},
		users:   &fake{name: workspace.StageReason, kind: workspace.KindUserTexts, files: []string{"texts"}, needs: []stage.Need{need(workspace.KindItemTexts)}},
		vectors: &fake{name: workspace.StageEncode, kind: workspace.KindItemVectors, files: []string{"vectors", "encoder"}, needs: []stage.Need{need(workspace.KindItemTexts)}},
		graph: &fake{name: workspace.StageGraph, kind: workspace.KindItemGraph, files: []string{"graph"}, options: map[string]string{"k": "10"},
			needs: []stage.Need{need(workspace.KindData, workspace.InteractionsFile), need(workspace.KindItemVectors, "vectors")}},
		run: &inPlace{fake: fake{name: workspace.StageTrain, kind: workspace.KindRun, files: []string{"model"},
			needs: []stage.Need{need(workspace.KindItemVectors), need(workspace.KindItemGraph)}}},
		eval: &fake{name: workspace.StageEvaluate, kind: workspace.KindEvaluation, files: []string{"evaluation"}, needs: []stage.Need{need(workspace.KindRun)}},
	}
}

func newWorkspace(t *testing.T) *workspace.Workspace {
	t.Helper()
	ds := &dataset.Dataset{Name: "shop", Split: "labelled", Clock: dataset.ClockNone, UserIDs: []string{"ann", "bob"}}
	for i := range 3 {
		ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprint("i", i), Title: "Mug"})
	}
	ds.SetInteractions([]dataset.Interaction{{User: 0, Item: 0, Label: dataset.Train}, {User: 0, Item: 1, Label: dataset.Test}, {User: 1, Item: 2, Label: dataset.Train}})
	ws, err := workspace.Create(filepath.Join(t.TempDir(), "ws"), ds, workspace.Source{Kind: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func (w *world) all() []stage.Stage {
	return []stage.Stage{w.texts, w.users, w.vectors, w.graph, w.run, w.eval}
}

// engine returns a new engine, with all stages where none is named.
func (w *world) engine(stages ...stage.Stage) *stage.Engine {
	if stages == nil {
		stages = w.all()
	}
	return stage.NewEngine(stage.NewSession(w.ws, func(e stage.Event) { w.said = append(w.said, e.Stage+": "+e.Message) }), stages...)
}

// make makes a kind with a new engine of all stages.
func (w *world) make(kind workspace.Kind) string {
	w.Helper()
	return w.by(w.engine(), kind)
}

func (w *world) by(e *stage.Engine, kind workspace.Kind) string {
	w.Helper()
	address, err := e.Make(w.Context(), kind)
	if err != nil {
		w.Fatal(err)
	}
	if c := w.ws.Check(address); c.State != workspace.Fresh {
		w.Fatalf("%s: %+v", address, c)
	}
	if now, _, _ := w.ws.Current(kind); now != address {
		w.Errorf("made %s, current is %s", address, now)
	}
	return address
}

// wantBuilt wants the stages to have built so often, and forgets it.
func (w *world) wantBuilt(texts, vectors, graph, run int) {
	w.Helper()
	for f, want := range map[*fake]int{w.texts: texts, w.vectors: vectors, w.graph: graph, &w.run.fake: run} {
		if f.built != want {
			w.Errorf("%s built %d times, want %d", f.name, f.built, want)
		}
		f.built = 0
	}
}

// damage changes a file of an artefact, but not its length.
func (w *world) damage(address, name string) {
	w.Helper()
	path := w.ws.Path(address, name)
	raw, err := os.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	raw[0] ^= 1
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		w.Fatal(err)
	}
}

// there lists the folders of artefacts below a folder of the workspace.
func (w *world) there(folder string) []string {
	w.Helper()
	entries, err := os.ReadDir(w.ws.Path(folder))
	if err != nil {
		w.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (w *world) wantSaid(parts ...string) {
	w.Helper()
	all := strings.Join(w.said, "\n")
	for _, part := range parts {
		if !strings.Contains(all, part) {
			w.Errorf("nobody said %q:\n%s", part, all)
		}
	}
	w.said = nil
}
