package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// An opCase states an operation twice: on the tape, and as a float64 function
// written from its definition, which gives both the expected value and, through
// central differences, the expected gradient.
type opCase struct {
	name   string
	shapes [][2]int
	op     func(t *Tape, in []*Var) *Var
	ref    func(in []mat) mat
}

// mat is a float64 matrix of the references.
type mat struct {
	r, c int
	x    []float64
}

func zeros(r, c int) mat          { return mat{r, c, make([]float64, r*c)} }
func (m mat) at(i, j int) float64 { return m.x[i*m.c+j] }
func (m mat) row(i int) []float64 { return m.x[i*m.c : (i+1)*m.c] }
func (m mat) each(f func(float64) float64) mat {
	out := zeros(m.r, m.c)
	for i, v := range m.x {
		out.x[i] = f(v)
	}
	return out
}

func leaky(v float64) float64 { return max(v, 0.01*v) }

func linearRef(in []mat) mat {
	x, w := in[0], in[1]
	out := zeros(x.r, w.r)
	for i := range x.r {
		for o := range w.r {
			var s float64
			if len(in) > 2 {
				s = in[2].x[o]
			}
			for j := range x.c {
				s += x.at(i, j) * w.at(o, j)
			}
			out.x[i*w.r+o] = s
		}
	}
	return out
}

func denseRef(s *tensor.CSR, x mat) mat {
	out := zeros(s.Rows, x.c)
	for i := range s.Rows {
		cols, vals := s.Row(i)
		for e, c := range cols {
			for j := range x.c {
				out.x[i*x.c+j] += float64(vals[e]) * x.at(int(c), j)
			}
		}
	}
	return out
}

// lopsided is a sparse matrix that equals neither its transpose nor itself scaled,
// with an empty row and an empty column.
var lopsided = &tensor.CSR{Rows: 5, Cols: 5, Indptr: []int64{0, 2, 2, 5, 6, 7},
	Indices: []int32{0, 3, 1, 3, 4, 0, 4}, Values: []float32{0.5, -0.7, 1.1, 0.3, 0.9, -0.4, 0.8}}

var wide = &tensor.CSR{Rows: 3, Cols: 5, Indptr: []int64{0, 2, 2, 5},
	Indices: []int32{0, 3, 1, 3, 4}, Values: []float32{0.5, -0.7, 1.1, 0.3, 0.9}}

var opCases = []opCase{
	{"linear", [][2]int{{7, 5}, {4, 5}, {1, 4}},
		func(t *Tape, in []*Var) *Var { return t.Linear(in[0], in[1], in[2]) }, linearRef},
	{"linear without bias", [][2]int{{7, 5}, {4, 5}},
		func(t *Tape, in []*Var) *Var { return t.Linear(in[0], in[1], nil) }, linearRef},
	{"linear leaky", [][2]int{{7, 5}, {4, 5}, {1, 4}},
		func(t *Tape, in []*Var) *Var { return t.LinearLeakyReLU(in[0], in[1], in[2], 0.01) },
		func(in []mat) mat { return linearRef(in).each(leaky) }},
	{"linear leaky without bias", [][2]int{{7, 5}, {4, 5}},
		func(t *Tape, in []*Var) *Var { return t.LinearLeakyReLU(in[0], in[1], nil, 0.01) },
		func(in []mat) mat { return linearRef(in).each(leaky) }},
	{"leaky", [][2]int{{6, 3}},
		func(t *Tape, in []*Var) *Var { return t.LeakyReLU(in[0], 0.01) },
		func(in []mat) mat { return in[0].each(leaky) }},
	{"gather with repeats", [][2]int{{4, 3}},
		func(t *Tape, in []*Var) *Var { return t.Gather(in[0], []int32{2, 0, 2, 2, 3}) },
		func(in []mat) mat {
			out := zeros(5, 3)
			for r, i := range []int{2, 0, 2, 2, 3} {
				copy(out.row(r), in[0].row(i))
			}
			return out
		}},
	{"row dots", [][2]int{{4, 6}, {3, 6}},
		func(t *Tape, in []*Var) *Var {
			return t.RowDots(in[0], []int32{3, 0, 3, 1, 1}, in[1], []int32{2, 2, 0, 1, 1})
		},
		func(in []mat) mat { return dotsRef(in, []int{3, 0, 3, 1, 1}, []int{2, 2, 0, 1, 1}) }},
	{"row dots in order", [][2]int{{3, 6}, {3, 6}},
		func(t *Tape, in []*Var) *Var { return t.RowDots(in[0], nil, in[1], nil) },
		func(in []mat) mat { return dotsRef(in, []int{0, 1, 2}, []int{0, 1, 2}) }},
	{"row dots, one side in order", [][2]int{{3, 6}, {2, 6}},
		func(t *Tape, in []*Var) *Var { return t.RowDots(in[0], nil, in[1], []int32{1, 1, 0}) },
		func(in []mat) mat { return dotsRef(in, []int{0, 1, 2}, []int{1, 1, 0}) }},
	{"row dots within one variable", [][2]int{{4, 6}},
		func(t *Tape, in []*Var) *Var {
			return t.RowDots(in[0], []int32{3, 0, 3, 1, 1}, in[0], []int32{2, 2, 0, 1, 3})
		},
		func(in []mat) mat { return dotsRef([]mat{in[0], in[0]}, []int{3, 0, 3, 1, 1}, []int{2, 2, 0, 1, 3}) }},
	{"add", [][2]int{{3, 4}, {3, 4}, {3, 4}},
		func(t *Tape, in []*Var) *Var { return t.Add(in...) },
		func(in []mat) mat { return sumRef(in, 1) }},
	{"mean", [][2]int{{3, 4}, {3, 4}, {3, 4}},
		func(t *Tape, in []*Var) *Var { return t.Mean(in...) },
		func(in []mat) mat { return sumRef(in, 1.0/3) }},
	{"scale", [][2]int{{3, 4}},
		func(t *Tape, in []*Var) *Var { return t.Scale(-2.5, in[0]) },
		func(in []mat) mat { return sumRef(in, -2.5) }},
	{"normalise rows", [][2]int{{5, 4}},
		func(t *Tape, in []*Var) *Var { return t.NormalizeRows(in[0], 1e-12) },
		func(in []mat) mat { return normalizeRef(in[0], 1e-12) }},
	{"normalise rows below eps", [][2]int{{5, 4}},
		func(t *Tape, in []*Var) *Var { return t.NormalizeRows(in[0], 50) },
		func(in []mat) mat { return normalizeRef(in[0], 50) }},
	{"concatenate rows", [][2]int{{2, 3}, {4, 3}, {1, 3}},
		func(t *Tape, in []*Var) *Var { return t.ConcatRows(in...) },
		func(in []mat) mat {
			out := mat{c: 3}
			for _, m := range in {
				out.r += m.r
				out.x = append(out.x, m.x...)
			}
			return out
		}},
	{"slice rows", [][2]int{{5, 3}},
		func(t *Tape, in []*Var) *Var { return t.SliceRows(in[0], 1, 4) },
		func(in []mat) mat { return mat{3, 3, in[0].x[3:12]} }},
	{"sparse product", [][2]int{{5, 3}},
		func(t *Tape, in []*Var) *Var { return t.SpMM(wide, wide.Transpose(), in[0]) },
		func(in []mat) mat { return denseRef(wide, in[0]) }},
	{"propagate, no layer", [][2]int{{5, 3}}, propagate(0, 0.5), propagateRef(0, 0.5)},
	{"propagate, one layer", [][2]int{{5, 3}}, propagate(1, 1), propagateRef(1, 1)},
	{"propagate, two layers", [][2]int{{5, 3}}, propagate(2, 1.0/3), propagateRef(2, 1.0/3)},
	{"propagate, three layers", [][2]int{{5, 3}}, propagate(3, 0.25), propagateRef(3, 0.25)},
	{"propagate to rows, no layer", [][2]int{{5, 3}}, propagateRows(0, 0.5), pick(propagateRef(0, 0.5))},
	{"propagate to rows, one layer", [][2]int{{5, 3}}, propagateRows(1, 1), pick(propagateRef(1, 1))},
	{"propagate to rows, two layers", [][2]int{{5, 3}}, propagateRows(2, 1.0/3), pick(propagateRef(2, 1.0/3))},
	{"propagate to rows, three layers", [][2]int{{5, 3}}, propagateRows(3, 0.25), pick(propagateRef(3, 0.25))},
	{"embedding norm", [][2]int{{3, 4}, {5, 4}},
		func(t *Tape, in []*Var) *Var { return t.EmbNorm(in...) },
		func(in []mat) mat {
			var s float64
			for _, m := range in {
				var q float64
				for _, v := range m.x {
					q += v * v
				}
				s += math.Sqrt(q)
			}
			return mat{1, 1, []float64{s / 5}}
		}},
	{"bpr", [][2]int{{6, 1}, {6, 1}},
		func(t *Tape, in []*Var) *Var { return t.BPR(in[0], in[1]) }, bprRef(0)},
	{"bpr gamma", [][2]int{{6, 1}, {6, 1}},
		func(t *Tape, in []*Var) *Var { return t.BPRGamma(in[0], in[1]) }, bprRef(1e-10)},
	{"scale by a variable", [][2]int{{1, 1}, {5, 4}},
		func(t *Tape, in []*Var) *Var { return t.ScaleBy(in[0], in[1]) },
		func(in []mat) mat { return sumRef(in[1:], in[0].x[0]) }},
	{"cross-entropy", [][2]int{{5, 3}, {7, 3}},
		func(t *Tape, in []*Var) *Var { return t.CrossEntropy(in[0], in[1], entropyTargets, nil) }, entropyRef(nil)},
	{"cross-entropy of a sample", [][2]int{{5, 3}, {7, 3}},
		func(t *Tape, in []*Var) *Var {
			return t.CrossEntropy(in[0], in[1], entropyTargets, entropyOffsets)
		}, entropyRef(entropyOffsets)},
	{"cross-entropy by blocks", [][2]int{{5, 3}, {7, 3}},
		func(t *Tape, in []*Var) *Var {
			return t.crossEntropyBy(2, in[0], in[1], entropyTargets, entropyOffsets)
		}, entropyRef(entropyOffsets)},
}

func dotsRef(in []mat, ai, bi []int) mat {
	out := zeros(len(ai), 1)
	for r := range ai {
		for j := range in[0].c {
			out.x[r] += in[0].at(ai[r], j) * in[1].at(bi[r], j)
		}
	}
	return out
}

func sumRef(in []mat, alpha float64) mat {
	out := zeros(in[0].r, in[0].c)
	for _, m := range in {
		for i, v := range m.x {
			out.x[i] += alpha * v
		}
	}
	return out
}

func normalizeRef(m mat, eps float64) mat {
	out := zeros(m.r, m.c)
	for i := range m.r {
		var q float64
		for _, v := range m.row(i) {
			q += v * v
		}
		for j, v := range m.row(i) {
			out.row(i)[j] = v / max(math.Sqrt(q), eps)
		}
	}
	return out
}

func propagate(layers int, scale float32) func(*Tape, []*Var) *Var {
	return func(t *Tape, in []*Var) *Var {
		return t.Propagate(lopsided, lopsided.Transpose(), in[0], layers, scale)
	}
}

func propagateRef(layers int, scale float64) func([]mat) mat {
	return func(in []mat) mat {
		total, layer := in[0], in[0]
		for range layers {
			layer = denseRef(lopsided, layer)
			total = sumRef([]mat{total, layer}, 1)
		}
		return sumRef([]mat{total}, scale)
	}
}

// picked are rows of lopsided, one of them empty, in no order.
var picked = []int32{4, 0, 1}

func propagateRows(layers int, scale float32) func(*Tape, []*Var) *Var {
	reach := tensor.NewReach(lopsided)
	return func(t *Tape, in []*Var) *Var {
		return t.PropagateRows(reach, lopsided, lopsided.Transpose(), in[0], layers, scale, picked)
	}
}

func pick(ref func([]mat) mat) func([]mat) mat {
	return func(in []mat) mat {
		all := ref(in)
		out := zeros(len(picked), all.c)
		for k, i := range picked {
			copy(out.row(k), all.row(int(i)))
		}
		return out
	}
}

func bprRef(gamma float64) func([]mat) mat {
	return func(in []mat) mat {
		var s float64
		for r := range in[0].x {
			s -= math.Log(gamma + 1/(1+math.Exp(in[1].x[r]-in[0].x[r])))
		}
		return mat{1, 1, []float64{s / float64(in[0].r)}}
	}
}

func randomParams(rng *rand.Rand, shapes [][2]int) []*Param {
	var ps []*Param
	for i, s := range shapes {
		p := NewParam(fmt.Sprintf("p%d", i), s[0], s[1])
		for j := range p.Value.Data {
			p.Value.Data[j] = float32(2 * rng.NormFloat64())
		}
		ps = append(ps, p)
	}
	return ps
}

func toMat(m *tensor.Matrix) mat {
	out := zeros(m.Rows, m.Cols)
	for i, v := range m.Data {
		out.x[i] = float64(v)
	}
	return out
}

// expect returns the value of c at ps and the gradient of Σ seed⊙value with respect
// to each parameter, by central differences in float64.
func (c opCase) expect(ps []*Param, seed func(i int) float64) (value mat, grads []mat) {
	var in []mat
	for _, p := range ps {
		in = append(in, toMat(p.Value))
	}
	objective := func() (s float64) {
		for i, v := range c.ref(in).x {
			s += seed(i) * v
		}
		return s
	}
	const h = 1e-6
	for _, m := range in {
		g := zeros(m.r, m.c)
		for j, v := range m.x {
			m.x[j] = v + h
			up := objective()
			m.x[j] = v - h
			g.x[j] = (up - objective()) / (2 * h)
			m.x[j] = v
		}
		grads = append(grads, g)
	}
	return c.ref(in), grads
}

func near(got float32, want float64) bool {
	return math.Abs(float64(got)-want) <= 2e-6+2e-6*10*math.Abs(want)
}

func compare(t *testing.T, what string, got *tensor.Matrix, want mat, times float64) {
	t.Helper()
	if got.Rows != want.r || got.Cols != want.c {
		t.Fatalf("%s is %d×%d, want %d×%d", what, got.Rows, got.Cols, want.r, want.c)
	}
	for i, v := range got.Data {
		if !near(v, times*want.x[i]) {
			t.Errorf("%s[%d] = %v, want %v", what, i, v, times*want.x[i])
		}
	}
}

func TestOpsAgainstDefinitionAndCentralDifferences(t *testing.T) {
	seed := func(i int) float64 { return []float64{1, -0.5, 0.25, 2}[i%4] }
	for _, c := range opCases {
		t.Run(c.name, func(t *testing.T) {
			ps := randomParams(rand.New(rand.NewPCG(7, 7)), c.shapes)
			value, grads := c.expect(ps, seed)
			tape := NewTape()
			run := func(uses int) {
				tape.Reset()
				var in, outs []*Var
				for _, p := range ps {
					in = append(in, tape.Param(p))
				}
				for range uses {
					outs = append(outs, c.op(tape, in))
				}
				for _, out := range outs {
					compare(t, "value", out.Value, value, 1)
					if out.needs {
						g := tape.sum(out)
						for i := range g.Data {
							g.Data[i] = float32(seed(i))
						}
					}
				}
				tape.run()
			}
			run(1)
			for i, p := range ps {
				compare(t, "gradient of "+p.Name, p.Grad, grads[i], 1)
			}
			// Used twice, gradients add up; stale ones of the step before do not.
			run(2)
			for i, p := range ps {
				compare(t, "gradient, two uses, of "+p.Name, p.Grad, grads[i], 2)
			}
			// With one input frozen the others' gradients stay as they were.
			for i, frozen := range ps {
				frozen.Frozen = true
				run(1)
				if frozen.HasGrad() {
					t.Errorf("frozen %s has a gradient", frozen.Name)
				}
				for k, p := range ps {
					if k != i {
						compare(t, "gradient beside a frozen input of "+p.Name, p.Grad, grads[k], 1)
					}
				}
				frozen.Frozen = false
			}
		})
	}
}

func TestBPRIsStableWhereScoresAreFarApart(t *testing.T) {
	for _, c := range []struct {
		d, want, slope float64
		gamma          bool
	}{
		{d: 500, want: 0, slope: 0},
		{d: -500, want: 500, slope: -1},
		{d: 500, want: 0, slope: 0, gamma: true},
		{d: -500, want: -math.Log(1e-10), slope: 0, gamma: true},
	} {
		pos, neg := NewParam("pos", 1, 1), NewParam("neg", 1, 1)
		pos.Value.Data[0] = float32(c.d)
		tape := NewTape()
		tape.Reset()
		loss := tape.BPR(tape.Param(pos), tape.Param(neg))
		if c.gamma {
			loss = tape.BPRGamma(tape.Param(pos), tape.Param(neg))
		}
		tape.Backward(loss)
		if !near(loss.Scalar(), c.want) || !near(pos.Grad.Data[0], c.slope) || !near(neg.Grad.Data[0], -c.slope) {
			t.Errorf("difference %g, gamma %v: loss %v, gradients %v %v; want %v, %v", c.d, c.gamma, loss.Scalar(), pos.Grad.Data[0], neg.Grad.Data[0], c.want, c.slope)
		}
	}
}

func TestEmbNormOfZeroRowsHasNoGradient(t *testing.T) {
	p := NewParam("p", 3, 2)
	tape := NewTape()
	tape.Reset()
	tape.Backward(tape.EmbNorm(tape.Param(p)))
	for _, g := range p.Grad.Data {
		if g != 0 {
			t.Fatalf("gradient %v at the zero matrix", p.Grad.Data)
		}
	}
}

func TestParamOutsideTheLossHasNoGradient(t *testing.T) {
	used, unused := NewParam("used", 1, 1), NewParam("unused", 1, 1)
	tape := NewTape()
	step := func(ps ...*Param) {
		tape.Reset()
		loss := tape.Const(tensor.New(1, 1))
		for _, p := range ps {
			loss = tape.Add(loss, tape.Param(p))
		}
		tape.Backward(loss)
	}
	step(used, unused)
	if !used.HasGrad() || !unused.HasGrad() {
		t.Fatal("a parameter of the loss has no gradient")
	}
	step(used)
	if !used.HasGrad() || unused.HasGrad() {
		t.Errorf("used %v, unused %v: the gradient of the step before must not count", used.HasGrad(), unused.HasGrad())
	}
}
