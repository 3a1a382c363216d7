package serving

import (
	"cmp"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func random(seed uint64, rows, cols int) *tensor.Matrix {
	r := rand.New(rand.NewPCG(seed, 1))
	m := tensor.New(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(r.NormFloat64())
	}
	return m
}

// Rank is compared with a sort of all items by their exact inner products. Vectors are of
// small integers, so that sums are exact and ties are many.
func TestRankIsTheSortedCatalogue(t *testing.T) {
	const users, n, width = 40, 257, 9
	u, v := random(1, users, width), random(2, n, width)
	for _, m := range []*tensor.Matrix{u, v} {
		for i, x := range m.Data {
			m.Data[i] = float32(math.Round(float64(x)))
		}
	}
	skip := func(row int) []int32 { return []int32{int32(row), 256, int32(3 * row)} }
	c := NewCatalogue(v)
	for _, k := range []int{1, 10, n - 3, n, 5 * n} {
		items, scores, err := c.Rank(u, k, skip)
		if err != nil || len(items) != users || len(scores) != users {
			t.Fatalf("k=%d: %d lists, %d of scores (%v)", k, len(items), len(scores), err)
		}
		for row := range users {
			exact := make([]float32, n)
			var want []int32
			for i := range n {
				exact[i] = tensor.Dot(u.Row(row), v.Row(i))
				if !slices.Contains(skip(row), int32(i)) {
					want = append(want, int32(i))
				}
			}
			slices.SortStableFunc(want, func(a, b int32) int { return cmp.Compare(exact[b], exact[a]) })
			want = want[:min(k, len(want))]
			if !slices.Equal(items[row], want) {
				t.Fatalf("k=%d, user row %d: items %v, want %v", k, row, items[row], want)
			}
			for j, i := range want {
				if scores[row][j] != exact[i] {
					t.Fatalf("k=%d, user row %d, rank %d: score %g, want %g", k, row, j+1, scores[row][j], exact[i])
				}
			}
		}
	}
}

// A person's list must not depend on who else asks at the same time, nor on the machine's
// processors, in any bit.
func TestARowDoesNotDependOnTheBatch(t *testing.T) {
	const most, k = 300, 20
	// 30011 items make a batch of 300 go in several blocks.
	for _, shape := range [][2]int{{700, 1}, {700, 12}, {30011, 64}, {501, 100}, {90, 1024}, {64, 2000}} {
		n, width := shape[0], shape[1]
		c, users := NewCatalogue(random(3, n, width)), random(4, most, width)
		own := func(row int) []int32 { return []int32{int32(row % n), int32(row * 7 % n)} }
		items, scores := make([][]int32, most), make([][]float32, most)
		for row := range most {
			i, s, err := c.Rank(users.RowRange(row, row+1), k, func(int) []int32 { return own(row) })
			if err != nil {
				t.Fatal(err)
			}
			items[row], scores[row] = i[0], s[0]
		}
		for _, batch := range []int{1, 2, 3, 7, 33, 300} {
			for _, procs := range []int{1, 2} {
				lo := most - batch
				old := runtime.GOMAXPROCS(procs)
				i, s, err := c.Rank(users.RowRange(lo, most), k, func(row int) []int32 { return own(lo + row) })
				runtime.GOMAXPROCS(old)
				if err != nil {
					t.Fatal(err)
				}
				for row := range batch {
					if !slices.Equal(i[row], items[lo+row]) || !slices.Equal(s[row], scores[lo+row]) {
						t.Fatalf("%d items, width %d, %d processors: row %d of %d is ranked otherwise than alone", n, width, procs, row, batch)
					}
				}
			}
		}
	}
}

func TestRankIsSafeForConcurrentUse(t *testing.T) {
	c, users := NewCatalogue(random(5, 2000, 32)), random(6, 64, 32)
	want, _, err := c.Rank(users, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 20 {
				lo := (g*20 + n) % 60
				got, _, err := c.Rank(users.RowRange(lo, lo+4), 10, nil)
				if err != nil {
					t.Error(err)
					return
				}
				for r := range got {
					if !slices.Equal(got[r], want[lo+r]) {
						t.Errorf("user row %d: items %v, want %v", lo+r, got[r], want[lo+r])
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestRankAtTheEdges(t *testing.T) {
	// Whoever skips everything gets an empty list, and others in the batch theirs.
	items, scores, err := NewCatalogue(random(7, 3, 4)).Rank(random(8, 2, 4), 5, func(row int) []int32 { return [][]int32{{0, 1, 2}, nil}[row] })
	if err != nil || len(items[0]) != 0 || len(items[1]) != 3 || len(scores[1]) != 3 {
		t.Errorf("lists %v with scores %v (%v)", items, scores, err)
	}
	if items, _, err := NewCatalogue(tensor.New(0, 4)).Rank(random(8, 2, 4), 5, nil); err != nil || len(items) != 2 || len(items[0]) != 0 {
		t.Errorf("no items: lists %v (%v)", items, err)
	}
	if items, _, err := NewCatalogue(random(7, 3, 4)).Rank(tensor.New(0, 4), 5, nil); err != nil || len(items) != 0 {
		t.Errorf("no users: lists %v (%v)", items, err)
	}
	// Vectors are copied: who overwrites his changes nothing.
	v := random(7, 3, 4)
	c := NewCatalogue(v)
	before, _, _ := c.Rank(random(8, 1, 4), 3, nil)
	clear(v.Data)
	if after, _, _ := c.Rank(random(8, 1, 4), 3, nil); !slices.Equal(after[0], before[0]) {
		t.Errorf("items %v, before the vectors were cleared %v", after[0], before[0])
	}
}

func TestRankReportsWhatItCannotRank(t *testing.T) {
	c := NewCatalogue(random(9, 50, 4))
	broken := random(10, 5, 4)
	broken.Row(3)[2] = float32(math.NaN())
	for want, rank := range map[string]func() error{
		"top 0 asked":  func() error { _, _, err := c.Rank(random(1, 2, 4), 0, nil); return err },
		"5 dimensions": func() error { _, _, err := c.Rank(random(1, 2, 5), 3, nil); return err },
		"item row 50": func() error {
			_, _, err := c.Rank(random(1, 2, 4), 3, func(int) []int32 { return []int32{50} })
			return err
		},
		"item row -1": func() error {
			_, _, err := c.Rank(random(1, 2, 4), 3, func(int) []int32 { return []int32{-1} })
			return err
		},
		"user row 3 for item row 0 is not a number": func() error { _, _, err := c.Rank(broken, 3, nil); return err },
	} {
		if err := rank(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
