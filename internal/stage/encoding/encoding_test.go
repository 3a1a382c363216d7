package encoding_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/workspace"
	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

func open(t *testing.T, name string) *workspace.Workspace {
	t.Helper()
	dir := t.TempDir()
	workspacetest.Unpack(t, filepath.Join("..", "..", "workspace", "testdata", "format1.tar.gz"), dir)
	ws, err := workspace.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// encode makes both kinds of vectors.
func encode(t *testing.T, ws *workspace.Workspace, force bool, opt encoder.Options) (items, users string) {
	t.Helper()
	i, u, err := encoding.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	e := stage.NewEngine(stage.NewSession(ws, nil), i, u)
	e.Force = force
	if users, err = e.Make(t.Context(), workspace.KindUserVectors); err != nil {
		t.Fatal(err)
	}
	if items, err = e.Make(t.Context(), workspace.KindItemVectors); err != nil {
		t.Fatal(err)
	}
	return items, users
}

// Made again, the vectors are those of version 0.1 to the last byte.
func TestVectorsAreThoseOfVersion01(t *testing.T) {
	ws := open(t, "paid.ws")
	items, users := encode(t, ws, true, encoder.Options{Encoder: encoder.LSA, Dim: 8, Seed: 1})
	for name, address := range map[string]string{workspace.ItemVectorsFile: items, workspace.LSAFile: items,
		workspace.UserVectorsFile: users, workspace.FoldVectorsFile(0): users, workspace.FoldVectorsFile(1): users} {
		want, err := os.ReadFile(ws.Path("features", name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ws.ReadFile(address, name)
		if err != nil || string(got) != string(want) || address == "features" {
			t.Errorf("%s of %s differs (%v)", name, address, err)
		}
	}
	if a, _ := ws.Artefact(users); a.Inputs[workspace.KindItemVectors].Address != items || a.Provenance != workspace.ProvenanceTrainOnly {
		t.Errorf("preferences %+v", a)
	}
}

// The encoder of preferences opens again, for vectors of version 0.1 and of today, and
// gives a text the vector that it was stored with.
func TestEncoderOpensAgain(t *testing.T) {
	ws := open(t, "paid.ws")
	_, old, _ := ws.Current(workspace.KindUserTexts)
	before, _, _ := ws.Current(workspace.KindUserVectors)
	_, after := encode(t, ws, false, encoder.Options{Encoder: encoder.LSA, Dim: 5, Seed: 1})
	if after == before || !strings.HasPrefix(after, "features/users-lsa-d5-") {
		t.Errorf("vectors of 5 dimensions at %s", after)
	}
	texts, err := ws.UserTexts(ws.Addresses(workspace.KindUserTexts)[0])
	if err != nil || len(texts) == 0 || old.Stage == "" {
		t.Fatal(err)
	}
	s := stage.NewSession(ws, nil)
	for address, dim := range map[string]int{before: 8, after: 5} {
		full, folds, err := s.UserVectors(address)
		if err != nil || full.Cols != dim || len(folds) != 2 {
			t.Fatalf("%s: %d folds, %v", address, len(folds), err)
		}
		x, err := encoding.Encode(t.Context(), stage.NewSession(ws, nil), address, []string{texts[3].Text})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(full.Row(3), x.Row(0)); diff != "" {
			t.Errorf("%s:\n%s", address, diff)
		}
	}
}

// Vectors that came with the data have no encoder.
func TestImportedVectorsPlaceNoText(t *testing.T) {
	ws := open(t, "foreign.ws")
	address, _, _ := ws.Current(workspace.KindUserVectors)
	if _, err := encoding.Open(t.Context(), stage.NewSession(ws, nil), address); err == nil || !strings.Contains(err.Error(), "no encoder of ours") {
		t.Errorf("%v", err)
	}
}
