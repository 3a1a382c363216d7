package tensor

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomCSR has rows of uneven length, some of them empty and one of them full.
func randomCSR(r *rand.Rand, rows, cols int) *CSR {
	s := &CSR{Rows: rows, Cols: cols, Indptr: []int64{0}}
	for i := range rows {
		p := r.Float64() * 0.2
		if i == rows/2 {
			p = 1
		}
		for c := range cols {
			if i%5 != 1 && r.Float64() < p {
				s.Indices = append(s.Indices, int32(c))
				s.Values = append(s.Values, float32(r.NormFloat64()))
			}
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s
}

func (s *CSR) dense() [][]float64 {
	d := make([][]float64, s.Rows)
	for i := range d {
		d[i] = make([]float64, s.Cols)
		cols, vals := s.Row(i)
		for e, c := range cols {
			d[i][c] += float64(vals[e])
		}
	}
	return d
}

func TestMulDense(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 11))
		for _, shape := range [][3]int{{0, 3, 4}, {1, 1, 1}, {5, 7, 8}, {40, 30, 63}, {33, 50, 64}, {20, 20, 65}, {31, 9, 200}, {60, 50, 384}, {7, 0, 5}, {4, 6, 0}} {
			s := randomCSR(r, shape[0], shape[1])
			x := randomMatrix(r, shape[1], shape[2])
			one, two := randomMatrix(r, shape[0], shape[2]), randomMatrix(r, shape[0], shape[2])
			atProcs(1, func() { s.MulDense(one, x) })
			atProcs(2, func() { s.MulDense(two, x) })
			sameBits(t, "MulDense", one.Data, two.Data)
			for i, row := range s.dense() {
				for j := range x.Cols {
					var want, scale float64
					for c, v := range row {
						want += v * float64(x.Row(c)[j])
						scale += math.Abs(v * float64(x.Row(c)[j]))
					}
					near(t, "MulDense row", i, float64(one.Row(i)[j]), want, scale)
				}
			}
		}
	})
}

// The columns that a kernel leaves are added as it adds: rounded once.
func TestFusedSum(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	differ := 0
	for range 200_000 {
		any32 := func() float32 { return float32(math.Ldexp(r.Float64()*2-1, r.IntN(60)-30)) }
		a, b := any32(), any32()
		c := any32()
		if r.IntN(2) == 0 { // near a tie: c is large beside the product, or nearly cancels it
			c = -a * b * (1 + float32(r.IntN(3)-1)*0x1p-23)
		}
		exact := new(big.Float).SetPrec(400).SetFloat64(float64(a) * float64(b))
		want, _ := exact.Add(exact, big.NewFloat(float64(c))).Float32()
		if got := fma32(a, b, c); got != want {
			t.Fatalf("%v·%v + %v = %v, want %v", a, b, c, got, want)
		}
		if float32(a*b)+c != want { // the conversion keeps Go from fusing them itself
			differ++
		}
	}
	// The exact sum lies below the middle of two float32 by less than float64 can hold, and must not be taken for the middle.
	const a, b, c = float32(0x1.00004p-24), float32(1 - 0x1p-18), float32(1 + 0x1p-23)
	if got := fma32(a, b, c); got != c {
		t.Errorf("below the middle: %v, want %v", got, c)
	}
	if got := fma32(-a, b, -c); got != -c {
		t.Errorf("below the middle, negative: %v, want %v", got, -c)
	}
	if differ == 0 {
		t.Error("no sum of these needs a single rounding: this test would show nothing")
	}
	inf := float32(math.Inf(1))
	if got := fma32(inf, 1, -1); got != inf {
		t.Errorf("∞ − 1 = %v", got)
	}
	if got := fma32(inf, 0, 1); got == got {
		t.Errorf("∞·0 + 1 = %v", got)
	}
}

func TestMulDenseRejectsBrokenCSR(t *testing.T) {
	x, dst := New(3, 8), New(2, 8)
	good := CSR{Rows: 2, Cols: 3, Indptr: []int64{0, 1, 2}, Indices: []int32{0, 2}, Values: []float32{1, 1}}
	for name, spoil := range map[string]func(*CSR){
		"column too large": func(s *CSR) { s.Indices = []int32{0, 3} },
		"negative column":  func(s *CSR) { s.Indices = []int32{-1, 2} },
		"short values":     func(s *CSR) { s.Values = s.Values[:1] },
		"row pointers":     func(s *CSR) { s.Indptr = []int64{0, 5, 2} },
		"short pointers":   func(s *CSR) { s.Indptr = []int64{0, 2} },
		"wrong shape":      func(s *CSR) { s.Cols = 4 },
	} {
		s := good
		spoil(&s)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			s.MulDense(dst, x)
		}()
	}
}

func TestTranspose(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 11))
	s := randomCSR(r, 37, 23)
	got := s.Transpose()
	want := s.dense()
	for i, row := range got.dense() {
		cols, _ := got.Row(i)
		if !slices.IsSorted(cols) {
			t.Fatalf("row %d of the transpose has columns %v", i, cols)
		}
		for j, v := range row {
			if v != want[j][i] {
				t.Fatalf("transpose [%d][%d] = %g, want %g", i, j, v, want[j][i])
			}
		}
	}
}

func TestGatherScatterAdd(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 11))
		for _, cols := range []int{0, 1, 7, 64, 65, 130} {
			src, idx := randomMatrix(r, 50, cols), make([]int32, 900)
			for i := range idx {
				idx[i] = int32(r.IntN(50))
			}
			got := New(len(idx), cols)
			Gather(got, src, idx)
			for i, from := range idx {
				if !slices.Equal(got.Row(i), src.Row(int(from))) {
					t.Fatalf("%d columns: gathered row %d is not row %d", cols, i, from)
				}
			}
			one, two := randomMatrix(r, 50, cols), New(50, cols)
			copy(two.Data, one.Data)
			want := make([]float64, len(one.Data))
			for i, v := range one.Data {
				want[i] = float64(v)
			}
			for i, to := range idx {
				for j, v := range got.Row(i) {
					want[int(to)*cols+j] += float64(v)
				}
			}
			atProcs(1, func() { ScatterAdd(one, got, idx) })
			atProcs(2, func() { ScatterAdd(two, got, idx) })
			sameBits(t, "ScatterAdd", one.Data, two.Data)
			for i := range want {
				near(t, "ScatterAdd", i, float64(one.Data[i]), want[i], 100)
			}
		}
	})
}

func TestGatherScatterPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"gather index":   func() { Gather(New(1, 2), New(3, 2), []int32{3}) },
		"gather rows":    func() { Gather(New(2, 2), New(3, 2), []int32{0}) },
		"scatter index":  func() { ScatterAdd(New(3, 2), New(1, 2), []int32{-1}) },
		"scatter column": func() { ScatterAdd(New(3, 3), New(1, 2), []int32{0}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
