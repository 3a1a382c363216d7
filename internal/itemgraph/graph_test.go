package itemgraph

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// clicks makes a dataset whose interactions are all train, in the order given.
func clicks(users, items int, pairs ...[2]int32) *dataset.Dataset {
	ds := &dataset.Dataset{UserIDs: make([]string, users), Items: make([]dataset.Item, items)}
	for _, p := range pairs {
		ds.Append(dataset.Interaction{User: p[0], Item: p[1]})
	}
	ds.Sort()
	return ds
}

func randomClicks(rng *rand.Rand, users, items, n int) *dataset.Dataset {
	ds := &dataset.Dataset{UserIDs: make([]string, users), Items: make([]dataset.Item, items)}
	for range n {
		i := int32(float64(items) * rng.Float64() * rng.Float64())
		ds.Append(dataset.Interaction{User: rng.Int32N(int32(users)), Item: i, Label: dataset.Label(rng.IntN(10) / 8)})
	}
	ds.Sort()
	return ds
}

// features are random with duplicates (every 7th row repeats an earlier one, scaled by
// a power of two, so that its direction is bit for bit the same) and rows of zeros.
func features(rng *rand.Rand, n, d int) *tensor.Matrix {
	x := tensor.New(n, d)
	for i := range n {
		switch {
		case i%7 == 3 && i > 7:
			for j, v := range x.Row(i - 1 - rng.IntN(5)) {
				x.Row(i)[j] = 2 * v
			}
		case i%29 == 11:
		default:
			for j := range d {
				x.Row(i)[j] = float32(rng.NormFloat64()) + 0.4
			}
		}
	}
	return x
}

// cosines is every pair, one at a time, in the arithmetic of the blocked product: unit
// rows in float32, then their product.
func cosines(x *tensor.Matrix) (*tensor.Matrix, []bool) {
	unit, err := unitRows(x)
	if err != nil {
		panic(err)
	}
	s := tensor.New(x.Rows, x.Rows)
	zero := make([]bool, x.Rows)
	for i := range x.Rows {
		zero[i] = isZero(unit.Row(i))
	}
	tensor.Gemm(false, true, 1, unit, unit, 0, s)
	return s, zero
}

type edge struct {
	col int32
	val float32
}

// topOf sorts all candidates and cuts.
func topOf(all []edge, k int) []edge {
	sort.SliceStable(all, func(a, b int) bool {
		return all[a].val > all[b].val || all[a].val == all[b].val && all[a].col < all[b].col
	})
	all = all[:min(k, len(all))]
	sort.Slice(all, func(a, b int) bool { return all[a].col < all[b].col })
	return all
}

func sameRow(t *testing.T, what string, s *tensor.CSR, i int, want []edge, tolerance float64) {
	t.Helper()
	cols, vals := s.Row(i)
	if len(cols) != len(want) {
		t.Errorf("%s row %d: %d entries, want %d", what, i, len(cols), len(want))
		return
	}
	for e, w := range want {
		if cols[e] != w.col || math.Abs(float64(vals[e]-w.val)) > tolerance {
			t.Errorf("%s row %d entry %d: (%d, %v), want (%d, %v)", what, i, e, cols[e], vals[e], w.col, w.val)
		}
	}
}

func TestTopCosineAgainstAllPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 2))
	for _, n := range []int{1, 5, 120, 1023, 1025, 2100} { // tiles are 1024 wide
		x := features(rng, n, 12)
		s, zero := cosines(x)
		got, err := TopCosine(t.Context(), x, 6, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			var all []edge
			for j := range n {
				if v := s.Row(i)[j]; v >= 0.5 && !zero[i] && !zero[j] {
					all = append(all, edge{int32(j), v})
				}
			}
			sameRow(t, "cosine", got, i, topOf(all, 6), 0)
		}
	}
}

func TestTopCosineRefusesNaN(t *testing.T) {
	x := tensor.New(3, 2)
	x.Row(1)[0] = float32(math.NaN())
	if _, err := TopCosine(t.Context(), x, 1, 0); err == nil {
		t.Error("NaN features passed")
	}
}

func TestJaccardAgainstSets(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2))
	ds := randomClicks(rng, 60, 90, 700) // with repeated pairs and items nobody chose
	sets := make([]map[int32]bool, ds.NumItems())
	for i := range sets {
		sets[i] = map[int32]bool{}
	}
	for _, x := range labelledtest.Rows(ds) {
		if x.Label == dataset.Train {
			sets[x.Item][x.User] = true
		}
	}
	got, err := TopJaccard(t.Context(), ds.TrainHistories(), 4)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sets {
		var all []edge
		for j := range sets {
			common := 0
			for u := range sets[i] {
				if sets[j][u] {
					common++
				}
			}
			if common > 0 && i != j {
				all = append(all, edge{int32(j), float32(float64(common) / float64(len(sets[i])+len(sets[j])-common))})
			}
		}
		sameRow(t, "jaccard", got, i, topOf(all, 4), 0)
	}
}

// The float32 corner of the published code, which its fixtures do not reach. Item 0
// and item 1 have the same single user; items 2 and 3 the same two users; item 4 has
// nobody.
func TestReferenceJaccardCorner(t *testing.T) {
	ds := clicks(3, 5, [2]int32{0, 0}, [2]int32{0, 1}, [2]int32{1, 2}, [2]int32{2, 2}, [2]int32{1, 3}, [2]int32{2, 3})
	x := tensor.New(5, 5) // orthogonal items: semantic edges are the self edges alone
	for i := range 5 {
		x.Row(i)[i] = 1
	}
	build := func(v Variant) *Graph {
		opt := published()
		opt.Variant = v
		g, err := Build(t.Context(), x, ds.TrainHistories(), opt)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	g := build(Reference)
	const almost = float32(0.99999988)
	sameRow(t, "C", g.CoOccur, 0, []edge{{0, almost}, {1, almost}}, 0)
	sameRow(t, "C", g.CoOccur, 1, []edge{{0, almost}, {1, almost}}, 0)
	for _, i := range []int{2, 3, 4} {
		sameRow(t, "C", g.CoOccur, i, nil, 0)
		sameRow(t, "L̂", g.Norm, i, []edge{{int32(i), 1}}, 0) // the self edge only
	}
	// Row 0: self 1 + 0.99999988, neighbour 0.99999988; both row sums are 2.9999998.
	sameRow(t, "L̂", g.Norm, 0, []edge{{0, 2.0 / 3}, {1, 1.0 / 3}}, 1e-7)

	p := build(Paper)
	sameRow(t, "C", p.CoOccur, 0, []edge{{1, 1}}, 0)
	sameRow(t, "C", p.CoOccur, 2, []edge{{3, 1}}, 0)
	sameRow(t, "C", p.CoOccur, 3, []edge{{2, 1}}, 0)
	sameRow(t, "C", p.CoOccur, 4, nil, 0)
	if p.Semantic.NNZ() != 0 {
		t.Errorf("%d semantic edges between orthogonal items", p.Semantic.NNZ())
	}
}

// published are the default options with the paper's threshold.
func published() Options {
	opt := DefaultOptions()
	opt.Threshold = new(float32(0.7))
	return opt
}

// Both variants and both ablations by the definitions, one pair at a time.
func TestBuildAgainstDefinitions(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	n := 150
	ds := randomClicks(rng, 80, n, 1500)
	x := features(rng, n, 9)
	s, zero := cosines(x)
	train := ds.TrainHistories()
	for _, opt := range []Options{
		{K: 6, Threshold: new(float32(0.6)), JaccardK: 5, Variant: Reference, Denoise: true, Topology: true},
		{K: 6, Threshold: new(float32(0.6)), JaccardK: 5, Variant: Paper, Denoise: true, Topology: true},
		{K: 6, JaccardK: 5, Variant: Reference, Topology: true},
		{K: 6, JaccardK: 5, Variant: Reference, Topology: true, Weights: Cosine},
		{K: 6, Threshold: new(float32(0.6)), Variant: Reference, Denoise: true},
		{K: 6, Threshold: new(float32(0.6)), Variant: Paper, Denoise: true, Weights: Binary},
	} {
		g, err := Build(t.Context(), x, train, opt)
		if err != nil {
			t.Fatal(err)
		}
		weights := Binary
		if opt.Variant == Paper && opt.Weights == "" || opt.Weights == Cosine {
			weights = Cosine
		}
		w := tensor.New(n, n)
		for i := range n {
			var all []edge
			for j := range n {
				if !zero[i] && !zero[j] && (i != j || opt.Variant == Reference) {
					all = append(all, edge{int32(j), s.Row(i)[j]})
				}
			}
			for _, e := range topOf(all, opt.K) {
				switch {
				case opt.Denoise && opt.Threshold != nil && e.val < *opt.Threshold:
				case weights == Binary:
					w.Row(i)[e.col]++
				case e.val > 0:
					w.Row(i)[e.col] += e.val
				}
			}
			cols, vals := g.CoOccur.Row(i)
			for e, c := range cols {
				w.Row(i)[c] += vals[e]
			}
		}
		if !opt.Topology && g.CoOccur.NNZ() != 0 {
			t.Errorf("%+v has %d co-occurrence edges", opt, g.CoOccur.NNZ())
		}
		for i := range n {
			var want []edge
			for j := range n {
				if v := w.Row(i)[j]; v != 0 {
					want = append(want, edge{int32(j), float32(float64(v) / math.Sqrt(total(w.Row(i))*total(w.Row(j))))})
				}
			}
			sameRow(t, "L̂", g.Norm, i, want, 1e-6)
		}
	}
}

func total(row []float32) float64 {
	var s float64
	for _, v := range row {
		s += float64(v)
	}
	return s
}

func TestPropagateSumsLayers(t *testing.T) {
	// A two-cycle with weights ½ and 2: L̂x = (½x₁, 2x₀), L̂²x = x.
	l := &tensor.CSR{Rows: 2, Cols: 2, Indptr: []int64{0, 1, 2}, Indices: []int32{1, 0}, Values: []float32{0.5, 2}}
	x := tensor.FromSlice(2, 1, []float32{3, 8})
	for layers, want := range [][]float32{{3, 8}, {7, 14}, {10, 22}} {
		if got := Propagate(l, x, layers); !slices.Equal(got.Data, want) {
			t.Errorf("%d layers: %v, want %v", layers, got.Data, want)
		}
	}
	if x.Data[0] != 3 {
		t.Error("the features were changed")
	}
}

func TestGraphIsTheSameAtAnyGOMAXPROCS(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	ds := randomClicks(rng, 300, 1400, 6000)
	x := features(rng, 1400, 33)
	build := func(procs int) *Graph {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		g, err := Build(t.Context(), x, ds.TrainHistories(), published())
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	a, b := build(1), build(2)
	for _, p := range [][2]*tensor.CSR{{a.Norm, b.Norm}, {a.Nearest, b.Nearest}, {a.CoOccur, b.CoOccur}} {
		if !slices.Equal(p[0].Indices, p[1].Indices) || !slices.Equal(p[0].Values, p[1].Values) {
			t.Error("graphs differ")
		}
	}
}

// A share keeps that part of the edges between different items, the most similar ones, and
// every self edge, however high or low the encoder's cosines are.
func TestShareOfEdgesHoldsForEveryScale(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	n := 200
	ds := randomClicks(rng, 50, n, 600)
	x := features(rng, n, 9)
	crowded := x.Clone() // all cosines near 1, as E5's are
	for i := range n {
		crowded.Row(i)[0] += 30
	}
	for name, x := range map[string]*tensor.Matrix{"spread": x, "crowded": crowded} {
		for _, share := range []float64{0, 0.1, 0.5, 1} {
			opt := DefaultOptions()
			opt.Keep = share
			g, err := Build(t.Context(), x, ds.TrainHistories(), opt)
			if err != nil {
				t.Fatal(err)
			}
			s := g.Stats()
			if math.Abs(s.Similarity.Kept-share) > 0.005 {
				t.Errorf("%s: %v of the edges kept, want %v", name, s.Similarity.Kept, share)
			}
			lowest := float32(1)
			for i := range n {
				near, cos := g.Nearest.Row(i)
				kept, _ := g.Semantic.Row(i)
				_, hadSelf := slices.BinarySearch(near, int32(i))
				if _, self := slices.BinarySearch(kept, int32(i)); self != hadSelf {
					t.Fatalf("%s, %v: item %d's self edge: %v, was %v", name, share, i, self, hadSelf)
				}
				for e, c := range near {
					if _, ok := slices.BinarySearch(kept, c); ok && int(c) != i {
						lowest = min(lowest, cos[e])
					} else if !ok && cos[e] >= g.Cut {
						t.Fatalf("%s, %v: an edge of %v is dropped, the cut is %v", name, share, cos[e], g.Cut)
					}
				}
			}
			if share > 0 && lowest < g.Cut {
				t.Errorf("%s, %v: an edge of %v is kept, the cut is %v", name, share, lowest, g.Cut)
			}
		}
	}
}

func TestBuildRefusesWhatMakesNoSense(t *testing.T) {
	ds := clicks(1, 3, [2]int32{0, 0})
	x := tensor.New(3, 2)
	for name, change := range map[string]func(*Options, **tensor.Matrix){
		"variant":   func(o *Options, _ **tensor.Matrix) { o.Variant = "papre" },
		"weights":   func(o *Options, _ **tensor.Matrix) { o.Weights = "heavy" },
		"k":         func(o *Options, _ **tensor.Matrix) { o.K = 0 },
		"jaccard k": func(o *Options, _ **tensor.Matrix) { o.JaccardK = 0 },
		"threshold": func(o *Options, _ **tensor.Matrix) { o.Threshold = new(float32(math.NaN())) },
		"share":     func(o *Options, _ **tensor.Matrix) { o.Keep = 1.5 },
		"no share":  func(o *Options, _ **tensor.Matrix) { o.Keep = math.NaN() },
		"rows":      func(_ *Options, x **tensor.Matrix) { *x = tensor.New(4, 2) },
	} {
		opt, y := DefaultOptions(), x
		change(&opt, &y)
		_, err := Build(t.Context(), y, ds.TrainHistories(), opt)
		if _, user := usererr.Hint(err); !user {
			t.Errorf("%s: %v is not marked as the user's to mend", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(ctx, x, ds.TrainHistories(), DefaultOptions()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestGraphOfLeakyHistoriesIsMarked(t *testing.T) {
	ds := clicks(2, 3, [2]int32{0, 0}, [2]int32{1, 0}, [2]int32{0, 1}, [2]int32{1, 1}, [2]int32{0, 2})
	labelledtest.Edit(ds, func(rows []dataset.Interaction) { rows[1].Label = dataset.Test })
	x := tensor.FromSlice(3, 1, []float32{1, -1, 1})
	for _, leaky := range []bool{false, true} {
		h := ds.TrainHistories()
		if leaky {
			h = ds.LeakyHistories()
		}
		g, err := Build(t.Context(), x, h, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if g.Leaky != leaky {
			t.Errorf("graph says leaky %v, histories %v", g.Leaky, leaky)
		}
	}
}
