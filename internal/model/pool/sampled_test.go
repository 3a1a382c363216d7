package pool

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// The sum that the softmax divides by must be, on average over the batches that a row may be in
// and over the draws, the sum over the whole catalogue: else rare items would be taught to rank
// wrongly, however long training is.
func TestSampledSoftmaxIsUnbiased(t *testing.T) {
	data := modeltest.Make(tiny30, 1)
	in := data.Inputs
	m := mustNew(t, in, map[string]string{"softmax": "sampled", "negatives": "3", "scale": "3"})
	all := allRows(in)
	items := m.output.Value.Clone()
	items.NormalizeRows(tiny)
	const row, batch, draws = 17, 6, 20000
	user := pooled(m.input.Value, [][]int32{in.Train.Items(int(all.Users[row]))}, m.trainDecay)
	weight := func(i int32) float64 { return math.Exp(3 * float64(tensor.Dot(user.Row(0), items.Row(int(i))))) }
	var want float64
	for i := range in.Items {
		want += weight(int32(i))
	}
	r := rand.New(rand.NewPCG(5, 5))
	tape := autograd.NewTape()
	var sum, squares float64
	for range draws {
		tape.Reset()
		b := batchWith(all, row, batch, r)
		c := m.sampler.draw(tape, b, b.Pos)
		var z float64
		for k, i := range c.items {
			if int32(k) == c.target[0] {
				z += weight(i)
			} else {
				z += weight(i) * math.Exp(float64(c.offset[k]))
			}
		}
		sum, squares = sum+z, squares+z*z
	}
	mean := sum / draws
	se := math.Sqrt((squares/draws - mean*mean) / draws)
	if math.Abs(mean-want) > 4*se {
		t.Errorf("mean of the sampled sums %.4f ± %.4f, over the whole catalogue %.4f", mean, se, want)
	}
	if se > 0.01*want {
		t.Errorf("a standard error of %.4f on %.4f shows nothing", se, want)
	}
}

// batchWith returns a batch of the given row and others at random, no row twice.
func batchWith(all model.Batch, row, n int, r *rand.Rand) (b model.Batch) {
	taken := []int{row}
	for len(taken) < n {
		if k := r.IntN(len(all.Rows)); !slices.Contains(taken, k) {
			taken = append(taken, k)
		}
	}
	for _, k := range taken {
		b.Rows, b.Users, b.Pos, b.Neg = append(b.Rows, all.Rows[k]), append(b.Users, all.Users[k]), append(b.Pos, all.Pos[k]), append(b.Neg, 0)
	}
	return b
}

// With many draws the sample is the catalogue, and so must be the loss and its gradients.
func TestManyNegativesGiveTheFullSoftmax(t *testing.T) {
	in := modeltest.Make(tiny30, 1).Inputs
	b := allRows(in)
	of := func(settings map[string]string) (float64, *recommender) {
		m := mustNew(t, in, settings)
		tape := autograd.NewTape()
		loss := m.Loss(tape, b)
		tape.Backward(loss)
		return float64(loss.Scalar()), m
	}
	full, a := of(map[string]string{"softmax": "full"})
	sampled, c := of(map[string]string{"softmax": "sampled", "negatives": "1000000"})
	if math.Abs(full-sampled) > 0.005*full {
		t.Errorf("loss %v in full, %v of a million draws", full, sampled)
	}
	for k, p := range a.Params() {
		other := c.Params()[k].Grad.Data
		norm := tensor.Norm2(p.Grad.Data)
		diff := slices.Clone(other)
		tensor.Axpy(-1, p.Grad.Data, diff)
		if d := tensor.Norm2(diff); !(d < 0.01*norm) {
			t.Errorf("%s: gradients differ by %v of %v", p.Name, d, norm)
		}
	}
}

// A resumed run must draw what the interrupted one would have drawn: the draws follow the batch,
// whatever was drawn before.
func TestDrawsFollowTheBatch(t *testing.T) {
	in := modeltest.Make(tiny30, 1).Inputs
	all := allRows(in)
	r := rand.New(rand.NewPCG(1, 1))
	first, second := batchWith(all, 3, 20, r), batchWith(all, 4, 20, r)
	loss := func(batches ...model.Batch) (last float32) {
		m := mustNew(t, in, map[string]string{"softmax": "sampled", "negatives": "7"})
		tape := autograd.NewTape()
		for _, b := range batches {
			tape.Reset()
			last = m.Loss(tape, b).Scalar()
		}
		return last
	}
	if loss(second) != loss(first, second) {
		t.Error("the loss of a batch depends on the batch before")
	}
	if loss(first, first) == loss(first, second) {
		t.Error("two batches have one loss: the test shows nothing")
	}
}

func TestAutoSamplesLargeCatalogues(t *testing.T) {
	in := modeltest.Make(tiny30, 1).Inputs
	if m := mustNew(t, in, map[string]string{"full_up_to": "24"}); m.sampler != nil {
		t.Error("a catalogue of 24 items is sampled where 24 are taken in full")
	}
	if m := mustNew(t, in, map[string]string{"full_up_to": "23", "negatives": "9"}); m.sampler == nil || m.sampler.negatives != 9 {
		t.Error("a catalogue of 24 items is taken in full where 23 are")
	}
}
