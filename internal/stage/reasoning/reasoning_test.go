package reasoning_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/workspace"
	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

func paid(t *testing.T) *workspace.Workspace {
	t.Helper()
	dir := t.TempDir()
	workspacetest.Unpack(t, filepath.Join("..", "..", "workspace", "testdata", "format1.tar.gz"), dir)
	ws, err := workspace.Open(filepath.Join(dir, "paid.ws"))
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// offline writes texts by plain rules, with the preferences that opt says.
func offline(t *testing.T, ws *workspace.Workspace, opt reasoning.Preference) (items, users string) {
	t.Helper()
	d, err := describing.New(describing.Options{Writer: backend.Options{MLLM: backend.Offline}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := reasoning.New(reasoning.Options{Writer: backend.Options{MLLM: backend.Offline}, Preference: opt})
	if err != nil {
		t.Fatal(err)
	}
	e := stage.NewEngine(stage.NewSession(ws, nil), d, r)
	if users, err = e.Make(t.Context(), workspace.KindUserTexts); err != nil {
		t.Fatal(err)
	}
	if items, err = e.Make(t.Context(), workspace.KindItemTexts); err != nil {
		t.Fatal(err)
	}
	return items, users
}

// Texts by plain rules stand beside those that a model was paid for, and are the same
// each time.
func TestOfflineTextsBesidePaidOnes(t *testing.T) {
	ws, other := paid(t), paid(t)
	paidItems, _, _ := ws.Current(workspace.KindItemTexts)
	paidUsers, _, _ := ws.Current(workspace.KindUserTexts)
	opt := reasoning.Preference{History: "train", Folds: 3, FoldsFor: 2}
	items, users := offline(t, ws, opt)
	if !strings.HasPrefix(items, "texts/items-offline-") || !strings.HasPrefix(users, "texts/users-offline-") {
		t.Errorf("texts at %s and %s", items, users)
	}
	for _, address := range []string{paidItems, paidUsers, items, users} {
		if c := ws.Check(address); c.State != workspace.Fresh {
			t.Errorf("%s: %+v", address, c)
		}
	}
	otherItems, otherUsers := offline(t, other, opt)
	if otherItems != items || otherUsers != users {
		t.Errorf("in a copy at %s and %s, here at %s and %s", otherItems, otherUsers, items, users)
	}
	for _, address := range []string{items, users} {
		a, _ := ws.Artefact(address)
		b, _ := other.Artefact(address)
		for name, f := range a.Files {
			if f.SHA256 != b.Files[name].SHA256 {
				t.Errorf("%s of %s differs in a copy", name, address)
			}
		}
	}
	a, _ := ws.Artefact(users)
	if a.Leaky || a.Provenance != workspace.ProvenanceTrainOnly || a.Pending != 0 || a.Inputs[workspace.KindItemTexts].Address != items {
		t.Errorf("%+v", a)
	}
	back, err := reasoning.Recorded(a)
	if diff := cmp.Diff(opt, back.Preference); err != nil || diff != "" || back.Writer.MLLM != backend.Offline {
		t.Errorf("recorded %+v, %v:\n%s", back.Writer, err, diff)
	}
	written, err := ws.UserTexts(users)
	if err != nil {
		t.Fatal(err)
	}
	folds := map[int32]int{}
	for _, u := range written {
		folds[u.Fold]++
		if u.Scope != string(dataset.ScopeTrain) || u.SplitHash != ws.Manifest().SplitHash {
			t.Fatalf("%+v", u)
		}
	}
	if folds[-1] != 40 || len(folds) != 4 {
		t.Errorf("texts by fold: %v", folds)
	}
}

// Preferences from all interactions are marked, by name and record, and so is what is made
// from them.
func TestLeakyPreferences(t *testing.T) {
	ws := paid(t)
	_, clean := offline(t, ws, reasoning.Preference{History: "train"})
	_, leaky := offline(t, ws, reasoning.Preference{History: "all"})
	a, _ := ws.Artefact(leaky)
	if leaky == clean || !strings.HasPrefix(leaky, "texts/leaky-users-offline-") || !a.Leaky || a.Provenance != workspace.ProvenanceLeaky {
		t.Errorf("%s: %+v", leaky, a)
	}
	if a, _ := ws.Artefact(clean); a.Leaky {
		t.Errorf("%s: %+v", clean, a)
	}
}
