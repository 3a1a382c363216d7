package autograd

func convolveRef(a, b mat) mat {
	out := zeros(a.r, a.c)
	for r := range a.r {
		for i := range a.c {
			for j := range a.c {
				out.x[r*a.c+(i+j)%a.c] += a.at(r, i) * b.at(r, j)
			}
		}
	}
	return out
}

func init() {
	opCases = append(opCases, []opCase{
		{"convolution", [][2]int{{4, 7}, {4, 7}}, func(t *Tape, in []*Var) *Var { return t.Convolve(in[0], in[1]) },
			func(in []mat) mat { return convolveRef(in[0], in[1]) }},
		{"convolution with itself", [][2]int{{4, 6}}, func(t *Tape, in []*Var) *Var { return t.Convolve(in[0], in[0]) },
			func(in []mat) mat { return convolveRef(in[0], in[0]) }},
		{"another shape", [][2]int{{4, 6}}, func(t *Tape, in []*Var) *Var { return t.Reshape(in[0], 8, 3) },
			func(in []mat) mat { return mat{8, 3, in[0].x} }},
	}...)
}
