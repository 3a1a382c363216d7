package eval

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func ragged(columns int, rows ...[]int32) *dataset.Lists {
	l := &dataset.Lists{Offsets: []int{0}, Columns: columns}
	for _, r := range rows {
		l.Items = append(l.Items, r...)
		l.Offsets = append(l.Offsets, len(l.Items))
	}
	return l
}

type fixed struct{ m *tensor.Matrix }

func (f fixed) Users() int { return f.m.Rows }
func (f fixed) Items() int { return f.m.Cols }
func (f fixed) Scores(users []int32, dst *tensor.Matrix) error {
	tensor.Gather(dst, f.m, users)
	return nil
}

func almost(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > 1e-12 {
		t.Errorf("%s = %.15f, want %.15f", what, got, want)
	}
}

// One user, ten items ranked 0,1,2,...; relevant are items 1, 3 and 9 (ranks 2, 4, 10).
// Worked by hand at K=3 and K=5.
func TestMetricsByHand(t *testing.T) {
	scores := tensor.New(1, 10)
	for i := range 10 {
		scores.Data[i] = float32(-i)
	}
	r, err := Rank(t.Context(), fixed{scores}, nil, nil, 5)
	if err != nil {
		t.Fatal(err)
	}
	rep := Metrics(r, ragged(10, []int32{1, 3, 9}), Options{Cutoffs: []int{1, 3, 5}})
	ideal := 1 + 1/math.Log2(3) + 0.5 // ranks 1, 2, 3: log2 of 2, 3, 4
	for key, want := range map[string]float64{
		"recall@1": 0, "precision@1": 0, "hitrate@1": 0, "ndcg@1": 0, "map@1": 0,
		"recall@3":    1.0 / 3,
		"precision@3": 1.0 / 3,
		"hitrate@3":   1,
		"ndcg@3":      (1 / math.Log2(3)) / ideal,
		"map@3":       (1.0 / 2) / 3,
		"recall@5":    2.0 / 3,
		"precision@5": 2.0 / 5,
		"hitrate@5":   1,
		"ndcg@5":      (1/math.Log2(3) + 1/math.Log2(5)) / ideal,
		"map@5":       (1.0/2 + 2.0/4) / 3,
		"coverage@1":  0.1,
		"coverage@5":  0.5,
		"gini@1":      0.9, // all on one of ten
		"gini@5":      0.5, // five of ten, equally
	} {
		almost(t, key, rep.Values[key], want)
	}
	if rep.Users != 1 {
		t.Errorf("%d users, want 1", rep.Users)
	}
}

// More relevant items than ranks: recall keeps |rel| below, NDCG and MAP stop at K.
func TestMoreRelevantThanRanks(t *testing.T) {
	scores := tensor.FromSlice(1, 6, []float32{6, 5, 4, 3, 2, 1})
	r, err := Rank(t.Context(), fixed{scores}, nil, nil, 2)
	if err != nil {
		t.Fatal(err)
	}
	v := Metrics(r, ragged(6, []int32{0, 2, 3, 4}), Options{Cutoffs: []int{2}}).Values
	almost(t, "recall@2", v["recall@2"], 1.0/4)
	almost(t, "ndcg@2", v["ndcg@2"], 1/(1+1/math.Log2(3)))
	almost(t, "map@2", v["map@2"], 1.0/2)
}

func TestNoveltyByHand(t *testing.T) {
	// Of 8 train users 4 have item 0, 1 has item 1, none has item 2 (counts as one).
	scores := tensor.FromSlice(2, 3, []float32{3, 2, 1, 1, 2, 3})
	r, err := Rank(t.Context(), fixed{scores}, nil, nil, 2)
	if err != nil {
		t.Fatal(err)
	}
	opt := Options{Cutoffs: []int{1, 2}, Popularity: []int{4, 1, 0}, PopulationUsers: 8}
	v := Metrics(r, ragged(3, []int32{1}, []int32{1}), opt).Values
	almost(t, "novelty@1", v["novelty@1"], (1.0+3)/2)
	almost(t, "novelty@2", v["novelty@2"], ((1.0+3)/2+(3.0+3)/2)/2)
	if _, ok := Metrics(r, ragged(3, []int32{1}, nil), Options{Cutoffs: []int{1}}).Values["novelty@1"]; ok {
		t.Error("novelty reported without popularity")
	}
}

// slow is the definitions once more, written to be read: sort everything, loop over
// ranks.
func slow(scores []float32, masked, relevant []int32, k int) map[string]float64 {
	var order []int
	for i := range scores {
		if !slices.Contains(masked, int32(i)) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if scores[a] > scores[b] {
			return -1
		}
		if scores[a] < scores[b] {
			return 1
		}
		return 0
	})
	if len(order) > k {
		order = order[:k]
	}
	var hits, dcg, idcg, ap float64
	for r, i := range order {
		if slices.Contains(relevant, int32(i)) {
			hits++
			dcg += math.Ln2 / math.Log(float64(r+2))
			ap += hits / float64(r+1)
		}
	}
	m := min(k, len(relevant))
	for r := range m {
		idcg += math.Ln2 / math.Log(float64(r+2))
	}
	out := map[string]float64{"recall": hits / float64(len(relevant)), "precision": hits / float64(k), "ndcg": dcg / idcg, "map": ap / float64(m), "hitrate": 0}
	if hits > 0 {
		out["hitrate"] = 1
	}
	return out
}

func TestAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	for trial := range 60 {
		users, items := 1+rng.IntN(40), 1+rng.IntN(90)
		scores := tensor.New(users, items)
		for i := range scores.Data {
			scores.Data[i] = float32(rng.IntN(12)) // many ties
		}
		draw := func(p float64) [][]int32 {
			rows := make([][]int32, users)
			for u := range rows {
				for i := range items {
					if rng.Float64() < p {
						rows[u] = append(rows[u], int32(i))
					}
				}
			}
			return rows
		}
		mask, rel := draw(0.3), draw(0.1)
		r, err := Rank(t.Context(), fixed{scores}, ragged(items, mask...), nil, 50)
		if err != nil {
			t.Fatal(err)
		}
		got := Metrics(r, ragged(items, rel...), Options{})
		for _, k := range DefaultCutoffs {
			total, n := map[string]float64{}, 0
			for u := range users {
				if len(rel[u]) == 0 {
					continue
				}
				n++
				for m, v := range slow(scores.Row(u), mask[u], rel[u], k) {
					total[m] += v
				}
			}
			if got.Users != n {
				t.Fatalf("trial %d: %d users, want %d", trial, got.Users, n)
			}
			for m := range maps.Keys(total) {
				almost(t, Key(m, k), got.Values[Key(m, k)], total[m]/float64(n))
			}
		}
	}
}

func TestRepeatedRelevantItemCountsOnce(t *testing.T) {
	r, err := Rank(t.Context(), fixed{tensor.FromSlice(1, 3, []float32{1, 2, 3})}, nil, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	v := Metrics(r, ragged(3, []int32{2, 0, 2}), Options{Cutoffs: []int{1}}).Values
	almost(t, "recall@1", v["recall@1"], 0.5)
}

func TestCutoffBeyondRankingPanics(t *testing.T) {
	r, err := Rank(t.Context(), Random(1, 1, 100), nil, nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("measured 20 ranks of a list of 10")
		}
	}()
	Metrics(r, ragged(100, []int32{1}), Options{Cutoffs: []int{20}})
}

func TestSlices(t *testing.T) {
	// User 0 has one train item, user 1 three; item 0 has two train users, 1, 2, 3 one or none.
	train := ragged(5, []int32{0}, []int32{0, 1, 2})
	relevant := ragged(5, []int32{3, 1}, []int32{4})
	scores := tensor.FromSlice(2, 5, []float32{9, 8, 7, 6, 5, 9, 8, 7, 6, 5})
	r, err := Rank(t.Context(), fixed{scores}, train, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Slice{}
	for _, s := range Slices(r, relevant, train, Options{Cutoffs: []int{1}}) {
		got[s.By+" "+s.Label] = s
	}
	want := map[string]Slice{
		"history 1-2":    {Users: 1, Held: 2, Values: map[string]float64{"recall@1": 0.5}},
		"history 3-4":    {Users: 1, Held: 1, Values: map[string]float64{"recall@1": 0}},
		"popularity 0":   {Users: 2, Held: 2, Values: map[string]float64{"recall@1": 0}},
		"popularity 1-4": {Users: 1, Held: 1, Values: map[string]float64{"recall@1": 1}},
	}
	if len(got) != len(want) {
		t.Errorf("slices %v", slices.Sorted(maps.Keys(got)))
	}
	for name, w := range want {
		g := got[name]
		if g.Users != w.Users || g.Held != w.Held {
			t.Errorf("%s: %d users, %d held out, want %d and %d", name, g.Users, g.Held, w.Users, w.Held)
		}
		almost(t, name, g.Values["recall@1"], w.Values["recall@1"])
	}
}
