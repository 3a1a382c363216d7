package eval

import (
	"math"
	"math/rand/v2"
	"testing"
)

func pair(a, b []float64) (*UserMetrics, *UserMetrics) {
	of := func(values []float64) *UserMetrics {
		m := &UserMetrics{Keys: []string{"recall@20"}, Values: [][]float64{values}}
		for i := range values {
			m.Rows, m.Users = append(m.Rows, i), append(m.Users, int32(i))
		}
		return m
	}
	return of(a), of(b)
}

func TestCompareByHand(t *testing.T) {
	// Differences 1, 0, 1, 0: mean 0.5, s.d. 0.57735, t = 0.5/(0.57735/2) = 1.7321;
	// two-sided p at 3 degrees of freedom 0.1817.
	a, b := pair([]float64{1, 0, 1, 0}, []float64{0, 0, 0, 0})
	c, err := Compare(a, b, "recall@20", 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	almost(t, "difference", c.Difference, 0.5)
	almost(t, "t", c.T, math.Sqrt(3))
	if math.Abs(c.P-0.1817) > 1e-3 {
		t.Errorf("p = %v", c.P)
	}
	if c.Low != 0 || c.High != 1 {
		t.Errorf("interval [%v, %v], want [0, 1]", c.Low, c.High)
	}
}

func TestCompareOfEqualsAndOfApart(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	n, rejected := 300, 0
	for trial := range 40 {
		x, y := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i], y[i] = rng.Float64(), rng.Float64()
		}
		a, b := pair(x, y)
		c, err := Compare(a, b, "recall@20", 200, uint64(trial))
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(c.P-c.BootstrapP) > 0.15 {
			t.Errorf("trial %d: t test says %v, bootstrap %v", trial, c.P, c.BootstrapP)
		}
		if c.P < 0.05 {
			rejected++
		}
		for i := range x {
			y[i] = x[i] - 0.1*rng.Float64()
		}
		if c, err = Compare(a, b, "recall@20", 200, 1); err != nil || c.P > 1e-6 || c.Low <= 0 {
			t.Errorf("trial %d: a constant gain has p %v, interval from %v (%v)", trial, c.P, c.Low, err)
		}
	}
	if rejected > 7 {
		t.Errorf("%d of 40 pairs of equals called different at 5 %%", rejected)
	}
}

func TestCompareRefusesWhatIsNotPaired(t *testing.T) {
	a, b := pair([]float64{1, 0}, []float64{0, 1})
	_, other := pair([]float64{1, 0}, []float64{0, 1})
	other.Users[1] = 5
	if _, err := Compare(a, other, "recall@20", 10, 1); err == nil {
		t.Error("other users passed")
	}
	if _, err := Compare(a, b, "recall@7", 10, 1); err == nil {
		t.Error("unknown metric passed")
	}
	short, _ := pair([]float64{1}, []float64{1})
	if _, err := Compare(a, short, "recall@20", 10, 1); err == nil {
		t.Error("unequal lengths passed")
	}
}
