package pool

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

var tiny30 = modeltest.Shape{Users: 30, Items: 24, Train: 140, Width: 10, Tastes: 4}

// golden is what scripts/make_pool_golden.py computed.
type golden struct {
	LR         float64            `json:"lr"`
	Items      int                `json:"items"`
	Histories  [][]int32          `json:"histories"`
	Text       numbers            `json:"text"`
	Components numbers            `json:"components"`
	Params     map[string]numbers `json:"params"`
	NewItems   map[string]course  `json:"new_items"` // by what becomes of items that nobody chose
}

// course is ten steps of training.
type course struct {
	Gradients  map[string]numbers `json:"gradients"` // of the first step
	Losses     []float64          `json:"losses"`
	After      map[string]numbers `json:"params_after"`
	UsersAfter numbers            `json:"users_after"`
	ItemsAfter numbers            `json:"items_after"`
}

type numbers struct {
	Shape []int     `json:"shape"`
	Data  []float32 `json:"data"`
}

func readGolden(t *testing.T) *golden {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "pool.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	return &g
}

// inputs are the golden histories with the golden text vectors.
func (g *golden) inputs() model.Inputs {
	in := history(g.Items, g.Histories...)
	in.ItemVectors = map[string]*tensor.Matrix{model.Text: tensor.FromSlice(g.Text.Shape[0], g.Text.Shape[1], g.Text.Data)}
	return in
}

// history returns inputs of users with the given train items, oldest first.
func history(items int, users ...[]int32) model.Inputs {
	ds := &dataset.Dataset{UserIDs: make([]string, len(users)), Items: make([]dataset.Item, items)}
	var times []int64
	for u, own := range users {
		for k, i := range own {
			ds.Append(dataset.Interaction{User: int32(u), Item: i, Time: int64(k)})
			times = append(times, int64(k))
		}
	}
	return model.Inputs{Train: ds.TrainHistories(), Users: len(users), Items: items, Times: times, Seed: 1}
}

// allRows is a batch of every train row.
func allRows(in model.Inputs) (b model.Batch) {
	lists := in.Train.Lists()
	for u := range in.Users {
		for row := lists.Offsets[u]; row < lists.Offsets[u+1]; row++ {
			b.Rows, b.Users, b.Pos, b.Neg = append(b.Rows, int32(row)), append(b.Users, int32(u)), append(b.Pos, lists.Items[row]), append(b.Neg, 0)
		}
	}
	return b
}

func mustNew(t *testing.T, in model.Inputs, settings map[string]string) *recommender {
	t.Helper()
	m, err := model.New(name, in, settings)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*recommender)
}

func near(t *testing.T, what string, got []float32, want numbers, tolerance float64) {
	t.Helper()
	if len(got) != len(want.Data) {
		t.Fatalf("%s has %d numbers, want %d", what, len(got), len(want.Data))
	}
	for i, v := range got {
		if d := math.Abs(float64(v) - float64(want.Data[i])); !(d <= tolerance) {
			t.Errorf("%s[%d] = %v, want %v", what, i, v, want.Data[i])
		}
	}
}

func TestGolden(t *testing.T) {
	g := readGolden(t)
	for newItems, want := range g.NewItems {
		t.Run(newItems, func(t *testing.T) {
			m := mustNew(t, g.inputs(), map[string]string{"embedding_dim": "4", "decay": "0.7", "train_decay": "0.9", "new_items": newItems})
			near(t, "components as input rows", m.input.Value.Data, g.Components, 1e-5)
			near(t, "components as output rows", m.output.Value.Data, g.Components, 1e-5)
			for _, p := range m.Params() {
				copy(p.Value.Data, g.Params[p.Name].Data)
			}
			want.check(t, m, allRows(g.inputs()), g.LR)
		})
	}
	if len(g.NewItems) != 2 {
		t.Errorf("%d courses of training", len(g.NewItems))
	}
}

func (c course) check(t *testing.T, m *recommender, b model.Batch, lr float64) {
	tape, adam := autograd.NewTape(), train.NewAdam(m.Params(), 0)
	for step, want := range c.Losses {
		tape.Reset()
		loss := m.Loss(tape, b)
		tape.Backward(loss)
		if got := float64(loss.Scalar()); math.Abs(got-want) > 2e-4 || step == 0 && math.Abs(got-want) > 1e-5 {
			t.Errorf("loss before step %d: %v, want %v", step+1, got, want)
		}
		if step == 0 {
			for _, p := range m.Params() {
				near(t, "gradient of "+p.Name, p.Grad.Data, c.Gradients[p.Name], 2e-5)
			}
		}
		adam.Step(lr)
	}
	for _, p := range m.Params() {
		near(t, p.Name+" after ten steps", p.Value.Data, c.After[p.Name], 2e-4)
	}
	users, items, err := m.Represent()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "user vectors", users.Data, c.UsersAfter, 2e-4)
	near(t, "item vectors", items.Data, c.ItemsAfter, 2e-4)
}

// What a user's only item would teach is nothing: the user without it is nobody.
func TestPairsWithoutOtherItemsTeachNothing(t *testing.T) {
	in := history(6, []int32{2}, []int32{4, 4}, []int32{0, 1, 5})
	m := mustNew(t, in, map[string]string{"seed": "random", "embedding_dim": "4"})
	tape := autograd.NewTape()
	all, lonely := allRows(in), allRows(in)
	tape.Reset()
	whole := m.Loss(tape, all).Scalar()
	rest := model.Batch{Users: all.Users[3:], Pos: all.Pos[3:], Neg: all.Neg[3:], Rows: all.Rows[3:]}
	tape.Reset()
	if got := m.Loss(tape, rest).Scalar(); got != whole {
		t.Errorf("loss %v with the pairs of users without other items, %v without them", whole, got)
	}
	lonely.Users, lonely.Pos = lonely.Users[:3], lonely.Pos[:3]
	tape.Reset()
	loss := m.Loss(tape, lonely)
	tape.Backward(loss)
	if loss.Scalar() != 0 {
		t.Errorf("loss %v of users without other items", loss.Scalar())
	}
	for _, p := range m.Params() {
		if p.HasGrad() {
			t.Errorf("%s got a gradient from them", p.Name)
		}
	}
}

// An item nobody chose stays where its content put it, or moves as everybody's competitor, in
// the full and in the sampled softmax. In a history it is what its content is in either case.
func TestItemNobodyChose(t *testing.T) {
	in := readGolden(t).inputs()
	const nobodys = 10
	for _, softmax := range []string{softmaxFull, softmaxSampled} {
		for _, newItems := range []string{newKeep, newCompete} {
			m := mustNew(t, in, map[string]string{"softmax": softmax, "new_items": newItems})
			start := slices.Clone(m.input.Value.Row(nobodys))
			tape, adam := autograd.NewTape(), train.NewAdam(m.Params(), 0)
			for range 3 {
				tape.Reset()
				tape.Backward(m.Loss(tape, allRows(in)))
				adam.Step(0.01)
			}
			if !slices.Equal(m.input.Value.Row(nobodys), start) {
				t.Errorf("%s, %s: the input row moved", softmax, newItems)
			}
			if slices.Equal(m.output.Value.Row(nobodys), start) != (newItems == newKeep) {
				t.Errorf("%s, %s: whether the output row moved is wrong", softmax, newItems)
			}
		}
	}
}

func TestWeightsFollowTheHistory(t *testing.T) {
	input := tensor.New(4, 4)
	for i := range 4 {
		input.Row(i)[i] = 1
	}
	d := newDecay(0.5)
	got := pooled(input, [][]int32{{2, 0, 3}, {}, {1, 1}}, d)
	n := float32(1 / math.Sqrt(1+0.25+0.0625))
	want := []float32{0.5 * n, 0, 0.25 * n, n, 0, 0, 0, 0, 0, 1, 0, 0}
	for i, v := range got.Data {
		if math.Abs(float64(v-want[i])) > 1e-6 {
			t.Fatalf("vectors %v, want %v", got.Data, want)
		}
	}
	// Ages count what remains when an item is left out.
	r := newRagged(4)
	if !r.add([]int32{2, 0, 3}, 0, d) || !slices.Equal(r.m.Indices, []int32{2, 3}) || !slices.Equal(r.m.Values, []float32{0.5, 1}) {
		t.Errorf("columns %v, weights %v", r.m.Indices, r.m.Values)
	}
	if r.add([]int32{1, 1}, 1, d) {
		t.Error("a history without anything but the item left out was added")
	}
	// Weights too small for a float32 are left out, at any length.
	if w := d.weights(1000); len(w) != 127 || w[126] == 0 {
		t.Errorf("%d weights", len(w))
	}
}

func TestPlacingIsTheRepresentationOfTheSameHistory(t *testing.T) {
	in := modeltest.Make(tiny30, 1).Inputs
	m := mustNew(t, in, nil)
	tape, adam := autograd.NewTape(), train.NewAdam(m.Params(), 0)
	tape.Backward(m.Loss(tape, allRows(in)))
	adam.Step(0.01)
	users, _, err := m.Represent()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := train.SaveWeights(path, m, 1, nil); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	restored, err := train.RestoreHistories(f)
	if err != nil {
		t.Fatal(err)
	}
	var histories [][]int32
	for u := range in.Users {
		histories = append(histories, in.Train.Items(u))
	}
	for who, p := range map[string]model.HistoryPlacer{"the model": m, "its weights": restored} {
		got, err := p.PlaceHistories(histories)
		if err != nil || !slices.Equal(got.Data, users.Data) {
			t.Errorf("%s: vectors differ from the representation's (%v)", who, err)
		}
		for u := range histories {
			one, err := p.PlaceHistories(histories[u : u+1])
			if err != nil || !slices.Equal(one.Data, users.Row(u)) {
				t.Errorf("%s: user %d is placed elsewhere alone than among others (%v)", who, u, err)
			}
		}
		if _, err := p.PlaceHistories([][]int32{{1}, {}}); err == nil || !strings.Contains(err.Error(), "history 2 is empty") {
			t.Errorf("%s: empty history: %v", who, err)
		}
		for _, i := range []int32{-1, int32(in.Items)} {
			if _, err := p.PlaceHistories([][]int32{{0, i}}); err == nil {
				t.Errorf("%s: item row %d was placed", who, i)
			}
		}
	}
	f.Seek(0, 0)
	if _, err := train.Restore(f); err == nil || !strings.Contains(err.Error(), "only by the items they chose") {
		t.Errorf("placed by a text: %v", err)
	}
}

func TestWhatIsMissingOrWithoutEffectIsRefused(t *testing.T) {
	data := modeltest.Make(tiny30, 1)
	flat := tensor.New(data.Inputs.Items, 5)
	for i := range flat.Data {
		flat.Data[i] = 3
	}
	for _, c := range []struct {
		what     string
		change   func(*model.Inputs)
		settings map[string]string
		want     string
	}{
		{"no texts", func(in *model.Inputs) { in.ItemVectors = nil }, nil, "item features"},
		{"no times", func(in *model.Inputs) { in.Times = nil }, nil, "times"},
		{"no times, training", func(in *model.Inputs) { in.Times = nil }, map[string]string{"decay": "1", "train_decay": "0.9"}, "times"},
		{"too wide", nil, map[string]string{"embedding_dim": "11"}, "10 numbers"},
		{"vectors that say nothing", func(in *model.Inputs) { in.ItemVectors = map[string]*tensor.Matrix{model.Text: flat} }, nil, "same text vector"},
		{"nothing to learn from", func(in *model.Inputs) { *in = history(24, []int32{3, 3}, []int32{7}) }, map[string]string{"seed": "random"}, "two different train items"},
		{"negatives in full", nil, map[string]string{"softmax": "full", "negatives": "5"}, "all 24 items"},
		{"negatives of a small catalogue", nil, map[string]string{"negatives": "5"}, "all 24 items"},
		{"threshold in full", nil, map[string]string{"softmax": "full", "full_up_to": "5"}, "softmax=full"},
		{"threshold when sampled", nil, map[string]string{"softmax": "sampled", "full_up_to": "5"}, "softmax=sampled"},
		{"decay above one", nil, map[string]string{"decay": "1.1"}, "above 1"},
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
	// Interactions alone are enough where no content and no order is asked for.
	in := data.Inputs
	in.ItemVectors, in.Times = nil, nil
	if m := mustNew(t, in, map[string]string{"seed": "random", "decay": "1"}); m.input.Value.Cols != usualDim || slices.Equal(m.input.Value.Data, m.output.Value.Data) {
		t.Errorf("width %d, or both tables begin alike at random", m.input.Value.Cols)
	}
}
