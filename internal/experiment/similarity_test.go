package experiment

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
)

// Twenty-four items in groups of four that are alike within and at right angles to all others: of the ten nearest to an
// item three have cosine 1 and seven have cosine 0.
func TestSimilaritiesAreOfTheVectorsThatAreRead(t *testing.T) {
	const items, group = 24, 4
	vectors := tensor.New(items, items/group)
	for i := range items {
		vectors.Row(i)[i/group] = 2
	}
	file := filepath.Join(t.TempDir(), "visual.npy")
	if err := arrayfile.WriteNPY(file, vectors); err != nil {
		t.Fatal(err)
	}
	ws := filepath.Join(t.TempDir(), "shop.ws")
	ds := modeltest.Make(modeltest.Shape{Users: 30, Items: items, Train: 140, Width: 4, Tastes: 4}, 3).Dataset
	opt := importing.Options{Split: string(dataset.SplitByLatest), ItemFeatures: []importing.Features{{Modality: "visual", Path: file}}}
	if _, err := importing.Run(t.Context(), ws, ds, &dataset.Report{Kind: "test"}, opt, nil); err != nil {
		t.Fatal(err)
	}
	l := &lab{score: func(order) (float64, error) { return 0.5, nil }}
	of := func(entries ...Entry) []result.Similarity {
		r, err := l.experiment(t.TempDir(), ws, &Plan{Name: "x", Data: []string{ws}, Entries: entries}).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r.Data[0].Similarities
	}
	if got := of(Entry{Model: "bpr"}); len(got) != 0 {
		t.Errorf("an entry that reads no vectors has similarities of some: %+v", got)
	}
	got := of(Entry{Model: "bpr"}, Entry{Model: "vbpr", Set: map[string]string{"modalities": "visual"}, Grid: map[string][]string{"reg_weight": {"0.1", "0.01"}}})
	if len(got) != 1 {
		t.Fatalf("vectors that two points read are described %d times", len(got))
	}
	s := got[0]
	last := len(s.Bins) - 1
	if s.Nearest != 10 || s.Pairs != items*10 || math.Abs(s.Mean-0.3) > 1e-6 || s.Bins[0].Count != items*7 || s.Bins[last].Count != items*3 || s.Bins[last].High != 1 {
		t.Errorf("%+v", s)
	}
}
