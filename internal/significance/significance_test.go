package significance

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

type golden struct {
	Power float64
	Cases []struct {
		Name      string
		D         []float64
		Mean, SD  float64
		T         float64
		TP        float64 `json:"t_p"`
		Wilcox    struct{ W, P float64 }
		Pratt     struct{ W, P float64 }
		Low, High float64
	}
}

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1e-12, math.Abs(want))) {
		t.Errorf("%s is %g, SciPy has %g", what, got, want)
	}
}

func TestNumbersAreThoseOfSciPy(t *testing.T) {
	raw, err := os.ReadFile("testdata/scipy.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil || len(g.Cases) != 3 {
		t.Fatalf("%d cases, %v", len(g.Cases), err)
	}
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			within(t, "mean", Mean(c.D), c.Mean, 1e-12)
			within(t, "standard deviation", Deviation(c.D), c.SD, 1e-12)
			stat, p := PairedT(c.D)
			within(t, "t", stat, c.T, 1e-10)
			within(t, "p of t", p, c.TP, 1e-8)
			w, p := SignedRank(c.D, Wilcoxon)
			within(t, "W without zeros", w, c.Wilcox.W, 1e-12)
			within(t, "p without zeros", p, c.Wilcox.P, 1e-8)
			w, p = SignedRank(c.D, Pratt)
			within(t, "W by Pratt", w, c.Pratt.W, 1e-12)
			within(t, "p by Pratt", p, c.Pratt.P, 1e-8)
			b := Bootstrap(c.D, 20000, 1)
			spread := c.SD / math.Sqrt(float64(len(c.D)))
			if math.Abs(b.Low-c.Low) > 0.08*spread || math.Abs(b.High-c.High) > 0.08*spread {
				t.Errorf("interval %g to %g, SciPy has %g to %g", b.Low, b.High, c.Low, c.High)
			}
			within(t, "smallest effect", Smallest(c.D), g.Power*spread, 1e-9)
		})
	}
}

// By hand, from Holm (1979): the k-th smallest of n is multiplied by n−k+1, and none falls below one before it.
func TestHolmByHand(t *testing.T) {
	got := Holm([]float64{0.01, 0.04, 0.03, 0.005, 0.6, 0.04})
	want := []float64{0.05, 0.12, 0.12, 0.03, 0.6, 0.12}
	for i := range want {
		within(t, "adjusted p", got[i], want[i], 1e-12)
	}
	if len(Holm(nil)) != 0 {
		t.Error("something of nothing")
	}
}

func TestNothingToTell(t *testing.T) {
	zeros := make([]float64, 50)
	for _, z := range []Zeros{Wilcoxon, Pratt} {
		if w, p := SignedRank(zeros, z); w != 0 || p != 1 {
			t.Errorf("%s: w %g, p %g", z, w, p)
		}
	}
	if stat, p := PairedT(zeros); stat != 0 || p != 1 {
		t.Errorf("t %g, p %g", stat, p)
	}
	if b := Bootstrap(zeros, 100, 1); b.Low != 0 || b.High != 0 || b.P != 1 {
		t.Errorf("%+v", b)
	}
	if _, p := PairedT([]float64{2, 2, 2}); p != 0 {
		t.Errorf("p %g", p)
	}
	for _, pair := range [][2][]float64{{{1}, {1}}, {{1, 2}, {1}}} {
		if _, err := Differences(pair[0], pair[1]); err == nil {
			t.Errorf("%v are compared", pair)
		}
	}
	if d, err := Differences([]float64{3, 1}, []float64{1, 2}); err != nil || !slices.Equal(d, []float64{2, -1}) {
		t.Errorf("%v, %v", d, err)
	}
}
