package eval

import (
	"fmt"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
)

// Options says what is measured.
type Options struct {
	Cutoffs []int // list lengths K; nil means 5, 10, 20, 50
	// Popularity is the train count of each item. When it is given, novelty is
	// reported and the item slices can be cut.
	Popularity []int
	// PopulationUsers is the number of users behind Popularity (novelty's 100 %).
	PopulationUsers int
}

// DefaultCutoffs are MMRec's list lengths.
var DefaultCutoffs = []int{5, 10, 20, 50}

// WithTrain returns the options with popularity taken from the train lists.
func (o Options) WithTrain(train *dataset.Lists) Options {
	o.Popularity, o.PopulationUsers = ItemCounts(train), train.Len()
	return o
}

func (o Options) cutoffs() []int {
	if len(o.Cutoffs) == 0 {
		return DefaultCutoffs
	}
	return o.Cutoffs
}

// The accuracy metrics, as they are spelt in result keys such as "recall@20".
var metricNames = []string{"recall", "ndcg", "precision", "map", "hitrate"}

// Key returns the name under which a metric at a cutoff is reported.
func Key(metric string, k int) string { return fmt.Sprintf("%s@%d", metric, k) }

// Report holds averages over users. Values is keyed "recall@20" and so on; beside the
// accuracy metrics there are coverage@K (share of the catalogue in any list), gini@K
// (inequality of how often the items are shown, 0 equal, 1 one item only) and, where
// popularity is known, novelty@K (mean over users of the mean self-information
// -log2(train users of the item / users) of the items shown; an item without train
// users counts as one with a single user).
type Report struct {
	Users  int                `json:"users"` // users with held-out items, over which the averages go
	Values map[string]float64 `json:"values"`
}

// Metrics measures a ranking against the held-out items of each user. Rows of users
// without held-out items are left out. A cutoff above the ranking's K panics: lists
// that were never ranked so deep cannot be measured.
func Metrics(r *Ranking, relevant *dataset.Lists, opt Options) Report {
	p := PerUser(r, relevant, opt)
	rep := Report{Users: len(p.Rows), Values: p.Means()}
	lists(rep.Values, r, p.Rows, opt)
	return rep
}

// UserMetrics holds each metric for each user with held-out items.
type UserMetrics struct {
	Rows   []int       // rows of the ranking
	Users  []int32     // users of those rows
	Keys   []string    // "recall@5", ...
	Values [][]float64 // Values[m][j]: metric Keys[m] of user Users[j]
}

// Of returns the per-user values under a key such as "recall@20", nil if unknown.
func (p *UserMetrics) Of(key string) []float64 {
	if m := slices.Index(p.Keys, key); m >= 0 {
		return p.Values[m]
	}
	return nil
}

// Means averages each metric over the users, in their order; without users all are 0.
func (p *UserMetrics) Means() map[string]float64 {
	means := make(map[string]float64, len(p.Keys))
	for m, key := range p.Keys {
		means[key] = mean(p.Values[m])
	}
	return means
}

func mean(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	var s float64
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// PerUser computes the accuracy metrics of each user with held-out items. A held-out
// item that occurs twice counts once.
func PerUser(r *Ranking, relevant *dataset.Lists, opt Options) *UserMetrics {
	cut := opt.cutoffs()
	for _, k := range cut {
		if k < 1 || k > r.K && r.K < r.Catalog {
			panic(fmt.Sprintf("eval: cutoff %d on lists of %d", k, r.K))
		}
	}
	p := &UserMetrics{}
	for _, m := range metricNames {
		for _, k := range cut {
			p.Keys = append(p.Keys, Key(m, k))
		}
	}
	p.Values = make([][]float64, len(p.Keys))
	discount := discounts(slices.Max(cut))
	var rel []int32
	for row, u := range r.Users {
		rel = distinct(rel[:0], relevant.Of(int(u)))
		if len(rel) == 0 {
			continue
		}
		p.Rows, p.Users = append(p.Rows, row), append(p.Users, u)
		items, _ := r.List(row)
		p.add(items, rel, cut, discount)
	}
	return p
}

// distinct appends list to dst, sorted and without repeats.
func distinct(dst, list []int32) []int32 {
	dst = append(dst, list...)
	slices.Sort(dst)
	return slices.Compact(dst)
}

// discounts returns 1/log₂(rank+1) at [rank].
func discounts(deepest int) []float64 {
	d := make([]float64, deepest+1)
	for rank := 1; rank <= deepest; rank++ {
		d[rank] = 1 / math.Log2(float64(rank+1))
	}
	return d
}

// add appends one user's metrics: the running sums over ranks, read off at each
// cutoff.
func (p *UserMetrics) add(items, rel []int32, cut []int, discount []float64) {
	var hits, gain, ideal, precisions float64
	for rank := 1; rank < len(discount); rank++ {
		if rank <= len(rel) {
			ideal += discount[rank]
		}
		if rank <= len(items) {
			if _, hit := slices.BinarySearch(rel, items[rank-1]); hit {
				hits++
				gain += discount[rank]
				precisions += hits / float64(rank)
			}
		}
		for c, k := range cut {
			if k != rank {
				continue
			}
			hit := 0.0
			if hits > 0 {
				hit = 1
			}
			for m, v := range [...]float64{hits / float64(len(rel)), gain / ideal, hits / float64(k), precisions / float64(min(k, len(rel))), hit} {
				p.Values[m*len(cut)+c] = append(p.Values[m*len(cut)+c], v)
			}
		}
	}
}

// lists adds coverage, Gini and novelty over the given ranking rows.
func lists(values map[string]float64, r *Ranking, rows []int, opt Options) {
	var information []float64 // of each item, in bits
	for _, n := range opt.Popularity {
		information = append(information, -math.Log2(float64(max(n, 1))/float64(opt.PopulationUsers)))
	}
	for _, k := range opt.cutoffs() {
		shown := make([]int, r.Catalog)
		var novelty float64
		for _, row := range rows {
			items, _ := r.List(row)
			items = items[:min(k, len(items))]
			var sum float64
			for _, i := range items {
				shown[i]++
				if information != nil {
					sum += information[i]
				}
			}
			if len(items) > 0 {
				novelty += sum / float64(len(items))
			}
		}
		values[Key("coverage", k)], values[Key("gini", k)] = coverage(shown), gini(shown)
		if information != nil && len(rows) > 0 {
			values[Key("novelty", k)] = novelty / float64(len(rows))
		}
	}
}

func coverage(shown []int) float64 {
	n := 0
	for _, s := range shown {
		if s > 0 {
			n++
		}
	}
	return float64(n) / float64(max(len(shown), 1))
}

// gini sorts shown and returns Σ_i (2i - n - 1)·x_i / (n·Σx), i from 1, x ascending.
func gini(shown []int) float64 {
	slices.Sort(shown)
	var weighted, total float64
	n := float64(len(shown))
	for i, x := range shown {
		weighted += (2*float64(i+1) - n - 1) * float64(x)
		total += float64(x)
	}
	if total == 0 {
		return 0
	}
	return weighted / (n * total)
}
