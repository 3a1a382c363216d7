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

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// plain hides from the ranking what it could know of a scorer beside its scores.
type plain struct{ Scorer }

// crowd is a mask of lists of uneven length, unsorted, with repeats: one user owns all items but
// three, one all, one nothing.
func crowd(r *rand.Rand, users, items int) *dataset.Lists {
	rows := make([][]int32, users)
	for u := range rows {
		for range r.IntN(12) {
			rows[u] = append(rows[u], int32(math.Pow(r.Float64(), 3)*float64(items)))
		}
		if len(rows[u]) > 0 {
			rows[u] = append(rows[u], rows[u][0])
		}
	}
	for i := range items {
		rows[1] = append(rows[1], int32(items-1-i))
		if i > 2 {
			rows[users-1] = append(rows[users-1], int32(i))
		}
	}
	rows[0] = nil
	return ragged(items, rows...)
}

// One pass by several scorers gives the lists that ranking by each of them gives, score by
// score for every user and item.
func TestOnePassRanksAsEachScorerDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 3))
	const users, items = 300, 70 // popularity has many ties
	mask := crowd(r, users, items)
	popular := &popularity{users: users, counts: make([]float32, items)}
	for i, n := range ItemCounts(mask) {
		popular.counts[i] = float32(n / 4)
	}
	contenders := []Contender{
		{"vectors", DotScorer(gaussian(r, users, 24), gaussian(r, items, 24))},
		{"popularity", popular},
		{"random", Random(3, users, items)},
		{"other vectors", DotScorer(gaussian(r, users, 5), gaussian(r, items, 5))},
	}
	for _, m := range []*dataset.Lists{mask, nil} {
		var want []*Ranking
		for _, c := range contenders {
			w, err := Rank(t.Context(), plain{c.Scorer}, m, nil, 50)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, w)
			quick, err := Rank(t.Context(), c.Scorer, m, nil, 50)
			if err != nil || !slices.Equal(quick.Items, w.Items) || !slices.Equal(quick.Counts, w.Counts) || !slices.Equal(quick.Scores, w.Scores) {
				t.Errorf("%s alone: lists or scores differ (%v)", c.Name, err)
			}
		}
		for _, procs := range []int{1, 2} {
			old := runtime.GOMAXPROCS(procs)
			got, err := RankAll(t.Context(), contenders, m, 50)
			runtime.GOMAXPROCS(old)
			if err != nil {
				t.Fatal(err)
			}
			for n, g := range got {
				w := want[n]
				if !slices.Equal(g.Items, w.Items) || !slices.Equal(g.Counts, w.Counts) || !slices.Equal(g.Users, w.Users) || g.K != w.K || g.Catalog != w.Catalog {
					t.Errorf("%s on %d processors: lists differ", contenders[n].Name, procs)
				}
			}
		}
	}
}

func TestOnePassReportsWhoFailed(t *testing.T) {
	good, bad := tensor.New(3, 4), tensor.New(3, 4)
	bad.Row(2)[1] = float32(math.NaN())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for want, call := range map[string]func() error{
		"beta: rank users: score of user row 2 for item row 1": func() error {
			_, err := RankAll(t.Context(), []Contender{{"alpha", fixed{good}}, {"beta", fixed{bad}}}, nil, 2)
			return err
		},
		"beta has 2 users and 4 items, alpha 3 and 4": func() error {
			_, err := RankAll(t.Context(), []Contender{{"alpha", fixed{good}}, {"beta", fixed{tensor.New(2, 4)}}}, nil, 2)
			return err
		},
		"alpha: rank users: top 0": func() error {
			_, err := RankAll(t.Context(), []Contender{{"alpha", fixed{good}}}, nil, 0)
			return err
		},
		context.Canceled.Error(): func() error {
			_, err := RankAll(ctx, []Contender{{"alpha", fixed{good}}}, nil, 2)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
