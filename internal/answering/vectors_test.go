package answering_test

import (
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec"
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/answering"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// What ties items to each other are the vectors that the run was made from: of texts where it
// read any, else of another modality.
func TestLikenessIsOfWhatTheRunReads(t *testing.T) {
	ds := &dataset.Dataset{Name: "few", Items: []dataset.Item{{ID: "i0"}, {ID: "i1"}, {ID: "i2"}}, UserIDs: []string{"u0"}}
	for i := range 3 {
		ds.Append(dataset.Interaction{Item: int32(i), Time: int64(i)})
	}
	dir := filepath.Join(t.TempDir(), "ws")
	if _, err := mllmrec.Import(t.Context(), dir, ds, mllmrec.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	ws, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for want, kinds := range map[string][]workspace.Kind{
		"features/text":   {workspace.ItemVectorsOf("audio"), workspace.KindItemVectors, workspace.ItemVectorsOf("visual")},
		"features/audio":  {workspace.ItemVectorsOf("visual"), workspace.ItemVectorsOf("audio")},
		"features/visual": {workspace.KindData, workspace.ItemVectorsOf("visual")},
		"":                {workspace.KindData, workspace.KindItemGraph},
	} {
		inputs := map[workspace.Kind]workspace.Input{}
		for _, kind := range kinds {
			modality, _ := kind.Modality()
			inputs[kind] = workspace.Input{Address: "features/" + modality}
		}
		if err := ws.Record("runs/x", workspace.Artefact{Kind: workspace.KindRun, Stage: workspace.StageTrain, Inputs: inputs}); err != nil {
			t.Fatal(err)
		}
		if got := answering.ItemVectorsOf(ws, "runs/x"); got != want {
			t.Errorf("%q: %q, want %q", kinds, got, want)
		}
	}
}
