package audit

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const seeds = 20

// worlds of one seed: items similar to nothing, items in clusters, items from clicks.
func worlds(seed uint64) map[string]*world {
	o := worldOptions{users: 420, items: 400, dims: 64, categories: 12}
	random := newWorld(seed, o)
	o.cluster = 0.5
	clustered, clicked := newWorld(seed, o), newWorld(seed, o)
	clicked.fromClicks()
	return map[string]*world{"random items": random, "items in categories": clustered, "items from clicks": clicked}
}

var writers = map[string]writer{"mean": writeMean, "unit mean": writeUnitMean, "noisy mean": writeNoisy, "some items": writeSome, "text": writeText}

func probe(t *testing.T, w *world, by writer, leakyShare float64) ProbeResult {
	t.Helper()
	r, err := ProbeWith(t.Context(), w.write(by, leakyShare), w.items, w.ds, Options{Seed: 5, Resamples: 200, Pool: 32})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Honest vectors are never called leaky, vectors made from everything are never called
// clean and nearly always leaky, over 20 seeds, whatever the features are.
func TestProbeTellsHonestFromLeaky(t *testing.T) {
	honest, leaky := map[Verdict]int{}, map[Verdict]int{}
	for seed := range uint64(seeds) {
		for kind, w := range worlds(seed) {
			for k, name := range slices.Sorted(maps.Keys(writers)) {
				if d := (k + 5 - int(seed)%5) % 5; d > 1 {
					continue // two of five writers a seed, to keep the test short
				}
				by := writers[name]
				r := probe(t, w, by, 0)
				honest[r.Verdict]++
				if r.Verdict == Leaky {
					t.Errorf("seed %d, %s, honest %s: %s", seed, kind, name, r.Sentence)
				}
				if seed%3 != 0 {
					continue
				}
				r = probe(t, w, by, 1)
				leaky[r.Verdict]++
				if r.Verdict != Leaky {
					t.Errorf("seed %d, %s, leaky %s: %s", seed, kind, name, r.Sentence)
				}
				// Item vectors made from train clicks hold the user's own co-occurrences, so
				// the other train items explain more of a train item: R may exceed 1.
				if ratio := r.Labels[0].Twins.Ratio; ratio.High < 0.8 || ratio.Low > 1.2 && kind != "items from clicks" {
					t.Errorf("seed %d, %s, leaky %s: ratio %v, want near 1", seed, kind, name, ratio)
				}
			}
		}
	}
	t.Logf("honest: %v; leaky: %v", honest, leaky)
	if total := honest[Clean] + honest[Inconclusive]; honest[Clean] < total*3/4 {
		t.Errorf("only %d of %d honest sets of vectors are called clean", honest[Clean], total)
	}
}

// A leak that touches three users in ten.
func TestProbeFindsAPartialLeak(t *testing.T) {
	found := map[Verdict]int{}
	for seed := range uint64(seeds) / 3 {
		for kind, w := range worlds(seed) {
			for name, by := range map[string]writer{"mean": writeMean, "noisy mean": writeNoisy} {
				r := probe(t, w, by, 0.3)
				found[r.Verdict]++
				if r.Verdict == Clean {
					t.Errorf("seed %d, %s, %s with 30 %% leaky users: %s", seed, kind, name, r.Sentence)
				}
			}
		}
	}
	t.Logf("verdicts %v", found)
	if found[Leaky] < 31 {
		t.Errorf("only %d of 36 partial leaks found", found[Leaky])
	}
}

// A vector that names a category and no more holds no item; the plain ratio ρ would
// convict it, the probe must not, leak or no leak.
func TestProbeIsHonestAboutCoarseVectors(t *testing.T) {
	for seed := range uint64(seeds) {
		// The hardest case: categories that are there but blurred, so that the nearest
		// neighbours of an item are often of another category.
		w := newWorld(seed, worldOptions{users: 420, items: 400, dims: 64, categories: 12, cluster: 0.5})
		if r := probe(t, w, writeCategory, 0); r.Verdict == Leaky {
			t.Errorf("seed %d: %s", seed, r.Sentence)
		}
	}
}

func TestProbeIsTheSameAtAnyGOMAXPROCS(t *testing.T) {
	w := newWorld(3, worldOptions{users: 200, items: 350, dims: 300, categories: 5, cluster: 0.5}) // wide enough for blocked eigenvectors
	users := w.write(writeNoisy, 0.5)
	var out [2][]byte
	for k, procs := range []int{1, 2} {
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			r, err := Probe(t.Context(), users, w.items, w.ds)
			if err != nil {
				t.Fatal(err)
			}
			if out[k], err = json.Marshal(r); err != nil { // also: every number is a JSON number
				t.Fatal(err)
			}
		}()
	}
	if string(out[0]) != string(out[1]) {
		t.Errorf("results differ:\n%s\n%s", out[0], out[1])
	}
}

func TestProbeRefusesAndAbstains(t *testing.T) {
	w := newWorld(4, worldOptions{users: 120, items: 100, dims: 16, categories: 4})
	users := w.write(writeMean, 0)
	bad := users.Clone()
	bad.Data[17] = float32(math.NaN())
	for name, c := range map[string][2]*tensor.Matrix{
		"other users":      {tensor.New(7, 16), w.items},
		"other items":      {users, tensor.New(7, 16)},
		"other dimensions": {tensor.New(120, 8), w.items},
		"NaN":              {bad, w.items},
	} {
		_, err := Probe(t.Context(), c[0], c[1], w.ds)
		if _, user := usererr.Hint(err); !user {
			t.Errorf("%s: %v is not marked as the user's to mend", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Probe(ctx, users, w.items, w.ds); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// Vectors of zeros, and a data set with nothing held out.
	for name, run := range map[string]func() (ProbeResult, error){
		"zero vectors": func() (ProbeResult, error) { return Probe(t.Context(), tensor.New(120, 16), w.items, w.ds) },
		"zero items":   func() (ProbeResult, error) { return Probe(t.Context(), users, tensor.New(100, 16), w.ds) },
		"nothing held out": func() (ProbeResult, error) {
			rows := labelledtest.Rows(w.ds)
			for i := range rows {
				rows[i].Label = dataset.Train
			}
			return Probe(t.Context(), users, w.items, labelledtest.With(w.ds, rows))
		},
	} {
		r, err := run()
		if err != nil || r.Verdict != Inconclusive || r.Sentence == "" {
			t.Errorf("%s: %v, %q, %v", name, r.Verdict, r.Sentence, err)
		}
	}
}

// Wide vectors are folded to a narrower space, in which the same must be seen.
func TestProbeFoldsWideVectors(t *testing.T) {
	w := newWorld(9, worldOptions{users: 250, items: 200, dims: maxDims + 32, categories: 8, cluster: 0.5})
	for share, want := range map[float64]Verdict{0: Clean, 1: Leaky} {
		if r := probe(t, w, writeUnitMean, share); r.Verdict != want {
			t.Errorf("share of leaky users %v: %s", share, r.Sentence)
		}
	}
}
