package mmssl

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

var batch = model.Batch{Users: []int32{0, 1, 2, 2, 5}, Pos: []int32{3, 1, 4, 3, 9}, Neg: []int32{7, 8, 2, 1, 0}}

func newModel(t *testing.T, settings map[string]string) *recommender {
	t.Helper()
	in := modeltest.Make(modeltest.Shape{Users: 20, Items: 15, Train: 80, Width: 8, Tastes: 3}, 1).Inputs
	all := map[string]string{"embedding_dim": "6", "modalities": "visual,text", "critic_dim": "8"}
	maps.Copy(all, settings)
	m, err := model.New("mmssl", in, all)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*recommender)
}

// step returns the loss of an epoch's first step and the gradients.
func step(m *recommender, epoch int) (float32, map[string][]float32) {
	t := autograd.NewTape()
	_ = m.StartEpoch(epoch)
	l := m.Loss(t, batch)
	t.Backward(l)
	gradients := map[string][]float32{}
	for _, p := range m.Params() {
		gradients[p.Name] = slices.Clone(p.DenseGrad())
	}
	return l.Scalar(), gradients
}

// The modalities learn γ times the opposite of what the critic learns, the ids nothing of it, since real rows are
// held, and the critic does not know γ.
func TestCriticAndModalitiesAreAdversaries(t *testing.T) {
	_, none := step(newModel(t, map[string]string{"adversarial_weight": "0"}), 1)
	_, once := step(newModel(t, map[string]string{"adversarial_weight": "0.5"}), 1)
	_, twice := step(newModel(t, map[string]string{"adversarial_weight": "1"}), 1)
	for name, g := range once {
		switch {
		case none[name] == nil: // the critic's
			if !slices.Equal(g, twice[name]) || tensor.Norm2(g) == 0 {
				t.Errorf("%s: the gradient depends on the weight, or is none", name)
			}
		case name == "user_embedding" || name == "item_embedding" || name == "merge.weight" || name == "query.weight" || name == "key.weight":
			if !slices.Equal(g, none[name]) {
				t.Errorf("%s learns from the critic", name)
			}
		default:
			var off, size float64
			for i := range g {
				a, b := float64(g[i]-none[name][i]), float64(twice[name][i]-none[name][i])
				off, size = max(off, math.Abs(2*a-b)), max(size, math.Abs(b))
			}
			if size == 0 || off > 1e-4*size {
				t.Errorf("%s: twice the weight is off by %g of %g", name, off, size)
			}
		}
	}
}

// A modality that follows what it learns from the critic makes the critic's loss larger.
func TestModalitiesWorkAgainstTheCritic(t *testing.T) {
	m := newModel(t, map[string]string{"adversarial_weight": "1", "gradient_penalty": "0", "dropout": "0"})
	judge := func() *autograd.Var {
		tape := autograd.NewTape()
		_ = m.StartEpoch(1)
		m.noise.StartStep()
		v := m.forward(tape, 0)
		loss := m.critic.loss(tape, m.noise, views{out: pair{tape.Const(v.out.users.Value.Clone()), tape.Const(v.out.items.Value.Clone())}, content: v.content}, batch.Users)
		tape.Backward(loss)
		return loss
	}
	before := judge().Scalar()
	p := m.projections[0].Weight
	gradient := slices.Clone(p.DenseGrad())
	tensor.Axpy(float32(-1e-2/tensor.Norm2(gradient)), gradient, p.Value.Data)
	if after := judge().Scalar(); after <= before {
		t.Errorf("the critic's loss is %g after a step of a modality, %g before", after, before)
	}
}

// What steep says is the definition: μ times the mean of (‖∇D‖ − 1)², ∇D by central differences; and its gradients
// are its derivatives.
func TestSlopeOfTheCritic(t *testing.T) {
	m := newModel(t, map[string]string{"gradient_penalty": "0.7"})
	x := tensor.New(4, 15)
	for i := range x.Data {
		x.Data[i] = float32(math.Sin(float64(3*i + 1)))
	}
	value := func(x *tensor.Matrix, r int) float64 {
		tape := autograd.NewTape()
		return float64(m.critic.judge(tape, tape.Const(x)).value.Value.Data[r])
	}
	var want float64
	for r := range x.Rows {
		var square float64
		for j := range x.Cols {
			const h = 1e-2
			up, down := x.Clone(), x.Clone()
			up.Row(r)[j] += h
			down.Row(r)[j] -= h
			d := (value(up, r) - value(down, r)) / (2 * h)
			square += d * d
		}
		want += 0.7 / float64(x.Rows) * (math.Sqrt(square) - 1) * (math.Sqrt(square) - 1)
	}
	steep := func() *autograd.Var {
		tape := autograd.NewTape()
		s := m.critic.steep(tape, tape.Const(x))
		tape.Backward(s)
		return s
	}
	if got := float64(steep().Scalar()); math.Abs(got-want) > 2e-3*want {
		t.Errorf("penalty %g, by differences %g", got, want)
	}
	for _, p := range []*autograd.Param{m.critic.first.Weight, m.critic.second.Weight, m.critic.last.Weight} {
		steep()
		g, start := slices.Clone(p.Grad.Data), slices.Clone(p.Value.Data)
		norm := tensor.Norm2(g)
		at := func(h float64) float64 {
			copy(p.Value.Data, start)
			tensor.Axpy(float32(h/norm), g, p.Value.Data)
			return float64(steep().Scalar())
		}
		d := (at(1e-3) - at(-1e-3)) / 2e-3
		copy(p.Value.Data, start)
		if math.Abs(d-norm) > 0.01*norm {
			t.Errorf("%s: the penalty rises by %g along its gradient of length %g", p.Name, d, norm)
		}
	}
}

// Real and fake rows have length 1, and fake ones nothing where the user chose.
func TestRowsThatTheCriticIsShown(t *testing.T) {
	m, tape := newModel(t, nil), autograd.NewTape()
	_ = m.StartEpoch(1)
	m.noise.StartStep()
	v := m.forward(tape, 0)
	open := m.critic.open(tape, batch.Users)
	fake := rank(tape, v.content[0], batch.Users, open)
	real := m.critic.realRows(tape, m.noise, open, rank(tape, v.out, batch.Users, open))
	for r, u := range batch.Users {
		for _, i := range m.critic.train.Items(int(u)) {
			if fake.Value.Row(r)[i] != 0 || real.Value.Row(r)[i] <= 0 {
				t.Errorf("user %d, item %d: fake %g, real %g", u, i, fake.Value.Row(r)[i], real.Value.Row(r)[i])
			}
		}
		for what, x := range map[string]*tensor.Matrix{"fake": fake.Value, "real": real.Value} {
			if n := tensor.Norm2(x.Row(r)); math.Abs(n-1) > 1e-5 {
				t.Errorf("a %s row of user %d is %g long", what, u, n)
			}
		}
	}
}

// What is drawn by lot goes by epoch and step.
func TestNoiseGoesByEpoch(t *testing.T) {
	m := newModel(t, nil)
	first, a := step(m, 1)
	other, _ := step(m, 2)
	again, b := step(m, 1)
	if first != again || first == other || !slices.Equal(a["critic.first.weight"], b["critic.first.weight"]) {
		t.Errorf("losses %g and again %g; of another epoch %g", first, again, other)
	}
}
