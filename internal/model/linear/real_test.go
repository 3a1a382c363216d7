package linear_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/microlens"
	"github.com/mllmrec/mllmrec/dataset/mmrec"
	"github.com/mllmrec/mllmrec/internal/encoder/lsa"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model/linear"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func dataDir(tb testing.TB) string {
	dir := os.Getenv("MLLMREC_DATA_DIR")
	if dir == "" {
		tb.Skip("MLLMREC_DATA_DIR is not set: no real data to measure on")
	}
	return dir
}

// scorer rates by a kernel, histories decayed by gamma.
type scorer struct {
	train  *dataset.Histories
	kernel linear.Kernel
	gamma  float64
}

func (s scorer) Users() int { return s.train.Users() }
func (s scorer) Items() int { return s.kernel.Items() }

func (s scorer) Scores(users []int32, dst *tensor.Matrix) error {
	clear(dst.Data)
	histories, weights := make([][]int32, len(users)), make([][]float32, len(users))
	for r, u := range users {
		histories[r] = s.train.Items(int(u))
		weights[r] = linear.RecencyWeights(len(histories[r]), s.gamma)
	}
	s.kernel.AddScoresBatch(histories, weights, dst)
	return nil
}

// expectation is a kernel and the test R@20 that a sketch in NumPy or the library implicit
// reached with it (of the local form: what it reached when it was written); what stays below has
// something wrong.
type expectation struct {
	name  string
	fit   func(ctx context.Context) (linear.Kernel, error)
	gamma float64
	want  float64
}

// noise is what two ways to the same numbers may differ by: ties, directions that a
// randomized factorisation finds, and the sketches on MicroLens, measured on some of its users.
const noise = 0.0018

func measure(t *testing.T, ds *dataset.Dataset, all []expectation) {
	train, judge := ds.TrainHistories(), eval.NewJudge(ds)
	for _, c := range all {
		start := time.Now()
		k, err := c.fit(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		fitted := time.Now()
		v, err := judge.MeasureScorer(t.Context(), scorer{train, k, c.gamma}, dataset.Test)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		t.Logf("%-28s γ=%.1f R@20 %.4f N@20 %.4f, expected %.4f; fit %v, ranking %v", c.name, c.gamma, v["recall@20"], v["ndcg@20"], c.want,
			fitted.Sub(start).Round(time.Millisecond), time.Since(fitted).Round(time.Millisecond))
		if v["recall@20"] < c.want-noise {
			t.Errorf("%s: test R@20 is %.4f, want %.4f", c.name, v["recall@20"], c.want)
		}
	}
}

// kernelOf makes the constructors' results alike.
func kernelOf[K linear.Kernel](k K, err error) (linear.Kernel, error) { return k, err }

func bm25(x *linear.Interactions, opt linear.BM25) func(context.Context) (linear.Kernel, error) {
	return func(ctx context.Context) (linear.Kernel, error) { return kernelOf(linear.BM25KNN(ctx, x, opt)) }
}

func TestRealBaby(t *testing.T) {
	dir := dataDir(t)
	if testing.Short() {
		t.Skip("fits several kernels of 7,050 items")
	}
	ds, _, err := mmrec.Read(t.Context(), mmrec.Options{Inter: filepath.Join(dir, "baby", "baby.inter")})
	if err != nil {
		t.Fatal(err)
	}
	x := linear.NewInteractions(ds.TrainHistories().Lists())
	measure(t, ds, []expectation{
		{"BM25 K=500", bm25(x, linear.BM25{K: 500, K1: 0.2, B: 0.2}), 1, 0.0841}, // as implicit
		{"BM25 all", bm25(x, linear.BM25{K1: 0.2, B: 0.2}), 1, 0.0846},           // as implicit
		{"BM25 one-sided, all", bm25(x, linear.BM25{K1: 0.2, B: 0.2, OneSided: true}), 1, 0.0858},
		{"spectral q=256", func(ctx context.Context) (linear.Kernel, error) { return kernelOf(linear.Spectral(ctx, x, 256, 1)) }, 1, 0.0681},
		{"local EASE λ=500 c=200", func(ctx context.Context) (linear.Kernel, error) {
			return kernelOf(linear.LocalEASE(ctx, x, 500, 200, nil, nil))
		}, 1, 0.0822},
		{"EASE λ=500", func(ctx context.Context) (linear.Kernel, error) { return kernelOf(linear.EASE(ctx, x, 500, nil)) }, 1, 0.0835},
	})
}

func TestRealMicroLens(t *testing.T) {
	dir := filepath.Join(dataDir(t), "microlens")
	if os.Getenv("MLLMREC_LARGE_FITS") == "" {
		t.Skip("MLLMREC_LARGE_FITS is not set: inverting a matrix of 19,220 rows takes minutes and 2 GB")
	}
	ds, _, err := microlens.Read(t.Context(), microlens.Options{
		Pairs: filepath.Join(dir, "MicroLens-50k_pairs.tsv"), Titles: filepath.Join(dir, "MicroLens-50k_titles.csv")})
	if err != nil {
		t.Fatal(err)
	}
	if err := dataset.SplitLeaveLatest(ds); err != nil {
		t.Fatal(err)
	}
	titles := make([]string, ds.NumItems())
	for i, it := range ds.Items {
		titles[i] = it.Text()
	}
	encoder, err := lsa.Fit(t.Context(), titles, lsa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := encoder.Encode(t.Context(), titles)
	if err != nil {
		t.Fatal(err)
	}
	text, err := linear.TextKernel(t.Context(), vectors, 100)
	if err != nil {
		t.Fatal(err)
	}
	lists := ds.TrainHistories().Lists()
	x := linear.NewInteractions(lists)
	var ease *linear.Dense
	keep := func(k linear.Kernel) func(context.Context) (linear.Kernel, error) {
		return func(context.Context) (linear.Kernel, error) { return k, nil }
	}
	cosine := func(ctx context.Context) (linear.Kernel, error) { return kernelOf(linear.CosineKNN(ctx, x, 0, 0)) }
	all := []expectation{
		{"ItemKNN", cosine, 1, 0.0457},
		{"ItemKNN", cosine, 0.7, 0.0512},
		{"transitions", keep(linear.Transitions(lists)), 0.7, 0.0478},
		{"text kernel λ_F=100", keep(text), 1, 0},
		{"local EASE λ=200 c=200", func(ctx context.Context) (linear.Kernel, error) {
			return kernelOf(linear.LocalEASE(ctx, x, 200, 200, nil, nil))
		}, 0.7, 0.0537},
		{"EASE λ=200", func(ctx context.Context) (_ linear.Kernel, err error) {
			ease, err = linear.EASE(ctx, x, 200, nil)
			return ease, err
		}, 1, 0.0494},
		{"EASE λ=200", func(context.Context) (linear.Kernel, error) { return ease, nil }, 0.7, 0.0552},
		{"Add-EASE α=0.3", func(context.Context) (linear.Kernel, error) {
			return kernelOf(linear.AddEASE(&linear.Dense{B: ease.B.Clone()}, text, 0.3))
		}, 0.7, 0.0584},
	}
	measure(t, ds, all)
}
