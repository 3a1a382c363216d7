package mmssl

import (
	"math"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

const slope = 0.2 // of the critic's LeakyReLU on negative numbers

// critic tells rows of users over all items that a modality foretells from those of their choices. Between the
// bends of its LeakyReLU it is linear, so that its gradient by its input is a product of its weights, to which the tape
// knows the derivatives.
type critic struct {
	first, second, last layers.Linear
	train               *dataset.Histories
	users               int
	gamma, penalty      float32
	real, noise         float32
}

func newCritic(in model.Inputs, v model.Values) *critic {
	h := v.Int("critic_dim")
	c := &critic{
		first: layers.NewLinear("critic.first", in.Items, h, in.Seed), second: layers.NewLinear("critic.second", h, h/2, in.Seed), last: layers.NewUnbiased("critic.last", h/2, 1, in.Seed),
		train: in.Train, users: v.Int("critic_users"), gamma: float32(v.Float("adversarial_weight")), penalty: float32(v.Float("gradient_penalty")),
		real: float32(v.Float("real_weight")), noise: float32(v.Float("noise")),
	}
	for _, l := range []layers.Linear{c.first, c.second, c.last} { // as public code draws them
		model.NormalRows(l.Weight, math.Sqrt2, in.Seed)
	}
	clear(c.first.Bias.Value.Data)
	clear(c.second.Bias.Value.Data)
	return c
}

func (c *critic) params() []*autograd.Param { return layers.Params(c.first, c.second, c.last) }

// judged are what the critic says of rows, and the signs of its hidden layers there.
type judged struct{ value, first, second *autograd.Var }

func (c *critic) judge(t *autograd.Tape, x *autograd.Var) judged {
	first := t.LinearLeakyReLU(x, t.Param(c.first.Weight), t.Param(c.first.Bias), slope)
	second := t.LinearLeakyReLU(first, t.Param(c.second.Weight), t.Param(c.second.Bias), slope)
	return judged{c.last.Apply(t, second), first, second}
}

// loss is what the critic makes small and the modalities, turned, large.
func (c *critic) loss(t *autograd.Tape, noise *layers.Noise, v views, users []int32) *autograd.Var {
	users = users[:min(len(users), c.users)]
	open := c.open(t, users)
	real := c.realRows(t, noise, open, rank(t, pair{t.Const(v.out.users.Value), t.Const(v.out.items.Value)}, users, open))
	var fakes, reals []*autograd.Var
	for _, f := range v.content {
		fakes, reals = append(fakes, rank(t, f, users, open)), append(reals, real)
	}
	fake, genuine := t.ConcatRows(fakes...), t.ConcatRows(reals...)
	terms := []*autograd.Var{layers.Mean(t, 1, c.judge(t, t.Turn(fake, -c.gamma)).value), layers.Mean(t, -1, c.judge(t, real).value)}
	if c.penalty != 0 {
		terms = append(terms, c.steep(t, mixed(t, noise, genuine.Value, fake.Value)))
	}
	return t.Add(terms...)
}

// open has a row for each user: 0 where he chose an item, else 1.
func (c *critic) open(t *autograd.Tape, users []int32) *autograd.Var {
	m := t.Buffer(len(users), c.train.NumItems())
	for i := range m.Data {
		m.Data[i] = 1
	}
	for r, u := range users {
		for _, i := range c.train.Items(int(u)) {
			m.Row(r)[i] = 0
		}
	}
	return t.Const(m)
}

// rank is un((users · itemsᵀ) ⊙ open).
func rank(t *autograd.Tape, v pair, users []int32, open *autograd.Var) *autograd.Var {
	return t.NormalizeRows(t.Mul(t.MatMul(t.Gather(v.users, users), false, v.items, true), open), least)
}

// realRows are un(softmax(R_u + ν g) + κ own), constants.
func (c *critic) realRows(t *autograd.Tape, noise *layers.Noise, open, own *autograd.Var) *autograd.Var {
	m := t.Buffer(own.Rows(), own.Cols())
	clear(m.Data)
	if c.noise != 0 {
		g := noise.Uniform(t, "mmssl gumbel", m.Rows, m.Cols).Value
		tensor.Parallel(m.Rows, 8, func(lo, hi int) {
			for r := lo; r < hi; r++ {
				row := m.Row(r)
				for j, u := range g.Row(r) {
					row[j] = -c.noise * float32(math.Log(-math.Log(float64(u)+1e-8)+1e-8))
				}
			}
		})
	}
	for i, x := range open.Value.Data {
		m.Data[i] += 1 - x
	}
	return t.Const(t.NormalizeRows(t.Add(t.SoftmaxRows(t.Const(m)), t.Scale(c.real, own)), least).Value)
}

// mixed are mixtures of rows, each with a share of its own, constants.
func mixed(t *autograd.Tape, noise *layers.Noise, real, fake *tensor.Matrix) *autograd.Var {
	share := noise.Uniform(t, "mmssl mixtures", real.Rows, 1).Value
	m := t.Buffer(real.Rows, real.Cols)
	for r := range m.Rows {
		row, a, b, s := m.Row(r), real.Row(r), fake.Row(r), share.Data[r]
		for j := range row {
			row[j] = s*a[j] + (1-s)*b[j]
		}
	}
	return t.Const(m)
}

// steep is μ times the mean of (‖∇D‖ − 1)² over rows.
func (c *critic) steep(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	d := c.judge(t, x)
	bend := func(h *autograd.Var) *autograd.Var {
		m := t.Buffer(h.Rows(), h.Cols())
		for i, y := range h.Value.Data {
			m.Data[i] = 1
			if y < 0 {
				m.Data[i] = slope
			}
		}
		return t.Const(m)
	}
	g := t.Mul(t.MatMul(layers.Constant(t, x.Rows(), 1, 1), false, t.Param(c.last.Weight), false), bend(d.second))
	g = t.Mul(t.MatMul(g, false, t.Param(c.second.Weight), false), bend(d.first))
	g = t.MatMul(g, false, t.Param(c.first.Weight), false)
	length := t.RowDots(g, nil, t.NormalizeRows(g, least), nil)
	return t.SquaredNorm(float64(c.penalty)/float64(x.Rows()), t.Add(length, layers.Constant(t, x.Rows(), 1, -1)))
}
