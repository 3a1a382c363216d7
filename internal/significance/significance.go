// Package significance says whether two rankings differ, from a number for each user under the one and the
// other. Most users are served alike by both, so that intervals say more than tests.
package significance

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is a 95 % interval of the mean of paired differences by the percentile bootstrap over users,
// with a two-sided p: the share of resampled means that lie as far from the mean as the mean from 0, with the +1
// correction, so that it is never 0.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	P    float64 `json:"p"`
}

// Bootstrap draws resamples of the users.
func Bootstrap(d []float64, resamples int, seed uint64) Interval {
	m := Mean(d)
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
	return Interval{m, at(0.025), at(0.975), float64(extreme+1) / float64(resamples+1)}
}

// Mean is the mean; 0 of nothing.
func Mean(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum / float64(max(len(x), 1))
}

// Deviation is the standard deviation with n−1 in the divisor; 0 of fewer than two.
func Deviation(x []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	m, ss := Mean(x), 0.0
	for _, v := range x {
		ss += (v - m) * (v - m)
	}
	return math.Sqrt(ss / float64(len(x)-1))
}

// Differences returns a − b, user by user.
func Differences(a, b []float64) ([]float64, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("compare rankings: %d users against %d", len(a), len(b))
	}
	if len(a) < 2 {
		return nil, fmt.Errorf("compare rankings: %d users, want at least 2", len(a))
	}
	d := make([]float64, len(a))
	for j := range d {
		d[j] = a[j] - b[j]
	}
	return d, nil
}

// PairedT is the paired t test of mean 0, two-sided. Where all differences are one and the same, t is infinite but
// for the largest number, and p is 0; where all are 0, t is 0 and p is 1.
func PairedT(d []float64) (t, p float64) {
	m, sd, n := Mean(d), Deviation(d), float64(len(d))
	if sd == 0 {
		if m == 0 {
			return 0, 1
		}
		return math.Copysign(math.MaxFloat64, m), 0
	}
	t = m / (sd / math.Sqrt(n))
	return t, 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Survival(math.Abs(t))
}

// Zeros says what a signed-rank test does with users whom both serve alike.
type Zeros string

// Treatments of zeros.
const (
	Wilcoxon Zeros = "wilcoxon" // they are left out, before ranking
	Pratt    Zeros = "pratt"    // they are ranked, and their ranks left out
)

// SignedRank is Wilcoxon's signed-rank test, two-sided, by the normal approximation with the correction for ties
// and without one for continuity. w is the smaller sum of ranks. Where nothing is left, p is 1.
func SignedRank(d []float64, zeros Zeros) (w, p float64) {
	kept := slices.Clone(d)
	if zeros == Wilcoxon {
		kept = slices.DeleteFunc(kept, func(v float64) bool { return v == 0 })
	}
	slices.SortStableFunc(kept, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
	n := float64(len(kept))
	var plus, minus, ties, none float64
	for lo := 0; lo < len(kept); {
		hi := lo
		for hi < len(kept) && math.Abs(kept[hi]) == math.Abs(kept[lo]) {
			hi++
		}
		size, rank := float64(hi-lo), float64(lo+hi+1)/2
		for _, v := range kept[lo:hi] {
			switch {
			case v > 0:
				plus += rank
			case v < 0:
				minus += rank
			}
		}
		if kept[lo] == 0 {
			none = size
		} else {
			ties += size * (size*size - 1)
		}
		lo = hi
	}
	if n == none {
		return 0, 1
	}
	w = min(plus, minus)
	mean := n*(n+1)/4 - none*(none+1)/4
	variance := (n*(n+1)*(2*n+1)-none*(none+1)*(2*none+1))/24 - ties/48
	if variance <= 0 {
		return w, 1
	}
	z := (w - mean) / math.Sqrt(variance)
	return w, min(1, 2*distuv.UnitNormal.Survival(math.Abs(z)))
}

// Holm adjusts p values for there being several of them, so that the chance of any false alarm is kept
// (Holm 1979). The order of the values stays.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	adjusted, top := make([]float64, len(p)), 0.0
	for k, i := range order {
		top = max(top, min(1, float64(len(p)-k)*p[i]))
		adjusted[i] = top
	}
	return adjusted
}

// power turns the standard error of a difference into the smallest true difference that a test at the 5 % level finds
// in four samples of five: the normal quantiles of 0.975 and 0.8.
var power = distuv.UnitNormal.Quantile(0.975) + distuv.UnitNormal.Quantile(0.8)

// Smallest returns the smallest true mean of paired differences that a sample like this finds, at the 5 %
// level, four times in five.
func Smallest(d []float64) float64 {
	return power * Deviation(d) / math.Sqrt(float64(len(d)))
}
