package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Comparison says whether two rankings differ in one metric, pairing the users.
type Comparison struct {
	Metric     string  `json:"metric"`
	Users      int     `json:"users"`
	MeanA      float64 `json:"mean_a"`
	MeanB      float64 `json:"mean_b"`
	Difference float64 `json:"difference"` // mean of A - B
	Low        float64 `json:"low"`        // 95 % bootstrap interval of the difference
	High       float64 `json:"high"`
	T          float64 `json:"t"`           // paired t statistic
	P          float64 `json:"p"`           // two-sided p of the t test
	BootstrapP float64 `json:"bootstrap_p"` // two-sided, from the centred bootstrap
}

// Compare tests A against B on one metric: a paired t test and a paired bootstrap
// over users with the given number of resamples. The two must be about the same users
// in the same order.
func Compare(a, b *UserMetrics, metric string, resamples int, seed uint64) (Comparison, error) {
	va, vb := a.Of(metric), b.Of(metric)
	if va == nil || vb == nil {
		return Comparison{}, fmt.Errorf("compare rankings: no metric %q; there are %v", metric, a.Keys)
	}
	if len(va) != len(vb) {
		return Comparison{}, fmt.Errorf("compare rankings: %d users against %d", len(va), len(vb))
	}
	for j, u := range a.Users {
		if w := b.Users[j]; u != w {
			return Comparison{}, fmt.Errorf("compare rankings: evaluated user %d is row %d in one and row %d in the other", j, u, w)
		}
	}
	if len(va) < 2 || resamples < 1 {
		return Comparison{}, fmt.Errorf("compare rankings: %d users and %d resamples, want at least 2 and 1", len(va), resamples)
	}
	c := Comparison{Metric: metric, Users: len(va), MeanA: mean(va), MeanB: mean(vb)}
	d := make([]float64, len(va))
	for j := range d {
		d[j] = va[j] - vb[j]
	}
	c.Difference = mean(d)
	c.T, c.P = pairedT(d, c.Difference)
	c.Low, c.High, c.BootstrapP = bootstrap(d, c.Difference, resamples, seed)
	return c, nil
}

func pairedT(d []float64, m float64) (t, p float64) {
	var ss float64
	for _, x := range d {
		ss += (x - m) * (x - m)
	}
	n := float64(len(d))
	if ss == 0 {
		if m == 0 {
			return 0, 1
		}
		return math.Copysign(math.MaxFloat64, m), 0
	}
	t = m / math.Sqrt(ss/(n-1)/n)
	return t, 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Survival(math.Abs(t))
}

// bootstrap returns the percentile interval of the mean of d, and the share of
// resampled means that lie as far from m as m from 0 (with the +1 correction, so never
// 0).
func bootstrap(d []float64, m float64, resamples int, seed uint64) (low, high, p float64) {
	rng := rand.New(rand.NewPCG(seed, 0x636f6d70617265)) // "compare"
	means := make([]float64, resamples)
	extreme := 0
	for b := range means {
		var s float64
		for range d {
			s += d[rng.IntN(len(d))]
		}
		means[b] = s / float64(len(d))
		if math.Abs(means[b]-m) >= math.Abs(m) {
			extreme++
		}
	}
	slices.Sort(means)
	at := func(q float64) float64 { return means[min(int(q*float64(resamples)), resamples-1)] }
	return at(0.025), at(0.975), float64(extreme+1) / float64(resamples+1)
}
