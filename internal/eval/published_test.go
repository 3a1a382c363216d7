package eval_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/microlens"
	"github.com/mllmrec/mllmrec/dataset/mmrec"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/heldout"
)

func dataDir(t *testing.T) string {
	dir := os.Getenv("MLLMREC_DATA_DIR")
	if dir == "" {
		t.Skip("MLLMREC_DATA_DIR is not set: no real data to measure on")
	}
	return dir
}

// Known numbers of the popularity ranking, to four decimals.
func TestPopularityOnRealData(t *testing.T) {
	dir := dataDir(t)
	for _, c := range []struct {
		name string
		read func() (*dataset.Dataset, error)
		want map[string]float64
	}{
		{"baby", func() (*dataset.Dataset, error) {
			ds, _, err := mmrec.Read(t.Context(), mmrec.Options{Inter: filepath.Join(dir, "baby", "baby.inter")})
			return ds, err
		}, map[string]float64{"recall@10": 0.0295, "recall@20": 0.0505, "ndcg@10": 0.0157, "ndcg@20": 0.0210}},
		{"microlens", func() (*dataset.Dataset, error) {
			ds, _, err := microlens.Read(t.Context(), microlens.Options{Pairs: filepath.Join(dir, "microlens", "MicroLens-50k_pairs.tsv")})
			if err != nil {
				return nil, err
			}
			return ds, dataset.SplitLeaveLatest(ds)
		}, map[string]float64{"recall@10": 0.0024, "recall@20": 0.0037, "ndcg@10": 0.0012, "ndcg@20": 0.0016}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ds, err := c.read()
			if err != nil {
				t.Fatal(err)
			}
			train := ds.TrainHistories()
			r, err := eval.Rank(t.Context(), eval.Popularity(train), train.Lists(), nil, 50)
			if err != nil {
				t.Fatal(err)
			}
			rep := eval.Metrics(r, heldout.Lists(ds, dataset.Test), eval.Options{}.WithTrain(train.Lists()))
			for key, want := range c.want {
				if math.Abs(rep.Values[key]-want) > 0.5e-4 {
					t.Errorf("%s %.5f, want %.4f", key, rep.Values[key], want)
				}
			}
			t.Logf("%d users: %v", rep.Users, rep.Values)
		})
	}
}
