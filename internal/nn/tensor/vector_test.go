package tensor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// lengths straddle the vector widths and unroll factors.
var lengths = []int{0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 384, 1001}

func near(t *testing.T, what string, n int, got, want, scale float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 2e-6*scale+1e-30) {
		t.Fatalf("%s of %d elements: %.9g, want %.9g", what, n, got, want)
	}
}

func TestReductions(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 9))
		for _, n := range lengths {
			a, b := randomSlice(r, n), randomSlice(r, n)
			var dot, size, ss, sum float64
			for i := range a {
				v := float64(a[i]) * float64(b[i])
				dot, size = dot+v, size+math.Abs(v)
				ss, sum = ss+float64(a[i])*float64(a[i]), sum+float64(a[i])
			}
			near(t, "Dot", n, float64(Dot(a, b)), dot, size)
			if got := Norm2(a); math.Abs(got-math.Sqrt(ss)) > 1e-13*(1+got) {
				t.Fatalf("Norm2 of %d elements: %g, want %g", n, got, math.Sqrt(ss))
			}
			if got := Sum(a); math.Abs(got-sum) > 1e-11 {
				t.Fatalf("Sum of %d elements: %g, want %g", n, got, sum)
			}
		}
	})
}

func TestNorm2DoesNotOverflow(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		x := slices.Repeat([]float32{1e30}, 16)
		if got := Norm2(x); math.Abs(got/4e30-1) > 1e-6 {
			t.Fatalf("Norm2 of 16 times 1e30 is %g", got)
		}
	})
}

func TestAxpyScaleNormalizeRows(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(2, 9))
		for _, n := range lengths {
			x, y := randomSlice(r, n), randomSlice(r, n)
			got := slices.Clone(y)
			Axpy(-1.5, x, got)
			for i := range x {
				near(t, "Axpy", n, float64(got[i]), float64(y[i])-1.5*float64(x[i]), 3)
			}
			Scale(3, got)
			if n > 0 {
				near(t, "Scale", n, float64(got[n-1]), 3*(float64(y[n-1])-1.5*float64(x[n-1])), 9)
			}
			m := randomMatrix(r, 3, n)
			clear(m.Row(1))
			m.NormalizeRows(1e-12)
			if n > 0 {
				near(t, "row length", n, Norm2(m.Row(0)), 1, 1)
				near(t, "zero row length", n, Norm2(m.Row(1)), 0, 1)
			}
		}
	})
}

func TestBiasLeakyReLUAndItsGradient(t *testing.T) {
	const slope = 0.01
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 9))
		for _, n := range lengths {
			x, bias, dy := randomMatrix(r, 5, n), randomSlice(r, n), randomMatrix(r, 5, n)
			if n > 2 {
				x.Row(2)[n-1], x.Row(3)[0] = float32(math.NaN()), -bias[0]
			}
			y, grad := x.Clone(), New(5, n)
			AddBiasLeakyReLU(y, bias, slope)
			LeakyReLUGrad(grad, y, dy, slope)
			for i := range 5 {
				for j := range n {
					s := x.Row(i)[j] + bias[j]
					want, g := s, dy.Row(i)[j]
					if !(s > 0) {
						want, g = s*slope, g*slope
					}
					if got := y.Row(i)[j]; got != want && !(got != got && want != want) {
						t.Fatalf("%d columns: activation of %g is %g, want %g", n, s, got, want)
					}
					if got := grad.Row(i)[j]; got != g {
						t.Fatalf("%d columns: gradient at %g is %g, want %g", n, s, got, g)
					}
				}
			}
			LeakyReLUGrad(dy, y, dy, slope) // in place
			sameBits(t, "gradient in place", grad.Data, dy.Data)
		}
	})
}

func TestColumnSums(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(4, 9))
		for _, shape := range [][2]int{{0, 3}, {1, 1}, {7, 13}, {2100, 33}, {9000, 7}} {
			m := randomMatrix(r, shape[0], shape[1])
			want := make([]float64, m.Cols)
			for i := range m.Rows {
				for j, v := range m.Row(i) {
					want[j] += float64(v)
				}
			}
			one, two := make([]float32, m.Cols), make([]float32, m.Cols)
			atProcs(1, func() { ColumnSums(one, m) })
			atProcs(2, func() { ColumnSums(two, m) })
			sameBits(t, "ColumnSums", one, two)
			for j := range want {
				near(t, "ColumnSums", m.Rows, float64(one[j]), want[j], float64(m.Rows))
			}
		}
	})
}

// TestAdamStepFollowsTorch steps a float64 Adam beside the float32 one.
func TestAdamStepFollowsTorch(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 9))
		const lr, b1, b2, eps, decay = 1e-3, 0.9, 0.999, 1e-8, 1e-2
		for _, n := range []int{1, 8, 13, 70000} {
			p := randomSlice(r, n)
			m, v := make([]float32, n), make([]float32, n)
			p64, m64, v64 := make([]float64, n), make([]float64, n), make([]float64, n)
			for i := range p {
				p64[i] = float64(p[i])
			}
			for step := 1; step <= 5; step++ {
				c1, c2 := 1-math.Pow(b1, float64(step)), 1-math.Pow(b2, float64(step))
				grad := randomSlice(r, n)
				grad[0] = 0
				for i := range p64 {
					g := float64(grad[i]) + decay*p64[i]
					m64[i] = b1*m64[i] + (1-b1)*g
					v64[i] = b2*v64[i] + (1-b2)*g*g
					p64[i] -= lr / c1 * m64[i] / (math.Sqrt(v64[i])/math.Sqrt(c2) + eps)
				}
				AdamStep(p, grad, m, v, lr, b1, b2, eps, float32(c1), float32(c2), decay)
			}
			for i := range p {
				near(t, "Adam parameter", n, float64(p[i]), p64[i], math.Abs(p64[i])+0.01)
				near(t, "Adam second moment", n, float64(v[i]), v64[i], v64[i])
			}
		}
	})
}

func TestFirstNaN(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	atEachLevel(t, func(t *testing.T) {
		for _, n := range lengths {
			x := randomSlice(rand.New(rand.NewPCG(6, 9)), n)
			if got := FirstNaN(x); got != -1 {
				t.Fatalf("%d numbers: NaN at %d", n, got)
			}
			if n < 2 {
				continue
			}
			x[0], x[n-1] = inf, -inf // their sum is NaN, they are not
			if got := FirstNaN(x); got != -1 {
				t.Fatalf("%d numbers, infinities among them: NaN at %d", n, got)
			}
			x[n/2], x[n-1] = nan, nan
			if got := FirstNaN(x); got != n/2 {
				t.Fatalf("%d numbers: NaN at %d, want %d", n, got, n/2)
			}
		}
	})
}
