package audit

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/mmrec"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Baby with random item vectors: user vectors that are the mean of the train items
// against the mean of all items.
func TestProbeTellsTheLeakOnRealData(t *testing.T) {
	dir := os.Getenv("MLLMREC_DATA_DIR")
	if dir == "" {
		t.Skip("MLLMREC_DATA_DIR is not set: no real data to probe")
	}
	ds, _, err := mmrec.Read(t.Context(), mmrec.Options{Inter: filepath.Join(dir, "baby", "baby.inter")})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	items := tensor.New(ds.NumItems(), 384)
	for i := range items.Data {
		items.Data[i] = float32(rng.NormFloat64())
	}
	for _, c := range []struct {
		name      string
		histories *dataset.Histories
		noise     float64
		want      Verdict
	}{
		{"train", ds.TrainHistories(), 0, Clean},
		{"all", ds.LeakyHistories(), 0, Leaky},
		{"train, noisy", ds.TrainHistories(), 1.7, Clean},
		{"all, noisy", ds.LeakyHistories(), 1.7, Leaky},
	} {
		users := tensor.New(ds.Users(), 384)
		for u := range ds.Users() {
			for _, i := range c.histories.Items(u) {
				for j, v := range items.Row(int(i)) {
					users.Row(u)[j] += v
				}
			}
			normalize(users.Row(u))
			for j := range 384 {
				users.Row(u)[j] += float32(c.noise * rng.NormFloat64() / 19.6)
			}
		}
		r, err := Probe(t.Context(), users, items, ds)
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != c.want {
			t.Errorf("%s: %s, want %s", c.name, r.Verdict, c.want)
		}
		for _, l := range r.Labels {
			t.Logf("%s: %s rho %v against %v", c.name, l.Sentence, l.Rho, l.RhoBase)
		}
	}
}
