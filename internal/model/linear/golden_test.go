package linear

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// fixture holds what NumPy computed in float64 from the formulas on a tiny data set.
type fixture struct {
	Users        int        `json:"n_users"`
	Items        int        `json:"n_items"`
	Interactions [][3]int32 `json:"interactions"`
	Text         struct {
		Shape [2]int    `json:"shape"`
		Data  []float32 `json:"data"`
	} `json:"text_feat"`
	Config struct {
		LambdaX float64 `json:"lambda_x"`
		LambdaF float64 `json:"lambda_f"`
		LambdaE float64 `json:"lambda_e"`
		Alpha   float64 `json:"alpha"`
	} `json:"config"`
	EASE          []float64 `json:"ease"`
	TextKernel    []float64 `json:"text_kernel"`
	AddEASE       []float64 `json:"add_ease"`
	L3AE          []float64 `json:"l3ae"`
	ScoresEASE    []float64 `json:"scores_ease"`
	ScoresAddEASE []float64 `json:"scores_add_ease"`
	ScoresL3AE    []float64 `json:"scores_l3ae"`
}

func readJSON(t *testing.T, path string, into any) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// lists returns the train items of each user.
func (f *fixture) lists() *dataset.Lists {
	var all []dataset.Interaction
	for _, x := range f.Interactions {
		all = append(all, dataset.Interaction{User: x[0], Item: x[1], Label: dataset.Label(x[2])})
	}
	return dataset.NewLists(f.Users, f.Items, all, func(l dataset.Label) bool { return l == dataset.Train })
}

func histories(l *dataset.Lists) [][]int32 {
	h := make([][]int32, l.Len())
	for u := range h {
		h[u] = l.Of(u)
	}
	return h
}

// sameNumbers compares to 1e-4 relative, 1e-5 absolute near zero.
func sameNumbers(t *testing.T, what string, want []float64, got func(e int) float32) {
	t.Helper()
	for e, w := range want {
		if g := float64(got(e)); !(math.Abs(g-w) <= 1e-5+1e-4*math.Abs(w)) {
			t.Fatalf("%s: element %d is %g, want %g", what, e, g, w)
		}
	}
}

func TestGolden(t *testing.T) {
	dir := os.Getenv("MLLMREC_GOLDEN_DIR")
	if dir == "" {
		dir = filepath.Join("..", "testdata", "golden")
	}
	var f fixture
	readJSON(t, filepath.Join(dir, "linear.json"), &f)
	lists := f.lists()
	x := NewInteractions(lists)
	ease, err := EASE(t.Context(), x, f.Config.LambdaX, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := TextKernel(t.Context(), tensor.FromSlice(f.Text.Shape[0], f.Text.Shape[1], f.Text.Data), f.Config.LambdaF)
	if err != nil {
		t.Fatal(err)
	}
	add, err := AddEASE(&Dense{ease.B.Clone()}, text, f.Config.Alpha)
	if err != nil {
		t.Fatal(err)
	}
	l3ae, err := L3AE(t.Context(), x, text, f.Config.LambdaX, f.Config.LambdaE, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name         string
		kernel       Kernel
		weights      []float64
		scores       []float64
		scoresAreSet bool
	}{
		{"ease", ease, f.EASE, f.ScoresEASE, true},
		{"text_kernel", text, f.TextKernel, nil, false},
		{"add_ease", add, f.AddEASE, f.ScoresAddEASE, true},
		{"l3ae", l3ae, f.L3AE, f.ScoresL3AE, true},
	} {
		if len(c.weights) != f.Items*f.Items || (c.scoresAreSet && len(c.scores) != f.Users*f.Items) {
			t.Fatalf("%s: the fixture has %d weights and %d scores", c.name, len(c.weights), len(c.scores))
		}
		sameNumbers(t, c.name, c.weights, func(e int) float32 {
			return c.kernel.Contribution(int32(e/f.Items), int32(e%f.Items))
		})
		out := tensor.New(f.Users, f.Items)
		c.kernel.AddScoresBatch(histories(lists), nil, out)
		sameNumbers(t, "scores of "+c.name, c.scores, func(e int) float32 { return out.Data[e] })
	}
}

// scripts/make_implicit_goldens.py wrote the fixture.
func TestAgreesWithImplicit(t *testing.T) {
	var f struct {
		Users     int       `json:"n_users"`
		Items     int       `json:"n_items"`
		Histories [][]int32 `json:"histories"`
		BM25      []struct {
			K          int          `json:"k"`
			K1         float64      `json:"k1"`
			B          float64      `json:"b"`
			Similarity [][3]float64 `json:"similarity"`
		} `json:"bm25"`
		Cosine [][3]float64 `json:"cosine"`
	}
	readJSON(t, filepath.Join("testdata", "implicit.json"), &f)
	x := NewInteractions(listsOf(f.Items, f.Histories...))
	for _, c := range f.BM25 {
		k, err := BM25KNN(t.Context(), x, BM25{K: c.K, K1: c.K1, B: c.B})
		if err != nil {
			t.Fatal(err)
		}
		sameEntries(t, k, c.Similarity)
	}
	k, err := CosineKNN(t.Context(), x, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	sameEntries(t, k, f.Cosine)
}

// sameEntries compares what is stored of k with entries [j, i, weight], whose diagonal does
// not count.
func sameEntries(t *testing.T, k *Sparse, want [][3]float64) {
	t.Helper()
	n := 0
	for _, w := range want {
		j, i := int32(w[0]), int32(w[1])
		if j == i {
			continue
		}
		n++
		if got := float64(k.Contribution(j, i)); math.Abs(got-w[2]) > 1e-6*math.Abs(w[2]) {
			t.Errorf("weight of %d for %d is %g, want %g", j, i, got, w[2])
		}
	}
	if k.B.NNZ() != n {
		t.Errorf("%d entries, want %d", k.B.NNZ(), n)
	}
}

func listsOf(items int, histories ...[]int32) *dataset.Lists {
	l := &dataset.Lists{Offsets: make([]int, 1), Columns: items}
	for _, h := range histories {
		l.Items = append(l.Items, h...)
		l.Offsets = append(l.Offsets, len(l.Items))
	}
	return l
}
