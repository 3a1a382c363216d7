package autograd

import "math"

// edged has an entry twice, one on the diagonal, and a column that no row but its own has.
func edged() *Edges {
	return NewEdges(4, 4, []int64{0, 3, 5, 6, 8}, []int32{0, 2, 2, 1, 3, 0, 3, 1})
}

func edgedRef(values []float64) mat {
	out := zeros(4, 4)
	rows, cols := edged().Ends()
	for at, v := range values {
		out.x[int(rows[at])*4+int(cols[at])] += v
	}
	return out
}

func init() {
	opCases = append(opCases, []opCase{
		{"product with learnt entries", [][2]int{{8, 1}, {4, 3}},
			func(t *Tape, in []*Var) *Var { return t.EdgeMul(edged(), in[0], in[1]) },
			func(in []mat) mat { return product(edgedRef(in[0].x), in[1], false, false) }},
		{"learnt entries normalised", [][2]int{{8, 1}},
			func(t *Tape, in []*Var) *Var { return t.EdgeNormalize(edged(), t.Sigmoid(in[0])) },
			func(in []mat) mat {
				v := in[0].each(func(v float64) float64 { return 1 / (1 + math.Exp(-v)) })
				rows, cols := edged().Ends()
				var sums [4]float64
				for at, x := range v.x {
					sums[rows[at]] += x
				}
				for at := range v.x {
					v.x[at] /= math.Sqrt(sums[rows[at]] * sums[cols[at]])
				}
				return v
			}},
		{"attention", [][2]int{{7, 1}, {5, 3}},
			func(t *Tape, in []*Var) *Var { return t.EdgeMul(oblong(), t.EdgeSoftmax(oblong(), in[0]), in[1]) },
			func(in []mat) mat {
				out := zeros(3, 3)
				rows, cols := oblong().Ends()
				var sums [3]float64
				for at, v := range in[0].x {
					sums[rows[at]] += math.Exp(v)
				}
				for at, v := range in[0].x {
					for j := range 3 {
						out.x[int(rows[at])*3+j] += math.Exp(v) / sums[rows[at]] * in[1].at(int(cols[at]), j)
					}
				}
				return out
			}},
		{"largest", [][2]int{{5, 7}, {5, 7}, {5, 7}}, func(t *Tape, in []*Var) *Var { return t.Max(in...) },
			func(in []mat) mat {
				out := zeros(5, 7)
				for i := range out.x {
					out.x[i] = max(in[0].x[i], in[1].x[i], in[2].x[i])
				}
				return out
			}},
	}...)
}

// oblong has more columns than rows, and a row without entries.
func oblong() *Edges {
	return NewEdges(3, 5, []int64{0, 4, 4, 7}, []int32{0, 1, 3, 4, 1, 2, 4})
}
