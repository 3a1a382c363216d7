package eval

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func TestTiesGoToTheLowerIndex(t *testing.T) {
	scores := tensor.FromSlice(1, 6, []float32{1, 2, 2, 1, 2, 0})
	r, err := Rank(t.Context(), fixed{scores}, nil, nil, 4)
	if err != nil {
		t.Fatal(err)
	}
	if items, _ := r.List(0); !slices.Equal(items, []int32{1, 2, 4, 0}) {
		t.Errorf("ranked %v", items)
	}
}

func TestMaskAndInfinityNeverRank(t *testing.T) {
	inf := float32(math.Inf(-1))
	scores := tensor.FromSlice(1, 4, []float32{5, inf, 3, 4})
	r, err := Rank(t.Context(), fixed{scores}, ragged(4, []int32{0}), nil, 4)
	if err != nil {
		t.Fatal(err)
	}
	items, vals := r.List(0)
	if !slices.Equal(items, []int32{3, 2}) || !slices.Equal(vals, []float32{4, 3}) {
		t.Errorf("ranked %v with %v", items, vals)
	}
}

func TestNaNIsNamed(t *testing.T) {
	scores := tensor.New(40, 700)
	scores.Row(23)[611] = float32(math.NaN())
	scores.Row(31)[2] = float32(math.NaN())
	_, err := Rank(t.Context(), fixed{scores}, nil, nil, 10)
	if err == nil || !strings.Contains(err.Error(), "user row 23") || !strings.Contains(err.Error(), "item row 611") {
		t.Errorf("error %v does not name user 23 and item 611", err)
	}
	// A NaN after the list is full must be seen as well as one in front.
	full := tensor.New(1, 100)
	for i := range full.Data {
		full.Data[i] = float32(-i)
	}
	full.Data[99] = float32(math.NaN())
	if _, err := Rank(t.Context(), fixed{full}, nil, nil, 3); err == nil {
		t.Error("NaN behind a full list passed")
	}
	// Infinities of both signs are no NaN.
	full.Data[99], full.Data[98] = float32(math.Inf(1)), float32(math.Inf(-1))
	if r, err := Rank(t.Context(), fixed{full}, nil, nil, 3); err != nil || r.Items[0] != 99 {
		t.Errorf("infinite scores: %v", err)
	}
	full.Data[99] = float32(math.NaN())
	// A NaN on a masked item is nobody's business.
	if _, err := Rank(t.Context(), fixed{full}, ragged(100, []int32{99}), nil, 3); err != nil {
		t.Error(err)
	}
}

func TestRankChecksItsInput(t *testing.T) {
	s := fixed{tensor.New(2, 3)}
	for name, call := range map[string]func() error{
		"mask of other users": func() error { _, err := Rank(t.Context(), s, ragged(3, nil), nil, 1); return err },
		"mask of other items": func() error { _, err := Rank(t.Context(), s, ragged(4, nil, nil), nil, 1); return err },
		"unknown user":        func() error { _, err := Rank(t.Context(), s, nil, []int32{2}, 1); return err },
		"top 0":               func() error { _, err := Rank(t.Context(), s, nil, nil, 0); return err },
		"unequal dimensions": func() error {
			_, err := Rank(t.Context(), DotScorer(tensor.New(2, 3), tensor.New(4, 5)), nil, nil, 1)
			return err
		},
	} {
		if call() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Rank(ctx, s, nil, nil, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func gaussian(rng *rand.Rand, rows, cols int) *tensor.Matrix {
	m := tensor.New(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(rng.NormFloat64())
	}
	return m
}

func TestRankingIsTheSameAtAnyGOMAXPROCS(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	users, items := gaussian(rng, 700, 24), gaussian(rng, 1531, 24)
	rank := func(procs int) *Ranking {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		r, err := Rank(t.Context(), DotScorer(users, items), nil, nil, 50)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one, two := rank(1), rank(2)
	if !slices.Equal(one.Items, two.Items) || !slices.Equal(one.Scores, two.Scores) {
		t.Error("rankings differ")
	}
	// Every list against sorting one dot product at a time.
	for _, u := range []int{0, 341, 699} {
		list, vals := one.List(u)
		for e, i := range list {
			var want float64
			for j, v := range users.Row(u) {
				want += float64(v) * float64(items.Row(int(i))[j])
			}
			if math.Abs(want-float64(vals[e])) > 1e-4 || e > 0 && vals[e] > vals[e-1] {
				t.Errorf("user %d rank %d: score %v, want %v, descending", u, e+1, vals[e], want)
			}
		}
	}
}

func TestRandomScoresDoNotDependOnTheBlock(t *testing.T) {
	s := Random(5, 10, 200)
	all, one := tensor.New(3, 200), tensor.New(1, 200)
	if err := s.Scores([]int32{1, 7, 9}, all); err != nil {
		t.Fatal(err)
	}
	if err := s.Scores([]int32{7}, one); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(all.Row(1), one.Row(0)) {
		t.Error("user 7 scores differ between blocks")
	}
	if slices.Equal(all.Row(0), all.Row(1)) {
		t.Error("users 1 and 7 score alike")
	}
	var sum float64
	for _, v := range all.Data {
		if v < 0 || v >= 1 {
			t.Fatalf("score %v outside [0,1)", v)
		}
		sum += float64(v)
	}
	if m := sum / 600; math.Abs(m-0.5) > 0.05 {
		t.Errorf("mean score %v", m)
	}
}

// Baby's shape: 19,445 users × 7,050 items × 64 dimensions, top 50.
func BenchmarkRankBaby(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	users, items := gaussian(rng, 19445, 64), gaussian(rng, 7050, 64)
	for b.Loop() {
		if _, err := Rank(b.Context(), DotScorer(users, items), nil, nil, 50); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMetricsBaby(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	r, err := Rank(b.Context(), Random(1, 19445, 7050), nil, nil, 50)
	if err != nil {
		b.Fatal(err)
	}
	rows := make([][]int32, 19445)
	for u := range rows {
		rows[u] = []int32{rng.Int32N(7050)}
	}
	relevant := ragged(7050, rows...)
	for b.Loop() {
		Metrics(r, relevant, Options{}.WithTrain(relevant))
	}
}
