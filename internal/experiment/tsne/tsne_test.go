package tsne

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/rng"
)

// three groups of points, far from each other.
func groups(n int) *tensor.Matrix {
	r := rng.Stream(1, "groups", 0)
	x := tensor.New(n, 10)
	for i := range n {
		for j := range x.Row(i) {
			x.Row(i)[j] = float32(0.2*r.NormFloat64() + 3*float64((i%3+j)%3))
		}
	}
	return x
}

func TestGroupsStayGroups(t *testing.T) {
	x := groups(90)
	y := Layout(x, 15, 1)
	apart := func(i, j int) float64 { return math.Hypot(y[i][0]-y[j][0], y[i][1]-y[j][1]) }
	for i := range y {
		for j := range y {
			if i%3 == j%3 {
				continue
			}
			for k := range y {
				if k%3 == i%3 && k != i && apart(i, k) > apart(i, j) {
					t.Fatalf("point %d is nearer to %d, of another group, than to %d", i, j, k)
				}
			}
		}
	}
	before := make([][2]float64, 90)
	r := rng.Stream(2, "random", 0)
	for i := range before {
		before[i] = [2]float64{r.NormFloat64(), r.NormFloat64()}
	}
	if a, b := Divergence(x, y, 15), Divergence(x, before, 15); !(a < b/2) {
		t.Errorf("divergence %g, of a random layout %g", a, b)
	}
}

func TestSameBitsAtAnyProcessors(t *testing.T) {
	x := groups(40)
	one := func(procs int) [][2]float64 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		return Layout(x, 10, 3)
	}
	if !slices.Equal(one(1), one(2)) {
		t.Error("layouts differ")
	}
}

// The width of each point's curve is such that it has the entropy of the perplexity.
func TestPerplexity(t *testing.T) {
	x := groups(60)
	d := distances(x)
	p := make([]float64, 60)
	for i := range 60 {
		calibrate(d[i*60:(i+1)*60], p, i, 12)
		var entropy float64
		for _, v := range p {
			if v > 0 {
				entropy -= v * math.Log(v)
			}
		}
		if math.Abs(math.Exp(entropy)-12) > 1e-3 || p[i] != 0 {
			t.Fatalf("point %d has perplexity %g", i, math.Exp(entropy))
		}
	}
}

func TestUniformity(t *testing.T) {
	same := tensor.FromSlice(3, 2, []float32{1, 0, 2, 0, 3, 0})
	opposite := tensor.FromSlice(2, 2, []float32{1, 0, -5, 0})
	if u := Uniformity(same); math.Abs(u) > 1e-9 {
		t.Errorf("of one direction %g, want 0", u)
	}
	if u := Uniformity(opposite); math.Abs(u+8) > 1e-6 {
		t.Errorf("of opposite directions %g, want -8", u)
	}
	if y := Layout(tensor.New(2, 3), 5, 1); len(y) != 2 {
		t.Errorf("%v", y)
	}
}
