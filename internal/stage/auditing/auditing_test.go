package auditing_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/auditing"
	"github.com/mllmrec/mllmrec/internal/workspace"
	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

// A workspace of version 0.1 is audited as that version did.
func TestAuditsAsVersion01Did(t *testing.T) {
	dir := t.TempDir()
	workspacetest.Unpack(t, filepath.Join("..", "..", "workspace", "testdata", "format1.tar.gz"), dir)
	gold, err := os.ReadFile(filepath.Join(dir, "gold", "audit.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]func(t *testing.T, got string){
		"paid.ws": func(t *testing.T, got string) {
			var want, is map[string]any
			if json.Unmarshal(gold, &want) != nil || json.Unmarshal([]byte(got), &is) != nil {
				t.Fatal("no JSON")
			}
			delete(is, "path") // version 0.1 had neither
			delete(is, "reencoded")
			if diff := cmp.Diff(want, is); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		},
		"foreign.ws": func(t *testing.T, got string) {
			var r struct {
				Stored     string `json:"stored_provenance"`
				Provenance any    `json:"provenance"`
				Probe      any    `json:"probe"`
			}
			if json.Unmarshal([]byte(got), &r) != nil || r.Stored != workspace.ProvenanceUnknown || r.Provenance != nil || r.Probe == nil {
				t.Errorf("imported vectors: %s", got)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ws, err := workspace.Open(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			before := ws.Manifest().Artefacts
			rep, err := auditing.Run(t.Context(), stage.NewSession(ws, nil), auditing.Options{Measure: "off", Seed: 999})
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(rep)
			if err != nil {
				t.Fatal(err)
			}
			check(t, string(raw))
			if diff := cmp.Diff(before, ws.Manifest().Artefacts); diff != "" {
				t.Errorf("an audit changed the workspace:\n%s", diff)
			}
		})
	}
}
