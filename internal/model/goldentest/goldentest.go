// Package goldentest compares a model with what its published PyTorch code computed on a tiny data set: loss,
// gradients, ten steps of the trainer's Adam, and scores. Test files alone may import it.
package goldentest

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/train"
)

// Fixture holds what the published PyTorch code computed on a tiny data set.
type Fixture struct {
	Config       map[string]any   `json:"config"`
	Users        int              `json:"n_users"`
	Items        int              `json:"n_items"`
	Interactions [][3]int         `json:"interactions"`
	Params       map[string]array `json:"params"`
	ItemFeat     *array           `json:"item_feat"`
	UserFeat     *array           `json:"user_feat"`
	ImageFeat    *array           `json:"image_feat"`
	TextFeat     *array           `json:"text_feat"`
	Graph        *struct {
		Shape [2]int       `json:"shape"`
		COO   [][3]float64 `json:"coo"`
	} `json:"ii_graph"`
	Batch       struct{ Users, Pos, Neg []int32 } `json:"batch"`
	Loss        float64                           `json:"loss"`
	GradNorms   map[string]*float64               `json:"grad_norms"`
	Scores      array                             `json:"scores"`
	AdamLosses  []float64                         `json:"loss_10_adam_steps_lr_0.01"`
	ScoresAfter array                             `json:"scores_after"`
}

// Folder is where the repository's copies of the fixtures lie, seen from package model.
var Folder = filepath.Join("testdata", "golden")

type array struct {
	Shape []int     `json:"shape"`
	Data  []float32 `json:"data"`
}

func (a *array) matrix() *tensor.Matrix {
	if a == nil {
		return nil
	}
	return tensor.FromSlice(a.Shape[0], a.Shape[1], a.Data)
}

// files returns the fixtures whose name begins with prefix, from the folder in
// MLLMREC_GOLDEN_DIR where it is set.
func files(t *testing.T, prefix string) []string {
	dir := os.Getenv("MLLMREC_GOLDEN_DIR")
	if dir == "" {
		dir = Folder
	}
	files, err := filepath.Glob(filepath.Join(dir, prefix+"*.json"))
	if err == nil && len(files) == 0 { // one that a script of this repository computed
		files, err = filepath.Glob(filepath.Join(Folder, prefix+"*.json"))
	}
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixture %s*.json in %s (%v)", prefix, dir, err)
	}
	return files
}

func read(t *testing.T, path string) *Fixture {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := new(Fixture)
	if err := json.Unmarshal(raw, f); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f
}

// Number returns a number of the fixture's configuration as text.
func (f *Fixture) Number(key string) string {
	return strconv.FormatFloat(f.Config[key].(float64), 'g', -1, 64)
}

func (f *Fixture) dataset() *dataset.Dataset {
	ds := &dataset.Dataset{Name: "golden"}
	for u := range f.Users {
		ds.UserIDs = append(ds.UserIDs, strconv.Itoa(u))
	}
	for i := range f.Items {
		ds.Items = append(ds.Items, dataset.Item{ID: strconv.Itoa(i)})
	}
	for _, x := range f.Interactions {
		ds.Append(dataset.Interaction{User: int32(x[0]), Item: int32(x[1]), Label: dataset.Label(x[2])})
	}
	ds.Sort()
	return ds
}

// inputs returns the model's inputs with the fixture's own item graph.
func (f *Fixture) inputs() model.Inputs {
	in := model.Inputs{Train: f.dataset().TrainHistories(), Users: f.Users, Items: f.Items,
		ItemVectors: map[string]*tensor.Matrix{model.Text: f.ItemFeat.matrix()}, Preferences: f.UserFeat.matrix(), Seed: 1}
	if f.ImageFeat != nil {
		in.ItemVectors = map[string]*tensor.Matrix{"visual": f.ImageFeat.matrix(), model.Text: f.TextFeat.matrix()}
	}
	if f.Graph != nil {
		dense := tensor.New(f.Graph.Shape[0], f.Graph.Shape[1])
		for _, e := range f.Graph.COO {
			dense.Row(int(e[0]))[int(e[1])] += float32(e[2])
		}
		in.Graph = sparse(dense)
	}
	return in
}

func sparse(m *tensor.Matrix) *tensor.CSR {
	s := &tensor.CSR{Rows: m.Rows, Cols: m.Cols, Indptr: []int64{0}}
	for i := range m.Rows {
		for j, v := range m.Row(i) {
			if v != 0 {
				s.Indices, s.Values = append(s.Indices, int32(j)), append(s.Values, v)
			}
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s
}

// batch finds the train row of each pair, as the sampler would know it.
func (f *Fixture) batch(t *testing.T, in model.Inputs) model.Batch {
	b := model.Batch{Users: f.Batch.Users, Pos: f.Batch.Pos, Neg: f.Batch.Neg}
	lists := in.Train.Lists()
	for k, u := range b.Users {
		row := -1
		for r := lists.Offsets[u]; r < lists.Offsets[u+1]; r++ {
			if lists.Items[r] == b.Pos[k] {
				row = r
			}
		}
		if row < 0 {
			t.Fatalf("pair (%d, %d) of the batch is not in train", u, b.Pos[k])
		}
		b.Rows = append(b.Rows, int32(row))
	}
	return b
}

// Case says how a fixture maps to a model of ours.
type Case struct {
	Model    string
	Settings map[string]string
	Names    map[string]string // our parameter name -> the fixture's
	// shiftOfScores: the gradient of the items' output bias is exactly zero, since it
	// cancels in every score difference. What float32 leaves of it is noise, which Adam
	// scales up to full steps, so scores after training agree up to a constant a user.
	ShiftOfScores bool
	Sigmoid       bool // the fixture's scores are sigmoids of the inner products
	Stale         bool // its scores after training are by the vectors that the last step began with
}

// Run compares the model that mapping names with every fixture whose name begins with prefix.
func Run(t *testing.T, prefix string, mapping func(path string, f *Fixture) Case) {
	for _, path := range files(t, prefix) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			f := read(t, path)
			c := mapping(path, f)
			in := f.inputs()
			m, err := model.New(c.Model, in, c.Settings)
			if err != nil {
				t.Fatal(err)
			}
			f.load(t, m, c)
			checkScores(t, "scores", m, f.Scores, 1e-4, c, false)
			f.checkTraining(t, m, c, f.batch(t, in))
		})
	}
}

// load replaces the initial parameters by the fixture's.
func (f *Fixture) load(t *testing.T, m model.Model, c Case) {
	if len(m.Params()) != len(c.Names) {
		t.Fatalf("model has %d parameters, the fixture %d", len(m.Params()), len(c.Names))
	}
	for _, p := range m.Params() {
		theirs, ok := f.Params[c.Names[p.Name]]
		shape := theirs.Shape
		if len(shape) == 3 && shape[0] == 1 {
			shape = shape[1:] // a filter that is the same for all rows
		}
		if !ok || fmt.Sprint(shape) != fmt.Sprint(p.Shape()) {
			t.Fatalf("parameter %s has shape %v, the fixture's %q %v", p.Name, p.Shape(), c.Names[p.Name], theirs.Shape)
		}
		copy(p.Value.Data, theirs.Data)
	}
}

// checkTraining compares loss, gradients and ten steps of the trainer's Adam.
func (f *Fixture) checkTraining(t *testing.T, m model.Model, c Case, b model.Batch) {
	tape, adam := autograd.NewTape(), train.NewAdam(m.Params(), 0)
	loss := m.Loss(tape, b)
	tape.Backward(loss)
	closeTo(t, "loss", float64(loss.Scalar()), f.Loss, 1e-4, 1e-5)
	t.Logf("loss off by %.1e", math.Abs(float64(loss.Scalar())-f.Loss))
	f.checkGradients(t, m, c)
	var worst float64
	for step, want := range f.AdamLosses { // a model that does something in the first step of an epoch has done it
		tape.Reset()
		loss := m.Loss(tape, b)
		tape.Backward(loss)
		closeTo(t, fmt.Sprintf("loss before step %d", step+1), float64(loss.Scalar()), want, 1e-3, 1e-5)
		worst = max(worst, math.Abs(float64(loss.Scalar())-want)/want)
		if c.Stale && step == len(f.AdamLosses)-1 {
			checkScores(t, "scores after", m, f.ScoresAfter, 1e-3, c, c.ShiftOfScores)
		}
		adam.Step(0.01)
	}
	t.Logf("losses of the steps off by at most %.1e relative", worst)
	if !c.Stale {
		checkScores(t, "scores after", m, f.ScoresAfter, 1e-3, c, c.ShiftOfScores)
	}
}

func (f *Fixture) checkGradients(t *testing.T, m model.Model, c Case) {
	var worst float64
	for _, p := range m.Params() {
		want := f.GradNorms[c.Names[p.Name]]
		if want == nil || !p.HasGrad() {
			t.Errorf("gradient of %s: ours %v, the fixture's %v", p.Name, p.HasGrad(), want)
			continue
		}
		got := tensor.Norm2(p.Grad.Data)
		closeTo(t, "gradient norm of "+p.Name, got, *want, 1e-3, 1e-6)
		if *want > 1e-6 {
			worst = max(worst, math.Abs(got-*want) / *want)
		}
	}
	t.Logf("gradient norms off by at most %.1e relative", worst)
}

func checkScores(t *testing.T, what string, m model.Model, want array, rel float64, c Case, shifted bool) {
	users, items, err := m.Represent()
	if err != nil {
		t.Fatal(err)
	}
	n := want.Shape[1]
	if users.Rows != want.Shape[0] || items.Rows != n {
		t.Fatalf("%s: %d users and %d items, want %v", what, users.Rows, items.Rows, want.Shape)
	}
	var worst, shift float64
	for u := range users.Rows {
		got, exp := make([]float64, n), make([]float64, n)
		var scale, offset float64
		for i := range n {
			got[i], exp[i] = float64(tensor.Dot(users.Row(u), items.Row(i))), float64(want.Data[u*n+i])
			if c.Sigmoid {
				got[i] = 1 / (1 + math.Exp(-got[i]))
			}
			scale = max(scale, math.Abs(exp[i]))
			offset += (exp[i] - got[i]) / float64(n)
		}
		if !shifted {
			offset = 0
		}
		shift = max(shift, math.Abs(offset))
		for i := range n {
			d := math.Abs(got[i] + offset - exp[i])
			// A score is a sum of terms as large as the row's largest scores.
			if d > 1e-5+rel*scale || math.IsNaN(d) {
				t.Errorf("%s: user %d, item %d: %v, want %v", what, u, i, got[i]+offset, exp[i])
			}
			worst = max(worst, d/scale)
		}
	}
	t.Logf("%s off by at most %.1e of the row's largest (shift %.1e)", what, worst, shift)
}

func closeTo(t *testing.T, what string, got, want, rel, abs float64) {
	t.Helper()
	if d := math.Abs(got - want); d > abs+rel*math.Abs(want) || math.IsNaN(d) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}
