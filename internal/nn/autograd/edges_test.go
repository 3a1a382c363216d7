package autograd

import "math"

// edged has an entry twice, one on the diagonal, and a column that no row but its own has.
func edged() *Edges {
	return NewEdges(4, []int64{0, 3, 5, 6, 8}, []int32{0, 2, 2, 1, 3, 0, 3, 1})
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
	}...)
}
