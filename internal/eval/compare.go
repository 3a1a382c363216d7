package eval

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/significance"
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
	if resamples < 1 {
		return Comparison{}, fmt.Errorf("compare rankings: %d resamples, want at least 1", resamples)
	}
	d, err := significance.Differences(va, vb)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Metric: metric, Users: len(va), MeanA: mean(va), MeanB: mean(vb)}
	c.T, c.P = significance.PairedT(d)
	interval := significance.Bootstrap(d, resamples, seed)
	c.Difference, c.Low, c.High, c.BootstrapP = interval.Mean, interval.Low, interval.High, interval.P
	return c, nil
}
