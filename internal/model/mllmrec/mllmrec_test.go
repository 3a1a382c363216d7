package mllmrec

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/rng"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

var tiny = modeltest.Shape{Users: 30, Items: 24, Train: 140, Width: 10, Tastes: 4}

func mustNew(t *testing.T, in model.Inputs, settings map[string]string) *recommender {
	t.Helper()
	m, err := model.New(name, in, settings)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*recommender)
}

// allRows is one batch with every train row and arbitrary negatives.
func allRows(in model.Inputs) (b model.Batch) {
	r := rng.Stream(1, "negatives", 0)
	lists := in.Train.Lists()
	for u := range in.Users {
		for row := lists.Offsets[u]; row < lists.Offsets[u+1]; row++ {
			b.Rows, b.Users, b.Pos = append(b.Rows, int32(row)), append(b.Users, int32(u)), append(b.Pos, lists.Items[row])
			b.Neg = append(b.Neg, int32(r.IntN(in.Items)))
		}
	}
	return b
}

func loss(m *recommender, b model.Batch) float64 {
	t := autograd.NewTape()
	t.Reset()
	return float64(m.Loss(t, b).Scalar())
}

// bprOf computes Eq. 15 from vectors, each triple by itself; user gives the k-th triple's
// user vector.
func bprOf(b model.Batch, user func(k int) []float32, items *tensor.Matrix) float64 {
	var s float64
	for k := range b.Users {
		d := float64(tensor.Dot(user(k), items.Row(int(b.Pos[k])))) - float64(tensor.Dot(user(k), items.Row(int(b.Neg[k]))))
		s += math.Log1p(math.Exp(-d))
	}
	return s / float64(len(b.Users))
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-5*(1+math.Abs(b)) }

// A step works on distinct rows; what it optimises must be the loss of the vectors
// that the model is evaluated and served by.
func TestLossIsThatOfTheRepresentation(t *testing.T) {
	in := modeltest.Make(tiny, 1).Inputs
	b := allRows(in)
	for _, variant := range []string{full, noReasoning, noGCN, uiGCN} {
		m := mustNew(t, in, map[string]string{"variant": variant, "embedding_dim": "8"})
		users, items, err := m.Represent()
		if err != nil {
			t.Fatal(err)
		}
		want := bprOf(b, func(k int) []float32 { return users.Row(int(b.Users[k])) }, items)
		if got := loss(m, b); !near(got, want) {
			t.Errorf("variant %s: loss %v, of the representation %v", variant, got, want)
		}
	}
}

func TestCrossFittingTrainsOnTheBlindText(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	in := data.WithFolds(3)
	m := mustNew(t, in, map[string]string{"embedding_dim": "8"})
	b := allRows(in)
	users, items, err := m.Represent()
	if err != nil {
		t.Fatal(err)
	}
	var blind []*tensor.Matrix
	for _, f := range in.FoldPreferences {
		v, err := m.Place(f)
		if err != nil {
			t.Fatal(err)
		}
		blind = append(blind, v)
	}
	want := bprOf(b, func(k int) []float32 { return blind[in.FoldOf[b.Rows[k]]].Row(int(b.Users[k])) }, items)
	if got := loss(m, b); !near(got, want) {
		t.Errorf("loss %v, on the blind texts %v", got, want)
	}
	plain := mustNew(t, data.Inputs, map[string]string{"embedding_dim": "8"})
	if near(loss(plain, b), want) {
		t.Error("blind and full texts give the same loss: the test shows nothing")
	}
	fullUsers, _, err := plain.Represent()
	if err != nil || !slices.Equal(fullUsers.Data, users.Data) {
		t.Errorf("with folds the representation is not that of the full texts (%v)", err)
	}
}

func TestPlacingIsTheRepresentationOfTheSameText(t *testing.T) {
	in := modeltest.Make(tiny, 1).Inputs
	for _, variant := range []string{full, noGCN} {
		m := mustNew(t, in, map[string]string{"variant": variant})
		users, _, err := m.Represent()
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Place(in.Preferences.RowRange(3, 7))
		if err != nil || !slices.Equal(got.Data, users.RowRange(3, 7).Data) {
			t.Errorf("variant %s: vectors differ (%v)", variant, err)
		}
	}
	if _, err := mustNew(t, in, map[string]string{"variant": noReasoning}).Place(in.Preferences); err == nil {
		t.Error("variant no_reasoning placed a new user")
	}
	if _, err := mustNew(t, in, nil).Place(tensor.New(2, 3)); err == nil {
		t.Error("features of another width were taken")
	}
}

// Towers work on blocks of rows, and wide ones in long sums: a row must have the same
// bits in any batch, or a person would be placed elsewhere for the company they came in.
func TestTowerRowsStandAlone(t *testing.T) {
	for _, width := range []int{3, 384, 2000} {
		w := newTower("t", width, 70, 2, "pytorch", 1) // 70 is wide enough for Gemm to treat few and many rows apart
		x := tensor.New(4096+5, width)
		r := rng.Stream(1, "x", 0)
		for i := range x.Data {
			x.Data[i] = r.Float32()
		}
		got := w.apply(x)
		for _, rows := range [][2]int{{0, 1}, {4095, 4096}, {4096, 4097}, {4100, 4101}, {0, 7}, {4090, 4101}} {
			part := w.apply(x.RowRange(rows[0], rows[1]))
			if !slices.Equal(part.Data, got.RowRange(rows[0], rows[1]).Data) {
				t.Errorf("width %d: rows %v differ from the same rows in the whole", width, rows)
			}
		}
	}
}

func TestInitialisers(t *testing.T) {
	for _, c := range []struct {
		init               string
		weight, bias       float64 // bounds of the first layer, 12 → 300
		outWeight, outBias float64 // bounds of the second, 300 → 75
	}{
		{"pytorch", 1 / math.Sqrt(12), 1 / math.Sqrt(12), 1 / math.Sqrt(300), 1 / math.Sqrt(300)},
		{"xavier", math.Sqrt(6.0 / 312), 0, math.Sqrt(6.0 / 375), 0},
	} {
		w := newTower("t", 12, 300, 75, c.init, 1)
		for k, bound := range []float64{c.weight, c.bias, c.outWeight, c.outBias} {
			var largest, sum float64
			p := w.params()[k]
			for _, v := range p.Value.Data {
				largest, sum = max(largest, math.Abs(float64(v))), sum+float64(v)
			}
			if largest > bound*(1+1e-6) || largest < 0.9*bound {
				t.Errorf("%s: %s reaches %g, want nearly ±%g", c.init, p.Name, largest, bound)
			}
			// Mean of n uniform numbers: bound/√(3n) is one standard deviation.
			if n := float64(len(p.Value.Data)); math.Abs(sum/n) > 4*bound/math.Sqrt(3*n) {
				t.Errorf("%s: %s has mean %g", c.init, p.Name, sum/n)
			}
		}
	}
}

func TestWhatIsMissingOrWithoutEffectIsRefused(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	for _, c := range []struct {
		what     string
		change   func(*model.Inputs)
		settings map[string]string
		want     string
	}{
		{"no graph", func(in *model.Inputs) { in.Graph = nil }, nil, "item graph"},
		{"no users", func(in *model.Inputs) { in.Preferences = nil }, nil, "user features"},
		{"no items", func(in *model.Inputs) { in.ItemVectors = nil }, nil, "item features"},
		{"rows", func(in *model.Inputs) {
			in.ItemVectors = map[string]*tensor.Matrix{model.Text: in.ItemVectors[model.Text].RowRange(0, 7)}
		}, nil, "7 rows"},
		{"graph of others", func(in *model.Inputs) { in.Graph = &tensor.CSR{Rows: 2, Cols: 2, Indptr: make([]int64, 3)} }, nil, "2×2"},
		{"layers without graph", nil, map[string]string{"variant": noGCN, "layers": "1"}, "no effect"},
		{"ui_layers without ui", nil, map[string]string{"ui_layers": "2"}, "no effect"},
		{"folds and ui", func(in *model.Inputs) { *in = data.WithFolds(2) }, map[string]string{"variant": uiGCN}, "cross-fitted"},
		{"unknown setting", nil, map[string]string{"embeding_dim": "3"}, "embedding_dim"},
		{"unknown variant", nil, map[string]string{"variant": "half"}, "no_reasoning"},
		{"zero width", nil, map[string]string{"embedding_dim": "0"}, "below 1"},
	} {
		in := data.Inputs
		if c.change != nil {
			c.change(&in)
		}
		_, err := model.New(name, in, c.settings)
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want a user error with %q", c.what, err, c.want)
		}
	}
	// What a variant does not need may be missing.
	in := data.Inputs
	in.Graph, in.Preferences = nil, nil
	if _, err := model.New(name, in, map[string]string{"variant": noGCN}); err == nil {
		t.Error("no_gcn was built without user features")
	}
	in.Preferences = data.Inputs.Preferences
	mustNew(t, in, map[string]string{"variant": noGCN})
	in.Preferences, in.Graph = nil, data.Inputs.Graph
	mustNew(t, in, map[string]string{"variant": noReasoning})
}
