package lattice_test

import (
	"math"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"

	_ "github.com/mllmrec/mllmrec/internal/model/lattice"
)

func made(t *testing.T, settings map[string]string) (model.Model, model.Inputs) {
	t.Helper()
	in := modeltest.Make(modeltest.Shape{Users: 20, Items: 15, Train: 80, Width: 8, Tastes: 3}, 1).Inputs
	m, err := model.New("lattice", in, settings)
	if err != nil {
		t.Fatal(err)
	}
	return m, in
}

// reached names the parameters that a step has a gradient for.
func reached(m model.Model, in model.Inputs, tape *autograd.Tape) map[string]bool {
	tape.Reset()
	tape.Backward(m.Loss(tape, model.Batch{Users: []int32{0, 3}, Pos: []int32{in.Train.Items(0)[0], in.Train.Items(3)[0]}, Neg: []int32{2, 9}, Rows: []int32{0, 0}}))
	names := map[string]bool{}
	for _, p := range m.Params() {
		names[p.Name] = p.HasGrad()
	}
	return names
}

// The graph learns in the first step of an epoch alone; in the others its parameters stand still.
func TestGraphLearnsInTheFirstStepOfAnEpoch(t *testing.T) {
	m, in := made(t, nil)
	tape := autograd.NewTape()
	for epoch := 1; epoch <= 2; epoch++ {
		if err := m.(model.EpochStarter).StartEpoch(epoch); err != nil {
			t.Fatal(err)
		}
		for step := range 3 {
			for name, has := range reached(m, in, tape) {
				table := name == "user_embedding" || name == "item_embedding"
				if has != (table || step == 0) {
					t.Errorf("epoch %d, step %d: %s has a gradient: %v", epoch, step+1, name, has)
				}
			}
		}
	}
}

// Parameters that are not finite show in the loss, and ranking by them is refused: neither goes on with
// a graph without edges.
func TestParametersThatAreNotFiniteShow(t *testing.T) {
	m, _ := made(t, nil)
	for _, p := range m.Params() {
		if p.Name == "text.projection.weight" {
			p.Value.Data[0] = float32(math.Inf(1))
		}
	}
	tape := autograd.NewTape()
	tape.Reset()
	if loss := m.Loss(tape, model.Batch{Users: []int32{0}, Pos: []int32{1}, Neg: []int32{2}, Rows: []int32{0}}).Scalar(); loss == loss {
		t.Errorf("loss %g", loss)
	}
	if _, _, err := m.Represent(); err == nil {
		t.Error("vectors of parameters that are not finite")
	}
}

// With graph=refined the refined graph stands in the place of the frozen ones: what it links counts.
func TestRefinedGraphIsUsed(t *testing.T) {
	m, in := made(t, map[string]string{"graph": "refined"})
	_, before, err := m.Represent()
	if err != nil {
		t.Fatal(err)
	}
	alone := in
	alone.Graph = &tensor.CSR{Rows: in.Items, Cols: in.Items, Indptr: make([]int64, in.Items+1)}
	for i := range in.Items {
		alone.Graph.Indices, alone.Graph.Values = append(alone.Graph.Indices, int32(i)), append(alone.Graph.Values, 1)
		alone.Graph.Indptr[i+1] = int64(i + 1)
	}
	other, err := model.New("lattice", alone, map[string]string{"graph": "refined"})
	if err != nil {
		t.Fatal(err)
	}
	_, after, err := other.Represent()
	if err != nil {
		t.Fatal(err)
	}
	same := true
	for k, v := range before.Data {
		same = same && v == after.Data[k]
	}
	if same {
		t.Error("another refined graph changes nothing")
	}
}
