package audit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/heldout"
	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Constants of the verdict.
const (
	// Tolerance is the ratio R that is still called clean: with the interval wholly
	// below it vectors are clean, wholly above it (for both kinds of control) leaky. A
	// leak that touches fewer than this share of the users cannot be called.
	Tolerance = 0.10
	// MinUsers is the smallest number of probed users that supports a verdict.
	MinUsers = 100
)

// Options of the probe. The zero value takes the defaults in brackets.
type Options struct {
	Seed      uint64
	MaxUsers  int // users probed at most, a random sample [10000]
	Resamples int // bootstrap resamples [1000]
	Twins     int // nearest neighbours an item is compared with [10]
	Pool      int // popularity-matched items drawn a probed item [64]
	Matches   int // of these, how many are kept as matches [4]
}

func (o Options) withDefaults() Options {
	o.MaxUsers = cmp.Or(o.MaxUsers, 10000)
	o.Resamples = cmp.Or(o.Resamples, 1000)
	o.Twins = cmp.Or(o.Twins, 10)
	o.Pool = cmp.Or(o.Pool, 64)
	o.Matches = cmp.Or(o.Matches, 4)
	return o
}

// ProbeResult is the outcome for both held-out labels. Its verdict is the worse one.
type ProbeResult struct {
	Verdict  Verdict      `json:"verdict"`
	Sentence string       `json:"sentence"`
	Seed     uint64       `json:"seed"`
	Labels   []LabelProbe `json:"labels"`
	Caveats  []string     `json:"caveats,omitempty"`
}

// LabelProbe is the probe of one held-out label.
type LabelProbe struct {
	Label    string   `json:"label"` // "test" or "valid"
	Users    int      `json:"users"`
	Verdict  Verdict  `json:"verdict"`
	Sentence string   `json:"sentence"`
	Twins    Trace    `json:"twins"`
	Matches  Trace    `json:"matches"`
	Cosines  Cosines  `json:"cosines"`
	Rho      Estimate `json:"rho"`       // of the user vectors
	RhoBase  Estimate `json:"rho_base"`  // ρ₀, of the train means
	RhoDelta Estimate `json:"rho_delta"` // ρ − ρ₀
}

// Trace is what user vectors know of single items beyond one kind of control.
type Trace struct {
	Train Estimate `json:"train"`
	Held  Estimate `json:"held"`
	Ratio Estimate `json:"ratio"` // R
}

// Cosines are means over users of the cosine of a user vector to items.
type Cosines struct {
	Train       float64 `json:"train"`
	Held        float64 `json:"held"`
	Control     float64 `json:"control"`
	BaseTrain   float64 `json:"base_train"` // the same of the train mean
	BaseHeld    float64 `json:"base_held"`
	BaseControl float64 `json:"base_control"`
}

// Probe asks whether user vectors (M×D) know held-out items of ds, in the space of the
// item vectors (N×D), with default options and seed 1. See the package comment.
func Probe(ctx context.Context, users, items *tensor.Matrix, ds *dataset.Dataset) (ProbeResult, error) {
	return ProbeWith(ctx, users, items, ds, Options{Seed: 1})
}

// ProbeWith is Probe with options.
func ProbeWith(ctx context.Context, users, items *tensor.Matrix, ds *dataset.Dataset, opt Options) (ProbeResult, error) {
	opt = opt.withDefaults()
	p, err := newProber(ctx, users, items, ds, opt)
	if err != nil {
		return ProbeResult{}, err
	}
	res := ProbeResult{Verdict: Clean, Seed: opt.Seed, Caveats: caveats(ds)}
	for _, label := range []dataset.Label{dataset.Test, dataset.Valid} {
		l, err := p.label(ctx, heldout.Lists(ds, label), label)
		if err != nil {
			return ProbeResult{}, err
		}
		if l.Users == 0 {
			continue
		}
		res.Labels = append(res.Labels, l)
		res.Verdict = worse(res.Verdict, l.Verdict)
		if res.Sentence != "" {
			res.Sentence += " "
		}
		res.Sentence += l.Sentence
	}
	if len(res.Labels) == 0 {
		res.Verdict = Inconclusive
		res.Sentence = "No user has two train items and a held-out item, each with a vector: there is nothing to probe."
	}
	return res, nil
}

func caveats(ds *dataset.Dataset) []string {
	if ds.Split == "leave-latest" || ds.Split == "global-time" {
		return []string{"Held-out items come later than train items in this split; drift lowers rho and rho_base, the ratios less so."}
	}
	return nil
}

// prober holds what both labels share.
type prober struct {
	opt     Options
	users   *tensor.Matrix // unit rows
	items   *tensor.Matrix // unit rows
	present []bool         // users with a vector
	alive   []bool         // items with a vector
	train   *dataset.Lists // sorted, distinct, alive items
	held    *dataset.Lists // all held-out items of each user, sorted
	twins   [][]int32      // nearest items of each, best first
	byPop   []int32        // items by train count
	popRank []int32        // position of each item in byPop
	probed  []int32        // users that are looked at
	maps    [2]*ridge      // fitted on one half of the users, used on the other
	common  *span          // what items share
}

func newProber(ctx context.Context, users, items *tensor.Matrix, ds *dataset.Dataset, opt Options) (*prober, error) {
	if users.Rows != ds.Users() || items.Rows != ds.NumItems() {
		return nil, usererr.New("Give vectors of this data set.", "probe user vectors: %d user and %d item vectors for %d users and %d items",
			users.Rows, items.Rows, ds.Users(), ds.NumItems())
	}
	if users.Cols != items.Cols {
		return nil, usererr.New("Encode users and items with the same encoder.", "probe user vectors: users have %d dimensions, items %d; the probe compares them in one space", users.Cols, items.Cols)
	}
	p := &prober{opt: opt}
	users, items = fold(users, items, opt.Seed)
	var err error
	if p.users, p.present, err = unit(users, "user"); err != nil {
		return nil, err
	}
	if p.items, p.alive, err = unit(items, "item"); err != nil {
		return nil, err
	}
	p.train = p.living(ds.TrainHistories().Lists())
	p.held = joined(heldout.Lists(ds, dataset.Valid), heldout.Lists(ds, dataset.Test))
	if p.common, err = common(p.items); err != nil {
		return nil, err
	}
	near, err := itemgraph.TopCosine(ctx, p.items, 3*opt.Twins+2, float32(math.Inf(-1)))
	if err != nil {
		return nil, fmt.Errorf("probe user vectors: %w", err)
	}
	p.twins = nearestFirst(near)
	p.rankByPopularity(ds.TrainHistories().Lists())
	p.probed = sample(ds.Users(), opt.MaxUsers, opt.Seed)
	if err := p.fit(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// unit returns m with rows of length 1, and which rows have a direction at all.
func unit(m *tensor.Matrix, what string) (*tensor.Matrix, []bool, error) {
	u, alive := tensor.New(m.Rows, m.Cols), make([]bool, m.Rows)
	for r := range m.Rows {
		var ss float64
		for _, v := range m.Row(r) {
			ss += float64(v) * float64(v)
		}
		if math.IsNaN(ss) || math.IsInf(ss, 0) {
			return nil, nil, usererr.New("", "probe user vectors: %s vector %d is not finite", what, r)
		}
		if alive[r] = ss > 0; !alive[r] {
			continue
		}
		scale, out := 1/math.Sqrt(ss), u.Row(r)
		for j, v := range m.Row(r) {
			out[j] = float32(float64(v) * scale)
		}
	}
	return u, alive, nil
}

// living returns the lists sorted, without repeats and without items that have no
// vector.
func (p *prober) living(l *dataset.Lists) *dataset.Lists {
	l = l.Sorted()
	out := &dataset.Lists{Offsets: make([]int, l.Len()+1), Columns: l.Columns}
	for u := range l.Len() {
		for e, i := range l.Of(u) {
			if p.alive[i] && (e == 0 || l.Of(u)[e-1] != i) {
				out.Items = append(out.Items, i)
			}
		}
		out.Offsets[u+1] = len(out.Items)
	}
	return out
}

func joined(a, b *dataset.Lists) *dataset.Lists {
	out := &dataset.Lists{Offsets: make([]int, a.Len()+1), Columns: a.Columns}
	for u := range a.Len() {
		out.Items = append(append(out.Items, a.Of(u)...), b.Of(u)...)
		out.Offsets[u+1] = len(out.Items)
		slices.Sort(out.Items[out.Offsets[u]:])
	}
	return out
}

// nearestFirst returns each row's neighbours, best first, without the row itself.
func nearestFirst(near *tensor.CSR) [][]int32 {
	out := make([][]int32, near.Rows)
	for i := range out {
		cols, vals := near.Row(i)
		order := make([]int, len(cols))
		for e := range order {
			order[e] = e
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case vals[a] > vals[b]:
				return -1
			case vals[a] < vals[b]:
				return 1
			}
			return 0
		})
		for _, e := range order {
			if cols[e] != int32(i) {
				out[i] = append(out[i], cols[e])
			}
		}
	}
	return out
}

func (p *prober) rankByPopularity(train *dataset.Lists) {
	counts := make([]int, train.Columns)
	for _, i := range train.Items {
		counts[i]++
	}
	p.popRank = make([]int32, train.Columns)
	for i, alive := range p.alive {
		if alive {
			p.byPop = append(p.byPop, int32(i))
		}
	}
	slices.SortStableFunc(p.byPop, func(a, b int32) int { return counts[b] - counts[a] })
	for r, i := range p.byPop {
		p.popRank[i] = int32(r)
	}
}

// sample returns at most limit of n users, ascending.
func sample(n, limit int, seed uint64) []int32 {
	all := make([]int32, n)
	for u := range all {
		all[u] = int32(u)
	}
	if n <= limit {
		return all
	}
	rng := rand.New(rand.NewPCG(seed, 0x73616d706c65)) // "sample"
	for i := range limit {
		j := i + rng.IntN(n-i)
		all[i], all[j] = all[j], all[i]
	}
	all = all[:limit]
	slices.Sort(all)
	return all
}
