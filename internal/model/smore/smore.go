// Package smore is the recommender SMORE: the items' vectors are filtered in the frequency domain, where two
// modalities are fused by a product. After Ong and Khong (WSDM 2025). With x_m the projected vectors of
// modality m and F the orthonormal Fourier transform over their coordinates,
//
//	y_m = F⁻¹(F x_m · w_m),  y_f = F⁻¹(F x_v · F x_t · w_f)
//	z = K·(I⁰ ⊙ σ(gate(y))),  Z = [R̂ z ; z]                 K_v, K_t frozen, K_f their larger values
//	side = (g_v(C) ⊙ q_v(Z_f) ⊙ Z_v + g_t(C) ⊙ q_t(Z_f) ⊙ Z_t + g_f(C) ⊙ Z_f)/3,  out = C + side
//	loss = BPR(out) + λ·½(‖u‖²+‖p‖²+‖n‖²)/B + c·(NCE(side, C) of positives and of users)
//
// where q is a softmax over coordinates, so that the two modalities enter strongly damped, as published. A
// product of spectra is a circular convolution, and a filter a product with a circulant matrix: no Fourier transform is computed.
package smore

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/gated"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/model/modality"
	"github.com/mllmrec/mllmrec/internal/model/neighbours"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func init() {
	model.Register(model.Spec{
		Name: "smore",
		Doc:  "SMORE (Ong and Khong, WSDM 2025) filters and fuses two modalities of the items' vectors in the frequency domain.",
		Settings: []model.Setting{
			modality.Setting(),
			neighbours.Setting(),
			{Name: "embedding_dim", Kind: model.Int, Default: "64", Min: 2, Max: 4096, Doc: "width of the user and item vectors"},
			{Name: "layers", Kind: model.Int, Default: "4", Min: 0, Max: 16, Doc: "propagation layers over the user–item graph"},
			{Name: "item_layers", Kind: model.Int, Default: "1", Min: 0, Max: 16, Doc: "hops over the item graphs"},
			{Name: "k", Kind: model.Int, Default: "40", Min: 1, Max: 1000, Doc: "nearest items of each item by the first modality, itself included"},
			{Name: "k_second", Kind: model.Int, Default: "15", Min: 1, Max: 1000, Doc: "the same by the second modality"},
			{Name: "contrast_weight", Kind: model.Float, Default: "0.01", Doc: "weight c of the contrastive loss"},
			{Name: "temperature", Kind: model.Float, Default: "0.2", Min: 1e-3, Doc: "temperature of the contrastive loss"},
			{Name: "dropout", Kind: model.Float, Default: "0.1", Max: 0.99, Doc: "share of the behaviour gates' elements that a step leaves out"},
			layers.RegWeight("0.0001"),
			layers.RegBatch(),
		},
		Needs: func(v model.Values) model.Needs {
			return neighbours.Needs(model.Needs{ItemVectors: modality.Of(v)}, v)
		},
		Check:      modality.Two("smore", "fuses"),
		Trainer:    map[string]string{"lr_decay": "0.96"},
		WholeGraph: func(model.Values) bool { return true },
		New:        build,
	})
}

const fused = 2 // place of the fused side, behind the two modalities

type recommender struct {
	model.Base
	gated.Tables
	features    [2]layers.Features
	projections [2]layers.Linear
	queries     [2][2]layers.Linear // hidden and output
	filters     [3]*autograd.Param
	gates       [3]layers.Linear // of the ids
	behave      [3]layers.Linear
	hops        [3]gated.Hop
	basis       *tensor.Matrix // filter → kernel of the convolution
	noise       *layers.Noise
	dropout     float64
	contrast    float32
	tau         float32
	reg         layers.Penalty
}

func build(in model.Inputs, v model.Values) (model.Model, error) {
	names := modality.Of(v)
	d := v.Int("embedding_dim")
	m := &recommender{
		Tables: gated.NewTables(in, gated.Plain(in), d, v.Int("layers")), basis: basis(d), noise: layers.NewNoise(in.Seed), dropout: v.Float("dropout"),
		contrast: float32(v.Float("contrast_weight")), tau: float32(v.Float("temperature")), reg: layers.PenaltyOf(v),
	}
	params := []*autograd.Param{m.Users, m.Items}
	var graphs []*tensor.CSR
	for k, name := range names {
		near := v.Int([]string{"k", "k_second"}[k])
		g, err := neighbours.Of(in, v, name, func(x *tensor.Matrix) (*tensor.CSR, error) { return neighbours.Weighted(x, near) })
		if err != nil {
			return nil, err
		}
		graphs = append(graphs, g)
		m.features[k] = layers.Trainable(name+".features", in.ItemVectors[name])
		m.projections[k] = layers.NewLinear(name+".projection", m.features[k].Width(), d, in.Seed)
		m.queries[k] = [2]layers.Linear{layers.NewLinear(name+".query.hidden", d, d, in.Seed), layers.NewUnbiased(name+".query.output", d, d, in.Seed)}
		params = append(append(params, m.features[k].Params()...), layers.Params(m.projections[k], m.queries[k][0], m.queries[k][1])...)
	}
	graphs = append(graphs, neighbours.Max(graphs...))
	for k, name := range append(names[:2:2], "fused") {
		m.hops[k] = gated.NewHop(graphs[k], v.Int("item_layers"))
		m.filters[k] = autograd.NewParam(name+".filter", d/2+1, 2)
		model.NormalRows(m.filters[k], math.Sqrt2, in.Seed) // both parts N(0, 1)
		m.gates[k] = layers.NewLinear(name+".gate", d, d, in.Seed)
		m.behave[k] = layers.NewLinear(name+".behaviour", d, d, in.Seed)
		params = append(append(params, m.filters[k]), layers.Params(m.gates[k], m.behave[k])...)
	}
	m.Base = model.NewBase("smore", v, params...)
	return m, nil
}

// basis maps a filter, of d/2+1 complex numbers, to the real kernel that convolving with is the same:
// the inverse Fourier transform, which takes no notice of the imaginary parts at frequency 0 and, for an even d, at
// the highest.
func basis(d int) *tensor.Matrix {
	bins := d/2 + 1
	m := tensor.New(d, 2*bins)
	for j := range d {
		row := m.Row(j)
		for f := range bins {
			angle := 2 * math.Pi * float64(f*j%d) / float64(d)
			if f == 0 || 2*f == d {
				row[2*f] = float32(math.Cos(angle) / float64(d))
				continue
			}
			row[2*f], row[2*f+1] = float32(2*math.Cos(angle)/float64(d)), float32(-2*math.Sin(angle)/float64(d))
		}
	}
	return m
}

// filter returns x with its spectrum multiplied by a filter.
func (m *recommender) filter(t *autograd.Tape, x *autograd.Var, filter *autograd.Param) *autograd.Var {
	d := x.Cols()
	kernel := t.MatMul(t.Const(m.basis), false, t.Reshape(t.Param(filter), 2*filter.Value.Rows, 1), false) // d×1
	shifted := t.Indices(d * d)                                                                            // [i, j] is kernel (j−i) mod d
	for i := range d {
		for j := range d {
			shifted[i*d+j] = int32((j - i + d) % d)
		}
	}
	return t.MatMul(x, false, t.Reshape(t.Gather(kernel, shifted), d, d), false)
}

// StartEpoch implements model.EpochStarter.
func (m *recommender) StartEpoch(epoch int) error {
	m.noise.StartEpoch(epoch)
	return nil
}

// forward returns the collaborative vectors of all nodes and those of their sides; dropout is that of
// the gates.
func (m *recommender) forward(t *autograd.Tape, dropout float64) (c, sides *autograd.Var) {
	items := t.Param(m.Items)
	c = m.Collaborative(t, t.Param(m.Users), items)
	var x [2]*autograd.Var
	for k := range x {
		x[k] = m.projections[k].Apply(t, m.features[k].On(t))
	}
	spectrum := [3]*autograd.Var{x[0], x[1], t.Scale(float32(1/math.Sqrt(float64(items.Cols()))), t.Convolve(x[1], x[0]))}
	var z [3]*autograd.Var
	for k := range z {
		gate := m.gates[k].Gate(t, m.filter(t, spectrum[k], m.filters[k]))
		z[k] = m.Lift(t, m.hops[k].Over(t, t.Mul(items, gate)))
	}
	var parts []*autograd.Var
	for k := range z {
		g := m.noise.Dropout(t, m.behave[k].Gate(t, c), "smore "+m.behave[k].Weight.Name, dropout)
		if k != fused {
			q := m.queries[k]
			g = t.Mul(g, t.SoftmaxRows(q[1].Apply(t, t.Tanh(q[0].Apply(t, z[fused])))))
		}
		parts = append(parts, t.Mul(g, z[k]))
	}
	return c, t.Mean(parts...)
}

// Loss implements model.Model.
func (m *recommender) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	m.noise.StartStep()
	c, sides := m.forward(t, m.dropout)
	out := m.Gather(t, t.Add(c, sides), b)
	loss := m.reg.Add(t, out.BPR(t), out.U, out.P, out.N)
	if m.contrast == 0 {
		return loss
	}
	return t.Add(loss, t.Scale(m.contrast, gated.Agree(t, m.Gather(t, sides, b), m.Gather(t, c, b), m.tau)))
}

// Represent implements model.Model.
func (m *recommender) Represent() (users, items *tensor.Matrix, err error) {
	t := autograd.NewTape()
	c, sides := m.forward(t, 0)
	return m.Tables.Represent(t.Add(c, sides))
}
