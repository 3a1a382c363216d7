package autograd

import "math"

func product(a, b mat, transA, transB bool) mat {
	get := func(m mat, trans bool) (r, c int, at func(i, j int) float64) {
		if trans {
			return m.c, m.r, func(i, j int) float64 { return m.at(j, i) }
		}
		return m.r, m.c, m.at
	}
	n, k, x := get(a, transA)
	_, m, y := get(b, transB)
	out := zeros(n, m)
	for i := range n {
		for j := range m {
			for l := range k {
				out.x[i*m+j] += x(i, l) * y(l, j)
			}
		}
	}
	return out
}

func softmaxRef(m mat) mat {
	out := zeros(m.r, m.c)
	for i := range m.r {
		var z float64
		for _, v := range m.row(i) {
			z += math.Exp(v)
		}
		for j, v := range m.row(i) {
			out.x[i*m.c+j] = math.Exp(v) / z
		}
	}
	return out
}

func unitRef(m mat) mat {
	out := zeros(m.r, m.c)
	for i := range m.r {
		var n float64
		for _, v := range m.row(i) {
			n += v * v
		}
		for j, v := range m.row(i) {
			out.x[i*m.c+j] = v / math.Sqrt(n)
		}
	}
	return out
}

func contrastRef(a, b mat, own []int, tau float64) mat {
	logits := product(unitRef(a), unitRef(b), false, true).each(func(v float64) float64 { return v / tau })
	out := zeros(1, 1)
	for i, p := range own {
		out.x[0] -= math.Log(softmaxRef(logits).at(i, p)) / float64(len(own))
	}
	return out
}

func momentsRef(m mat) (mean, variance float64) {
	for _, v := range m.x {
		mean += v / float64(len(m.x))
	}
	for _, v := range m.x {
		variance += (v - mean) * (v - mean) / float64(len(m.x)-1)
	}
	return mean, variance
}

func init() {
	opCases = append(opCases, []opCase{
		{"sigmoid", [][2]int{{5, 7}}, func(t *Tape, in []*Var) *Var { return t.Sigmoid(in[0]) },
			func(in []mat) mat { return in[0].each(func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }) }},
		{"tanh", [][2]int{{5, 7}}, func(t *Tape, in []*Var) *Var { return t.Tanh(in[0]) },
			func(in []mat) mat { return in[0].each(math.Tanh) }},
		{"product of elements", [][2]int{{5, 7}, {5, 7}}, func(t *Tape, in []*Var) *Var { return t.Mul(in[0], in[1]) },
			func(in []mat) mat {
				out := zeros(5, 7)
				for i := range out.x {
					out.x[i] = in[0].x[i] * in[1].x[i]
				}
				return out
			}},
		{"square by elements", [][2]int{{5, 7}}, func(t *Tape, in []*Var) *Var { return t.Mul(in[0], in[0]) },
			func(in []mat) mat { return in[0].each(func(v float64) float64 { return v * v }) }},
		{"softmax of rows", [][2]int{{6, 5}}, func(t *Tape, in []*Var) *Var { return t.SoftmaxRows(in[0]) },
			func(in []mat) mat { return softmaxRef(in[0]) }},
		{"rows scaled by a column", [][2]int{{6, 5}, {6, 3}}, func(t *Tape, in []*Var) *Var { return t.ScaleRows(in[0], in[1], 1) },
			func(in []mat) mat {
				out := zeros(6, 5)
				for i := range 6 {
					for j := range 5 {
						out.x[i*5+j] = in[0].at(i, j) * in[1].at(i, 1)
					}
				}
				return out
			}},
		{"columns side by side", [][2]int{{4, 3}, {4, 1}, {4, 5}}, func(t *Tape, in []*Var) *Var { return t.ConcatCols(in...) },
			func(in []mat) mat {
				out := zeros(4, 9)
				for i := range 4 {
					copy(out.row(i), in[0].row(i))
					copy(out.row(i)[3:], in[1].row(i))
					copy(out.row(i)[4:], in[2].row(i))
				}
				return out
			}},
		{"columns cut out", [][2]int{{4, 9}}, func(t *Tape, in []*Var) *Var { return t.SliceCols(in[0], 2, 6) },
			func(in []mat) mat {
				out := zeros(4, 4)
				for i := range 4 {
					copy(out.row(i), in[0].row(i)[2:6])
				}
				return out
			}},
		{"product", [][2]int{{4, 6}, {6, 3}}, func(t *Tape, in []*Var) *Var { return t.MatMul(in[0], false, in[1], false) },
			func(in []mat) mat { return product(in[0], in[1], false, false) }},
		{"product, left transposed", [][2]int{{6, 4}, {6, 3}}, func(t *Tape, in []*Var) *Var { return t.MatMul(in[0], true, in[1], false) },
			func(in []mat) mat { return product(in[0], in[1], true, false) }},
		{"product, right transposed", [][2]int{{4, 6}, {3, 6}}, func(t *Tape, in []*Var) *Var { return t.MatMul(in[0], false, in[1], true) },
			func(in []mat) mat { return product(in[0], in[1], false, true) }},
		{"product, both transposed", [][2]int{{6, 4}, {3, 6}}, func(t *Tape, in []*Var) *Var { return t.MatMul(in[0], true, in[1], true) },
			func(in []mat) mat { return product(in[0], in[1], true, true) }},
		{"InfoNCE", [][2]int{{6, 5}, {6, 5}}, func(t *Tape, in []*Var) *Var { return t.InfoNCE(in[0], in[1], 0.5) },
			func(in []mat) mat { return contrastRef(in[0], in[1], []int{0, 1, 2, 3, 4, 5}, 0.5) }},
		{"contrast with all rows", [][2]int{{4, 5}, {7, 5}}, func(t *Tape, in []*Var) *Var { return t.Contrast(in[0], in[1], []int32{6, 0, 2, 2}, 0.5) },
			func(in []mat) mat { return contrastRef(in[0], in[1], []int{6, 0, 2, 2}, 0.5) }},
		{"squared norm", [][2]int{{4, 5}, {2, 5}}, func(t *Tape, in []*Var) *Var { return t.SquaredNorm(0.25, in...) },
			func(in []mat) mat {
				out := zeros(1, 1)
				for _, m := range in {
					for _, v := range m.x {
						out.x[0] += v * v / 4
					}
				}
				return out
			}},
		{"gap of moments", [][2]int{{4, 5}, {3, 5}}, func(t *Tape, in []*Var) *Var { return t.MomentGap(in[0], in[1]) },
			func(in []mat) mat {
				ma, va := momentsRef(in[0])
				mb, vb := momentsRef(in[1])
				out := zeros(1, 1)
				out.x[0] = math.Abs(va-vb) + math.Abs(ma-mb)
				return out
			}},
	}...)
}
