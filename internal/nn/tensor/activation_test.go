package tensor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestExpIsFaithful(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		x := []float32{0, 1, -1, 88.7, 89, 200, -87, -90, -100, -103.9, -104.5, -200, posInf, negInf, nan}
		for v := float32(-88); v < 88; v += 0.0371 {
			x = append(x, v)
		}
		got := slices.Clone(x)
		Exp(got)
		for i, v := range x {
			want := math.Exp(float64(v))
			have := float64(got[i])
			switch {
			case v != v:
				if have == have {
					t.Fatalf("exp(NaN) = %g", have)
				}
			case want > math.MaxFloat32:
				if !math.IsInf(have, 1) {
					t.Fatalf("exp(%g) = %g", v, have)
				}
			case math.Abs(have-want) > 3e-7*want+2e-45:
				t.Fatalf("exp(%g) = %g, want %g", v, have, want)
			}
		}
	})
}

func TestGELU(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		var x []float32
		for v := float32(-12); v < 12; v += 0.0137 {
			x = append(x, v)
		}
		x = append(x, 0, 1e30, -1e30, nan, posInf)
		got := slices.Clone(x)
		GELU(got)
		for i, v := range x {
			want := float64(v) * 0.5 * math.Erfc(-float64(v)/math.Sqrt2)
			have := float64(got[i])
			if math.IsNaN(want) != math.IsNaN(have) || math.Abs(have-want) > 1e-6*max(1, math.Abs(want)) {
				t.Fatalf("GELU(%g) = %g, want %g", v, have, want)
			}
		}
	})
}

func TestSoftmaxRows(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 13))
		for _, n := range lengths[1:] {
			m := randomMatrix(r, 4, n)
			for j := range n {
				m.Row(1)[j] += 1e4 // must not overflow
			}
			m.Row(2)[n/2] = negInf
			x := m.Clone()
			SoftmaxRows(m)
			for i := range 4 {
				var total, have float64
				top := float64(slices.Max(x.Row(i)))
				for _, v := range x.Row(i) {
					total += math.Exp(float64(v) - top)
				}
				for j, v := range x.Row(i) {
					have += float64(m.Row(i)[j])
					if n == 1 && i == 2 {
						continue // nothing but -Inf: NaN
					}
					near(t, "softmax", n, float64(m.Row(i)[j]), math.Exp(float64(v)-top)/total, 1)
				}
				if n == 1 && i == 2 {
					if have == have {
						t.Fatalf("softmax of -Inf alone is %g", have)
					}
				} else {
					near(t, "softmax sum", n, have, 1, 1)
				}
			}
			x.Row(0)[n-1] = nan
			SoftmaxRows(x)
			if v := x.Row(0)[0]; v == v {
				t.Fatalf("softmax of a row with NaN starts with %g", v)
			}
		}
	})
}

func TestLayerNormRows(t *testing.T) {
	const eps = 1e-12
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(2, 13))
		for _, n := range lengths[1:] {
			x, gamma, beta := randomMatrix(r, 3, n), randomSlice(r, n), randomSlice(r, n)
			for j := range n {
				x.Row(1)[j] += 100
			}
			got := New(3, n)
			LayerNormRows(got, x, gamma, beta, eps)
			for i := range 3 {
				var mean, variance float64
				for _, v := range x.Row(i) {
					mean += float64(v) / float64(n)
				}
				for _, v := range x.Row(i) {
					variance += (float64(v) - mean) * (float64(v) - mean) / float64(n)
				}
				for j, v := range x.Row(i) {
					if n == 1 {
						continue // variance 0: 0/√eps amplifies the rounding of the mean
					}
					want := (float64(v)-mean)/math.Sqrt(variance+eps)*float64(gamma[j]) + float64(beta[j])
					near(t, "LayerNorm", n, float64(got.Row(i)[j]), want, 10*(1+math.Abs(mean)))
				}
			}
			LayerNormRows(x, x, gamma, beta, eps)
			sameBits(t, "LayerNorm in place", got.Data, x.Data)
		}
	})
}

func TestSigmoids(t *testing.T) {
	for _, x := range []float32{-1000, -20, -1, 0, 1, 20, 1000} {
		s, l := Sigmoid(x), LogSigmoid(x)
		if want := 1 / (1 + math.Exp(-float64(x))); math.Abs(float64(s)-want) > 1e-7 {
			t.Errorf("Sigmoid(%g) = %g, want %g", x, s, want)
		}
		want := math.Log(1 / (1 + math.Exp(-float64(x))))
		if x == -1000 {
			want = -1000
		}
		if math.Abs(l-want) > 1e-8*max(1, math.Abs(want)) {
			t.Errorf("LogSigmoid(%g) = %g, want %g", x, l, want)
		}
	}
}
