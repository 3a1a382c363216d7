package linear

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// draw returns lists of users who choose 0 to 9 of the items, popular ones more often; the
// last item is chosen by nobody.
func draw(seed uint64, users, items int) *dataset.Lists {
	r := rand.New(rand.NewPCG(seed, 40))
	h := make([][]int32, users)
	for u := range h {
		for _, i := range r.Perm(items - 1)[:r.IntN(10)] {
			if r.IntN(items) >= i/2 {
				h[u] = append(h[u], int32(i))
			}
		}
	}
	return listsOf(items, h...)
}

func vectors(seed uint64, items, d int) *tensor.Matrix {
	r := rand.New(rand.NewPCG(seed, 41))
	m := tensor.New(items, d)
	for i := range m.Data {
		m.Data[i] = float32(r.NormFloat64()) + 1
	}
	return m
}

// must fits a kernel.
func must[K any](t *testing.T) func(k K, err error) K {
	return func(k K, err error) K {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
}

// kernels fits one of each kind.
func kernels(t *testing.T, lists *dataset.Lists) map[string]Kernel {
	x := NewInteractions(lists)
	ctx := t.Context()
	ease := must[*Dense](t)(EASE(ctx, x, 5, nil))
	text := must[*Factored](t)(TextKernel(ctx, vectors(1, x.Items(), 6), 2))
	return map[string]Kernel{
		"EASE":        ease,
		"text":        text,
		"Add-EASE":    must[*Dense](t)(AddEASE(&Dense{ease.B.Clone()}, text, 0.3)),
		"L3AE":        must[*Dense](t)(L3AE(ctx, x, text, 5, 7, nil)),
		"cosine":      must[*Sparse](t)(CosineKNN(ctx, x, 5, 1)),
		"BM25":        must[*Sparse](t)(BM25KNN(ctx, x, BM25{K: 8, K1: 0.2, B: 0.2})),
		"spectral":    must[*Factored](t)(Spectral(ctx, x, 10, 1)),
		"transitions": Transitions(lists),
		"local":       must[*Sparse](t)(LocalEASE(ctx, x, 5, 12, nil, nil)),
	}
}

func TestScoresAreSumsOfContributions(t *testing.T) {
	lists := draw(1, 150, 60)
	h := histories(lists)
	weights := make([][]float32, len(h))
	for u := range h {
		weights[u] = RecencyWeights(len(h[u]), 0.7)
	}
	for name, k := range kernels(t, lists) {
		for _, w := range [][][]float32{nil, weights} {
			batch := tensor.New(len(h), k.Items())
			for i := range batch.Data {
				batch.Data[i] = 0.25 // scores are added to what is there
			}
			k.AddScoresBatch(h, w, batch)
			for u := range h {
				row := make([]float32, k.Items())
				for i := range row {
					row[i] = 0.25
				}
				k.AddScores(h[u], weightsOf(w, u), row)
				if !slices.Equal(row, batch.Row(u)) {
					t.Fatalf("%s: user %d alone gets other bits than in a batch", name, u)
				}
				for i := range row {
					want := 0.25
					for n, j := range h[u] {
						want += float64(weightOf(weightsOf(w, u), n)) * float64(k.Contribution(j, int32(i)))
					}
					if math.Abs(float64(row[i])-want) > 1e-5*(1+math.Abs(want)) {
						t.Fatalf("%s: user %d, item %d: %g, want %g", name, u, i, row[i], want)
					}
				}
			}
		}
		for i := range int32(60) {
			if v := k.Contribution(i, i); v != 0 {
				t.Errorf("%s: item %d speaks for itself: %g", name, i, v)
			}
		}
	}
}

func TestSameBitsAtAnyProcs(t *testing.T) {
	lists := draw(2, 200, 90)
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	one := kernels(t, lists)
	runtime.GOMAXPROCS(4)
	for name, k := range kernels(t, lists) {
		for j := range int32(90) {
			for i := range int32(90) {
				if a, b := one[name].Contribution(j, i), k.Contribution(j, i); a != b {
					t.Fatalf("%s: weight of %d for %d is %g at one processor, %g at four", name, j, i, a, b)
				}
			}
		}
	}
}

// gram returns XᵀX in float64.
func gram(x *Interactions) [][]float64 {
	g := make([][]float64, x.Items())
	for j := range g {
		g[j] = make([]float64, x.Items())
	}
	for u := range x.Users() {
		for _, j := range x.byUser.Of(u) {
			for _, i := range x.byUser.Of(u) {
				g[j][i]++
			}
		}
	}
	return g
}

// The gradient of EASE's loss is zero for each weight that is free: ((G + λI)B − G)_ji = 0
// off the diagonal; for the local form, among the candidates of i.
func TestEASEIsOptimal(t *testing.T) {
	x := NewInteractions(draw(3, 400, 80))
	g := gram(x)
	const lambda = 5
	for name, k := range map[string]Kernel{
		"EASE":  must[*Dense](t)(EASE(t.Context(), x, lambda, nil)),
		"local": must[*Sparse](t)(LocalEASE(t.Context(), x, lambda, 15, nil, nil)),
	} {
		free := func(j, i int32) bool { return j != i }
		if s, ok := k.(*Sparse); ok {
			at := map[[2]int32]bool{}
			for j := range int32(80) {
				cols, _ := s.B.Row(int(j))
				for _, i := range cols {
					at[[2]int32{j, i}] = true
				}
			}
			if len(at) < 15*40 {
				t.Fatalf("local: %d weights only", len(at))
			}
			free = func(j, i int32) bool { return at[[2]int32{j, i}] }
		}
		for i := range int32(80) {
			for j := range int32(80) {
				if !free(j, i) {
					continue
				}
				slope := float64(lambda)*float64(k.Contribution(j, i)) - g[j][i]
				for l := range int32(80) {
					slope += g[j][l] * float64(k.Contribution(l, i))
				}
				if math.Abs(slope) > 1e-4*(1+g[j][j]) {
					t.Fatalf("%s: slope %g at weight of %d for %d", name, slope, j, i)
				}
			}
		}
	}
}

func TestLocalEASEOfAllItemsIsEASE(t *testing.T) {
	x := NewInteractions(draw(4, 300, 70))
	exact := must[*Dense](t)(EASE(t.Context(), x, 8, nil))
	everything := &tensor.CSR{Rows: 70, Cols: 70, Indptr: make([]int64, 1)}
	for range 70 {
		for i := range int32(70) {
			everything.Indices, everything.Values = append(everything.Indices, i), append(everything.Values, 1)
		}
		everything.Indptr = append(everything.Indptr, int64(len(everything.Indices)))
	}
	var done float64
	local := must[*Sparse](t)(LocalEASE(t.Context(), x, 8, 1, everything, func(d, total float64) { done = d / total }))
	for j := range int32(70) {
		for i := range int32(70) {
			if a, b := exact.Contribution(j, i), local.Contribution(j, i); math.Abs(float64(a-b)) > 1e-5 {
				t.Fatalf("weight of %d for %d is %g, want %g", j, i, b, a)
			}
		}
	}
	if done != 1 {
		t.Errorf("progress ended at %g", done)
	}
}

// Whether a count is looked up in the table or in a row must not matter.
func TestLocalEASEWithoutATable(t *testing.T) {
	x := NewInteractions(draw(5, 300, 70))
	shared := must[*tensor.CSR](t)(x.SparseCooccurrence(t.Context()))
	var want []line
	for _, size := range []int{70, 20, 1, 0} {
		l := &local{x: x, lambda: 3, candidates: 25, shared: shared, head: newHead(shared, size)}
		r := &ridge{local: l, place: make([]int32, 70)}
		for i := range int32(70) {
			var out line
			if err := r.solve(t.Context(), i, &out); err != nil {
				t.Fatal(err)
			}
			if size == 70 {
				want = append(want, out)
			} else if !slices.Equal(out.cols, want[i].cols) || !slices.Equal(out.vals, want[i].vals) {
				t.Fatalf("item %d differs with a table of %d", i, size)
			}
		}
	}
}

func TestCosineKNNKeepsTheNearest(t *testing.T) {
	x := NewInteractions(draw(6, 200, 40))
	g := gram(x)
	const k, shrinkage = 4, 3
	got := must[*Sparse](t)(CosineKNN(t.Context(), x, k, shrinkage))
	for i := range 40 {
		type neighbour struct {
			item  int
			value float32
		}
		var all []neighbour
		for j := range 40 {
			if j != i && g[i][j] > 0 {
				all = append(all, neighbour{j, float32(g[i][j] / (math.Sqrt(g[i][i]*g[j][j]) + shrinkage))})
			}
		}
		slices.SortStableFunc(all, func(a, b neighbour) int {
			if a.value > b.value {
				return -1
			}
			return map[bool]int{true: 1}[a.value < b.value]
		})
		want := make([]float32, 40)
		for _, n := range all[:min(k, len(all))] {
			want[n.item] = n.value
		}
		for j := range want {
			if v := got.Contribution(int32(j), int32(i)); v != want[j] {
				t.Fatalf("weight of %d for %d is %g, want %g", j, i, v, want[j])
			}
		}
	}
}

// In a graph of two parts the two leading directions are the parts, so an item's weight is
// its share of its part's interactions.
func TestSpectralOfTwoParts(t *testing.T) {
	lists := listsOf(6, []int32{0, 1}, []int32{0, 1, 2}, []int32{0, 2}, []int32{3, 4}, []int32{3}, []int32{})
	degrees, part := []float32{3, 2, 2, 2, 1, 0}, []float32{7, 7, 7, 3, 3, 0}
	k := must[*Factored](t)(Spectral(t.Context(), NewInteractions(lists), 2, 1))
	for j := range int32(6) {
		for i := range int32(6) {
			var want float32
			if i != j && part[i] == part[j] && i != 5 {
				want = degrees[i] / part[i]
			}
			if got := k.Contribution(j, i); math.Abs(float64(got-want)) > 1e-5 {
				t.Errorf("weight of %d for %d is %g, want %g", j, i, got, want)
			}
		}
	}
}

func TestTransitions(t *testing.T) {
	k := Transitions(listsOf(5, []int32{0, 1, 2, 3, 4}, []int32{1, 0}, []int32{0, 1}))
	root3 := float32(math.Sqrt(3))
	for _, c := range []struct {
		j, i int32
		want float32
	}{
		{0, 1, 2 / root3}, {1, 0, 1 / root3}, {0, 2, 0.5}, {0, 3, 1. / 3}, {0, 4, 0}, {1, 4, 1. / 3}, {3, 4, 1}, {4, 3, 0},
	} {
		if got := k.Contribution(c.j, c.i); math.Abs(float64(got-c.want)) > 1e-6 {
			t.Errorf("weight of %d for %d is %g, want %g", c.j, c.i, got, c.want)
		}
	}
}

func TestRecencyWeights(t *testing.T) {
	if w := RecencyWeights(4, 0.5); !slices.Equal(w, []float32{0.125, 0.25, 0.5, 1}) {
		t.Errorf("weights %v", w)
	}
	if w := RecencyWeights(3, 1); !slices.Equal(w, []float32{1, 1, 1}) {
		t.Errorf("weights %v without decay", w)
	}
	if w := RecencyWeights(2, 0); !slices.Equal(w, []float32{0, 1}) {
		t.Errorf("weights %v of the last alone", w)
	}
}

func TestRepeatsCountOnce(t *testing.T) {
	x := NewInteractions(listsOf(3, []int32{1, 0, 1, 1}, []int32{2}))
	if x.Popularity(1) != 1 || x.Cooccurrence().Row(0)[1] != 1 {
		t.Errorf("item 1 has %d users, %g of them with item 0", x.Popularity(1), x.Cooccurrence().Row(0)[1])
	}
	sparse, dense := must[*tensor.CSR](t)(x.SparseCooccurrence(t.Context())), x.Cooccurrence()
	for e, v := range dense.Data {
		if got := entry(sparse, e/3, int32(e%3)); got != v {
			t.Errorf("sparse count %d is %g, dense %g", e, got, v)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	ctx, x := t.Context(), NewInteractions(draw(7, 20, 10))
	text := must[*Factored](t)(TextKernel(ctx, vectors(2, 9, 3), 1))
	ease := must[*Dense](t)(EASE(ctx, x, 1, nil))
	for want, f := range map[string]func() error{
		"λ is 0":         func() error { _, err := EASE(ctx, x, 0, nil); return err },
		"λ is NaN":       func() error { _, err := EASE(ctx, x, math.NaN(), nil); return err },
		"λ_F is -1":      func() error { _, err := TextKernel(ctx, vectors(2, 9, 3), -1); return err },
		"λ_E is 0":       func() error { _, err := L3AE(ctx, x, text, 1, 0, nil); return err },
		"of 9 items":     func() error { _, err := L3AE(ctx, x, text, 1, 1, nil); return err },
		"kernel of 9":    func() error { _, err := AddEASE(ease, text, 0.5); return err },
		"α is 1.5":       func() error { _, err := AddEASE(ease, ease, 1.5); return err },
		"k is -1":        func() error { _, err := CosineKNN(ctx, x, -1, 0); return err },
		"B 2":            func() error { _, err := BM25KNN(ctx, x, BM25{B: 2}); return err },
		"q is 0":         func() error { _, err := Spectral(ctx, x, 0, 1); return err },
		"0 candidates":   func() error { _, err := LocalEASE(ctx, x, 1, 0, nil, nil); return err },
		"λ is +Inf":      func() error { _, err := LocalEASE(ctx, x, math.Inf(1), 1, nil, nil); return err },
		"of 10×3 items":  func() error { _, err := LocalEASE(ctx, x, 1, 5, &tensor.CSR{Rows: 10, Cols: 3}, nil); return err },
		"no common stru": func() error { _, err := Spectral(ctx, NewInteractions(listsOf(3, nil, nil)), 2, 1); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestFitsStop(t *testing.T) {
	x := NewInteractions(draw(8, 200, 100))
	text := must[*Factored](t)(TextKernel(t.Context(), vectors(2, 100, 3), 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, f := range map[string]func() error{
		"EASE":     func() error { _, err := EASE(ctx, x, 1, nil); return err },
		"L3AE":     func() error { _, err := L3AE(ctx, x, text, 1, 1, nil); return err },
		"cosine":   func() error { _, err := CosineKNN(ctx, x, 1, 0); return err },
		"BM25":     func() error { _, err := BM25KNN(ctx, x, BM25{}); return err },
		"spectral": func() error { _, err := Spectral(ctx, x, 3, 1); return err },
		"local":    func() error { _, err := LocalEASE(ctx, x, 1, 5, nil, nil); return err },
	} {
		if err := f(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want a stop", name, err)
		}
	}
}

// A catalogue of several blocks of items, the last one short.
func TestFactoredInBlocks(t *testing.T) {
	const items = 2*scoreGrain + 100
	k := &Factored{Left: vectors(3, items, 3), Right: vectors(4, items, 3)}
	history := []int32{7, scoreGrain, items - 1}
	batch, one := tensor.New(2, items), make([]float32, items)
	k.AddScoresBatch([][]int32{history, {5}}, nil, batch)
	k.AddScores(history, nil, one)
	if !slices.Equal(one, batch.Row(0)) {
		t.Error("a user alone gets other bits than in a batch")
	}
	for i := range one {
		var want float64
		for _, j := range history {
			want += float64(k.Contribution(j, int32(i)))
		}
		if math.Abs(float64(one[i])-want) > 1e-4 {
			t.Fatalf("item %d scores %g, want %g", i, one[i], want)
		}
	}
}
