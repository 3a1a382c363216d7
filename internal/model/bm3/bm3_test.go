package bm3_test

import (
	"math"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"

	_ "github.com/mllmrec/mllmrec/internal/model/bm3"
)

var batch = model.Batch{Users: []int32{0, 1, 2, 2, 5}, Pos: []int32{3, 1, 4, 3, 9}, Neg: []int32{7, 8, 2, 1, 0}}

func build(t *testing.T, settings map[string]string) (model.Model, model.EpochStarter) {
	t.Helper()
	in := modeltest.Make(modeltest.Shape{Users: 20, Items: 15, Train: 80, Width: 8, Tastes: 3}, 1).Inputs
	all := map[string]string{"embedding_dim": "6", "modalities": "visual,text"}
	for k, v := range settings {
		all[k] = v
	}
	m, err := model.New("bm3", in, all)
	if err != nil {
		t.Fatal(err)
	}
	return m, m.(model.EpochStarter)
}

func loss(m model.Model, b model.Batch) float32 {
	t := autograd.NewTape()
	l := m.Loss(t, b)
	t.Backward(l)
	return l.Scalar()
}

func TestNegativesAreNotRead(t *testing.T) {
	m, epochs := build(t, nil)
	other := batch
	other.Neg = []int32{-1, 1 << 20, 2, 2, 2}
	_ = epochs.StartEpoch(1)
	want := loss(m, batch)
	_ = epochs.StartEpoch(1)
	if got := loss(m, other); got != want {
		t.Errorf("loss %g with other negatives, %g before", got, want)
	}
}

// A step drops out other elements than the one before, and an epoch that begins again the same.
func TestDropoutGoesByEpochAndStep(t *testing.T) {
	m, epochs := build(t, nil)
	var seen []float32
	for _, epoch := range []int{1, 2, 1} {
		_ = epochs.StartEpoch(epoch)
		seen = append(seen, loss(m, batch), loss(m, batch))
	}
	if !slices.Equal(seen[:2], seen[4:]) {
		t.Errorf("the first epoch had losses %v, again %v", seen[:2], seen[4:])
	}
	slices.Sort(seen[:4])
	if len(slices.Compact(seen[:4])) != 4 {
		t.Errorf("losses of four steps: %v", seen[:4])
	}
}

// Held targets have the loss of moving ones and other gradients: what is foretold does not come towards who foretells it. Without
// propagation, an item learns from foretelling its users alone, and so not at all where the predictor foretells nothing of it.
func TestTargetsAreHeld(t *testing.T) {
	still := map[string]string{"layers": "0", "reg_weight": "0", "contrast_weight": "0", "dropout": "0"}
	moved := map[string]string{"targets": "moving"}
	for k, v := range still {
		moved[k] = v
	}
	gradients := map[string][]float64{}
	losses := map[string]float32{}
	for targets, settings := range map[string]map[string]string{"held": still, "moving": moved} {
		m, epochs := build(t, settings)
		for _, p := range m.Params() {
			if p.Name == "predictor.weight" { // what is foretold depends on the bias alone
				clear(p.Value.Data)
			}
		}
		_ = epochs.StartEpoch(1)
		losses[targets] = loss(m, batch)
		for _, p := range m.Params() {
			if p.Name == "item_embedding" {
				var largest float64
				for _, g := range p.DenseGrad() {
					largest = max(largest, math.Abs(float64(g)))
				}
				gradients[targets] = append(gradients[targets], largest)
			}
		}
	}
	if losses["held"] != losses["moving"] {
		t.Errorf("losses %v", losses)
	}
	if gradients["held"][0] != 0 || gradients["moving"][0] == 0 {
		t.Errorf("largest gradients of an item: %v", gradients)
	}
}

// Where all views of a pair point the same way, nothing is left to foretell: the loss is 0.
func TestPerfectForesightCostsNothing(t *testing.T) {
	m, epochs := build(t, map[string]string{"reg_weight": "0", "dropout": "0"})
	for _, p := range m.Params() {
		switch p.Name {
		case "predictor.weight", "visual.projection.weight", "text.projection.weight":
			clear(p.Value.Data)
		default:
			for i := range p.Value.Data {
				p.Value.Data[i] = 1
			}
		}
	}
	_ = epochs.StartEpoch(1)
	if got := loss(m, batch); math.Abs(float64(got)) > 1e-5 {
		t.Errorf("loss %g", got)
	}
}
