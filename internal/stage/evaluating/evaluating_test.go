package evaluating_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/evaluating"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

// Runs that version 0.1 trained measure as that version measured them, to the last bit.
func TestMeasuresAsVersion01Did(t *testing.T) {
	dir := t.TempDir()
	workspacetest.Unpack(t, filepath.Join("..", "..", "workspace", "testdata", "format1.tar.gz"), dir)
	ws, err := workspace.Open(filepath.Join(dir, "paid.ws"))
	if err != nil {
		t.Fatal(err)
	}
	s := stage.NewSession(ws, nil)
	for model, run := range map[string]string{"bpr": "bpr-c568bef4", "lightgcn": "lightgcn-ff308c48", "mllmrec": "mllmrec-04220adc"} {
		raw, err := os.ReadFile(filepath.Join(dir, "gold", "evaluate-"+model+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var want evaluating.Evaluation
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if model != "mllmrec" { // vectors that the model did not read are no baseline of it any more
			want.Baselines = slices.DeleteFunc(want.Baselines, func(b evaluating.Baseline) bool { return b.Name == "untrained vectors" })
		}
		got, err := evaluating.Measure(t.Context(), s, run)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", run, diff)
		}

		e := stage.NewEngine(s, evaluating.Stage{})
		if err := e.Use("runs/" + run); err != nil {
			t.Fatal(err)
		}
		address, err := e.Make(t.Context(), workspace.KindEvaluation)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := evaluating.Load(ws, address)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, kept); diff != "" {
			t.Errorf("%s is not what was measured:\n%s", address, diff)
		}
	}
	if got := len(ws.Addresses(workspace.KindEvaluation)); got != 3 {
		t.Errorf("%d evaluations of 3 runs", got)
	}
	if n := ws.Reads()[workspace.InteractionsFile]; n != 1 {
		t.Errorf("interactions were read %d times", n)
	}
	_, err = evaluating.Measure(t.Context(), s, "bpr-b4d967a1")
	if usererr.StageOf(err) != workspace.StageTrain {
		t.Errorf("an interrupted run: %v", err)
	}
	if _, err = evaluating.Measure(t.Context(), s, "none"); usererr.KindOf(err) != usererr.KindUnknown {
		t.Errorf("an unknown run: %v", err)
	}
}
