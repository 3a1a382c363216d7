package exporting_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/exporting"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

func open(t *testing.T, name string) *stage.Session {
	t.Helper()
	dir := t.TempDir()
	workspacetest.Unpack(t, filepath.Join("..", "..", "workspace", "testdata", "format1.tar.gz"), dir)
	ws, err := workspace.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return stage.NewSession(ws, nil)
}

func names(t *testing.T, files []string) []string {
	t.Helper()
	var base []string
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", f, err)
		}
		base = append(base, filepath.Base(f))
	}
	return base
}

func TestMMRec(t *testing.T) {
	s := open(t, "paid.ws")
	dir := filepath.Join(t.TempDir(), "out")
	files, err := exporting.MMRec(s, dir, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"clicks.inter", "u_id_mapping.csv", "i_id_mapping.csv", "image_text_feat.npy", "text_feat.npy", "user_preferences_feat.npy"}
	if diff := cmp.Diff(want, names(t, files)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for out, in := range map[string]string{"image_text_feat.npy": "items.npy", "text_feat.npy": "items.npy", "user_preferences_feat.npy": "users.npy"} {
		got, err := os.ReadFile(filepath.Join(dir, out))
		if err != nil {
			t.Fatal(err)
		}
		if want, err := os.ReadFile(s.WS.Path("features", in)); err != nil || string(got) != string(want) {
			t.Errorf("%s is not the current %s (%v)", out, in, err)
		}
	}
	if err := s.WS.Remove("runs/mllmrec-04220adc", s.WS.Addresses(workspace.KindUserVectors)[0]); err != nil {
		t.Fatal(err)
	}
	files, err = exporting.MMRec(s, filepath.Join(t.TempDir(), "out"), "other")
	if diff := cmp.Diff([]string{"other.inter", "u_id_mapping.csv", "i_id_mapping.csv", "image_text_feat.npy", "text_feat.npy"}, names(t, files)); err != nil || diff != "" {
		t.Errorf("without preferences: %v\n%s", err, diff)
	}
}

// Answers of the model are exported; leaky ones, and workspaces without any, are refused.
func TestChat(t *testing.T) {
	s := open(t, "paid.ws")
	out := filepath.Join(t.TempDir(), "chat.jsonl")
	got, err := exporting.Chat(t.Context(), s, exporting.ChatOptions{Out: out, TextOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(out)
	if lines := strings.Count(string(raw), "\n"); err != nil || got.Preferences == 0 || lines != got.Descriptions+got.Preferences {
		t.Errorf("%d lines, %+v, %v", lines, got, err)
	}
	_, err = exporting.Chat(t.Context(), open(t, "foreign.ws"), exporting.ChatOptions{Out: out})
	if usererr.StageOf(err) != workspace.StageDescribe {
		t.Errorf("no texts: %v", err)
	}
	if _, err = exporting.Chat(t.Context(), s, exporting.ChatOptions{Out: out, Stage: "bake"}); err == nil || !strings.Contains(err.Error(), `"bake"`) {
		t.Errorf("unknown stage: %v", err)
	}
	_, a, _ := s.WS.Current(workspace.KindUserTexts)
	a.Leaky, a.Provenance = true, workspace.ProvenanceLeaky
	if err := s.WS.Record("texts/leaky", a); err != nil {
		t.Fatal(err)
	}
	if _, err = exporting.Chat(t.Context(), s, exporting.ChatOptions{Out: out, TextOnly: true}); err == nil || !strings.Contains(err.Error(), "saw validation and test items") {
		t.Errorf("leaky preferences: %v", err)
	}
	if after, err := os.ReadFile(out); err != nil || string(after) != string(raw) {
		t.Errorf("a refused export changed the file (%v)", err)
	}
}
