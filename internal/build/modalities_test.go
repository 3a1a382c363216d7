package build

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/exporting"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// senses is a model of these tests: a trained vector for each user, in the space of the items'
// vectors of its modalities, beside each other.
type senses struct {
	model.Base
	users *autograd.Param
	items *tensor.Matrix
}

// Loss implements model.Model.
func (m *senses) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	u, x := t.Gather(t.Param(m.users), b.Users), t.Const(m.items)
	return t.BPR(t.RowDots(u, nil, x, b.Pos), t.RowDots(u, nil, x, b.Neg))
}

// Represent implements model.Model.
func (m *senses) Represent() (users, items *tensor.Matrix, err error) {
	return m.users.Value.Clone(), m.items.Clone(), nil
}

// oneSense is the same, of pictures alone, without a setting that says so.
const oneSense = "test-one-sense"

func init() {
	build := func(name string, read func(model.Values) []string) func(in model.Inputs, v model.Values) (model.Model, error) {
		return func(in model.Inputs, v model.Values) (model.Model, error) {
			m := &senses{}
			for _, modality := range read(v) {
				m.items = beside(m.items, in.ItemVectors[modality])
			}
			m.users = autograd.NewParam("user_embedding", in.Users, m.items.Cols)
			model.XavierUniform(m.users, in.Seed)
			m.Base = model.NewBase(name, v, m.users)
			return m, nil
		}
	}
	model.Register(model.Spec{Name: "test-senses", Settings: []model.Setting{modality.Setting()},
		Needs: func(v model.Values) model.Needs { return model.Needs{ItemVectors: modality.Of(v)} }, New: build("test-senses", modality.Of)})
	visual := func(model.Values) []string { return []string{modality.Visual} }
	model.Register(model.Spec{Name: oneSense,
		Needs: func(v model.Values) model.Needs { return model.Needs{ItemVectors: visual(v)} }, New: build(oneSense, visual)})
}

// beside returns two matrices side by side; a may be nil.
func beside(a, b *tensor.Matrix) *tensor.Matrix {
	if a == nil {
		return b
	}
	x := tensor.New(a.Rows, a.Cols+b.Cols)
	for i := range x.Rows {
		copy(x.Row(i), a.Row(i))
		copy(x.Row(i)[a.Cols:], b.Row(i))
	}
	return x
}

// sensed writes item vectors in which the item i is told from others, differently for each n.
func sensed(t *testing.T, cols, n int) string {
	t.Helper()
	x := tensor.New(36, cols)
	for i := range x.Data {
		x.Data[i] = float32((i*7+n*11)%13) - 6
	}
	path := filepath.Join(t.TempDir(), fmt.Sprintf("v%d.npy", n))
	if err := arrayfile.WriteNPY(path, x); err != nil {
		t.Fatal(err)
	}
	return path
}

// imported imports the shop with files of item vectors into a folder, which may hold it
// already. Without texts its items have ids only.
func imported(t *testing.T, dir string, texts bool, files map[string]string) *stage.Session {
	t.Helper()
	ds := &dataset.Dataset{Name: "shop"}
	colours, things := []string{"red", "navy", "green"}, []string{"mug", "lamp", "chair", "rug"}
	for i := range 36 {
		item := dataset.Item{ID: fmt.Sprintf("i%d", i)}
		if texts {
			item.Title = fmt.Sprintf("%s %s of style %d", colours[i%3], things[i%4], i/12)
		}
		ds.Items = append(ds.Items, item)
	}
	for u := range 20 {
		ds.UserIDs = append(ds.UserIDs, fmt.Sprintf("u%d", u))
		for n := range 6 {
			ds.Append(dataset.Interaction{User: int32(u), Item: int32((u + 4*n) % 36), Time: int64(100*u + n)})
		}
	}
	opt := importing.Options{Split: dataset.SplitByLatest}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		opt.ItemFeatures = append(opt.ItemFeatures, importing.Features{Modality: name, Path: files[name]})
	}
	if _, err := importing.Run(t.Context(), dir, ds, &dataset.Report{Kind: "test"}, opt, nil); err != nil {
		t.Fatal(err)
	}
	return session(t, dir)
}

// made runs a model in another session and returns its run.
func made(t *testing.T, dir string, pairs ...string) *training.Run {
	t.Helper()
	res, err := Run(t.Context(), session(t, dir), options(t, append([]string{"set=epochs=2"}, pairs...)...), false)
	if err != nil {
		t.Fatal(err)
	}
	return res.Run
}

// read lists what item vectors a run was made from, by kind.
func read(t *testing.T, dir string, run *training.Run) map[workspace.Kind]string {
	t.Helper()
	a, ok := session(t, dir).WS.Artefact("runs/" + run.ID)
	if !ok {
		t.Fatalf("no run %s", run.ID)
	}
	from := map[workspace.Kind]string{}
	for kind, in := range a.Inputs {
		if _, ok := kind.Modality(); ok {
			from[kind] = in.Address
			if run.From[kind] != in.Address {
				t.Errorf("run %s was made from %s, its own record says %q", run.ID, in.Address, run.From[kind])
			}
		}
	}
	return from
}

// Three modalities go from their files to a model, which names them, and out again.
func TestThreeModalities(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ws")
	files := map[string]string{"visual": sensed(t, 5, 1), "text": sensed(t, 4, 2), "audio": sensed(t, 3, 3)}
	s := imported(t, dir, true, files)
	run := made(t, dir, "model=test-senses")
	if run.Settings["modalities"] != "visual,text,audio" || run.Config["model.modalities"] != "visual,text,audio" {
		t.Errorf("settings %v, configuration %v", run.Settings, run.Config)
	}
	want := map[workspace.Kind]string{}
	for name := range files {
		want[workspace.ItemVectorsOf(name)], _, _ = s.WS.Current(workspace.ItemVectorsOf(name))
	}
	if diff := cmp.Diff(want, read(t, dir, run)); diff != "" || len(want) != 3 {
		t.Errorf("made from: %s", diff)
	}
	// What the model got is what the files hold, in the order of the list.
	got, err := arrayfile.ReadNPY(s.WS.Path("runs", run.ID, workspace.RunItemsFile))
	if err != nil {
		t.Fatal(err)
	}
	var x *tensor.Matrix
	for _, name := range []string{"visual", "text", "audio"} {
		m, err := arrayfile.ReadNPY(files[name])
		if err != nil {
			t.Fatal(err)
		}
		x = beside(x, m)
	}
	if diff := cmp.Diff(x.Data, got.Data); diff != "" {
		t.Errorf("the model read something else: %s", diff)
	}
	// One that is told reads these alone, in this order.
	told := made(t, dir, "model=test-senses", "set=modalities=audio,visual")
	delete(want, workspace.KindItemVectors)
	if diff := cmp.Diff(want, read(t, dir, told)); diff != "" || told.ID == run.ID {
		t.Errorf("%s was made from: %s", told.ID, diff)
	}
	// The same, said or left open, is one run.
	if same := made(t, dir, "model=test-senses", "set=modalities=visual,text,audio"); same.ID != run.ID {
		t.Errorf("the run with its list is %s, not %s", same.ID, run.ID)
	}
	if same := made(t, dir, "model=test-senses", "set=modalities=auto"); same.ID != run.ID {
		t.Errorf("the run by auto is %s, not %s", same.ID, run.ID)
	}

	out := t.TempDir()
	if _, err := exporting.MMRec(session(t, dir), out, ""); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"visual": "image_feat.npy", "text": "text_feat.npy", "audio": "audio_feat.npy"} {
		was, _ := os.ReadFile(files[name])
		if is, err := os.ReadFile(filepath.Join(out, file)); err != nil || string(is) != string(was) {
			t.Errorf("%s is not written back as %s: %v", name, file, err)
		}
	}
}

// Where one modality is exchanged, what reads it is made again, and nothing else. The old run
// keeps what it was made from.
func TestExchangedModalityMakesItsReadersStale(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ws")
	files := map[string]string{"visual": sensed(t, 5, 1), "text": sensed(t, 4, 2), "audio": sensed(t, 3, 3)}
	imported(t, dir, true, files)
	commands := map[string][]string{
		"all":        {"model=test-senses"},
		"one":        {"model=" + oneSense},
		"two others": {"model=test-senses", "set=modalities=text,audio"},
		"texts":      {"model=pool"},
		"none":       {"model=bpr"},
	}
	before := map[string]string{}
	for name, pairs := range commands {
		before[name] = made(t, dir, pairs...).ID
	}
	made(t, dir, commands["all"]...) // is current
	old, _, _ := session(t, dir).WS.Current("item-vectors/visual")
	files["visual"] = sensed(t, 5, 4)
	s := imported(t, dir, true, files)
	now, _, _ := s.WS.Current("item-vectors/visual")
	for _, st := range stage.StatusOf(s.WS) {
		want := map[string]string{"import": "fresh", "train": "stale", "evaluate": "stale"}[st.Stage]
		if want != "" && st.State != want || st.Stage == "train" && !strings.Contains(st.Reason, "made from "+old+"; current is "+now) {
			t.Errorf("%s is %s: %s", st.Stage, st.State, st.Reason)
		}
	}
	after := map[string]string{}
	for name, pairs := range commands {
		after[name] = made(t, dir, pairs...).ID
	}
	for name, id := range after {
		if again := name == "all" || name == "one"; again == (id == before[name]) {
			t.Errorf("%s: run %s, before %s", name, id, before[name])
		}
	}
	if old == now || old == "" {
		t.Fatalf("%s took the place of %s", now, old)
	}
	// Pruning keeps the exchanged vectors as long as a run is made from them.
	ws := session(t, dir).WS
	p, err := stage.Prune(ws, nil, true)
	if err != nil || !slices.Contains(p.Kept, old) || !slices.Contains(p.Kept, now) || len(p.Removed) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	release, err := ws.Lock()
	if err != nil {
		t.Fatal(err)
	}
	p, err = stage.Prune(ws, []string{after["none"], after["texts"]}, false)
	release()
	if err != nil || !slices.Contains(p.Removed, old) || !slices.Contains(p.Kept, now) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := os.Stat(ws.Path(old)); !os.IsNotExist(err) {
		t.Errorf("%s is still there (%v)", old, err)
	}
	if again := made(t, dir, commands["texts"]...); again.ID != after["texts"] {
		t.Errorf("after pruning the run is %s, not %s", again.ID, after["texts"])
	}
}

// Text is encoded here where it was not imported; and a model that is told of pictures alone
// has no texts written.
func TestTextIsEncodedBesideImportedPictures(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ws")
	imported(t, dir, true, map[string]string{"visual": sensed(t, 5, 1)})
	run := made(t, dir, "model=test-senses", "set=modalities=visual")
	if ws := session(t, dir).WS; len(ws.Addresses(workspace.KindItemTexts)) != 0 || len(read(t, dir, run)) != 1 {
		t.Errorf("for pictures alone %s were written", ws.Addresses(workspace.KindItemTexts))
	}
	run = made(t, dir, "model=test-senses", "mllm=offline", "dim=4")
	from := read(t, dir, run)
	if run.Settings["modalities"] != "visual,text" || !strings.HasPrefix(from[workspace.KindItemVectors], "features/items-lsa-d4-") || !strings.HasPrefix(from["item-vectors/visual"], "features/items-visual-imported-") {
		t.Errorf("%v from %v", run.Settings, from)
	}
	got := importing.Modalities(session(t, dir).WS)
	if len(got) != 2 || got[0].Name != "visual" || got[1].Name != "text" || got[1].Dim != 4 || got[1].From != "lsa" {
		t.Errorf("modalities %+v", got)
	}
}

// What is missing is said before anything is made, with the way to bring it.
func TestMissingModalities(t *testing.T) {
	for name, c := range map[string]struct {
		texts bool
		files map[string]string
		pairs []string
		want  string
	}{
		"a model of pictures":        {true, nil, []string{"model=" + oneSense}, "model " + oneSense + " needs visual vectors"},
		"a list":                     {true, nil, []string{"model=test-senses", "set=modalities=text,visual"}, "model test-senses needs visual vectors"},
		"a list without texts":       {false, map[string]string{"visual": sensed(t, 2, 1)}, []string{"model=test-senses", "set=modalities=visual,text"}, "model test-senses needs text vectors"},
		"nothing is offered":         {false, nil, []string{"model=test-senses"}, "model test-senses reads vectors of the items"},
		"a modality nobody heard of": {true, map[string]string{"visual": sensed(t, 2, 1)}, []string{"model=test-senses", "set=modalities=visual,smell"}, "model test-senses needs smell vectors"},
	} {
		dir := filepath.Join(t.TempDir(), "ws")
		imported(t, dir, c.texts, c.files)
		s := session(t, dir)
		before := len(s.WS.Manifest().Artefacts)
		_, err := Run(t.Context(), s, options(t, append([]string{"set=epochs=1"}, c.pairs...)...), false)
		hint, _ := usererr.Hint(err)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint, `option "item-features"`) || usererr.StageOf(err) != workspace.StageImport {
			t.Errorf("%s: %v (%s)", name, err, hint)
		}
		if after := len(s.WS.Manifest().Artefacts); after != before || len(s.WS.Leftovers()) != 0 {
			t.Errorf("%s: %d artefacts, %d before", name, after, before)
		}
	}
}

// A model of texts alone works on what it did before, without pictures.
func TestModelsOfTextAskForNoOther(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ws")
	imported(t, dir, false, map[string]string{"text": sensed(t, 4, 2), "audio": sensed(t, 3, 3)})
	if from := read(t, dir, made(t, dir, "model=pool")); len(from) != 1 || from[workspace.KindItemVectors] == "" {
		t.Errorf("made from %v", from)
	}
	if run := made(t, dir, "model=test-senses"); run.Settings["modalities"] != "text,audio" {
		t.Errorf("settings %v", run.Settings)
	}
}
