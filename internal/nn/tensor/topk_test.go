package tensor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var (
	nan    = float32(math.NaN())
	posInf = float32(math.Inf(1))
	negInf = float32(math.Inf(-1))
)

// slowTopK sorts everything: numbers descending, then NaN, ties by index.
func slowTopK(scores []float32, k int) []int32 {
	var order []int32
	for i, s := range scores {
		if s != negInf {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		x, y := scores[a], scores[b]
		switch {
		case x > y, x == x && y != y:
			return -1
		case x < y, x != x && y == y:
			return 1
		}
		return 0
	})
	return order[:min(k, len(order))]
}

func checkTopK(t *testing.T, scores []float32, k int) {
	t.Helper()
	room := min(k, len(scores))
	idx, val := make([]int32, room), make([]float32, room)
	n := TopK(scores, k, idx, val)
	want := slowTopK(scores, k)
	if !slices.Equal(idx[:n], want) {
		t.Fatalf("top %d of %d scores: %v, want %v", k, len(scores), idx[:n], want)
	}
	for r, i := range want {
		if val[r] != scores[i] && scores[i] == scores[i] {
			t.Fatalf("rank %d: value %g, want %g", r, val[r], scores[i])
		}
	}
}

func TestTopK(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		for _, scores := range [][]float32{
			nil, {1}, {nan}, {negInf}, {posInf, nan, negInf, 1}, {3, 1, 3, 2, 3}, {0, float32(math.Copysign(0, -1)), 0},
			{negInf, nan, negInf, nan}, {-1, -2, posInf, -1},
		} {
			for k := range 7 {
				checkTopK(t, scores, k)
			}
		}
		r := rand.New(rand.NewPCG(1, 12))
		for range 60 {
			scores := randomSlice(r, 1+r.IntN(3000))
			switch r.IntN(6) {
			case 0: // many ties
				for i := range scores {
					scores[i] = float32(r.IntN(7)) - 3
				}
			case 1:
				slices.Sort(scores) // every score passes the threshold
			case 3: // few scores are not masked
				for i := range scores {
					if i%97 != 5 {
						scores[i] = negInf
					}
				}
			case 2:
				for range len(scores) / 2 {
					scores[r.IntN(len(scores))] = []float32{nan, negInf, posInf, 0}[r.IntN(4)]
				}
			}
			for _, k := range []int{1, 10, 50, 700, len(scores), len(scores) + 5} {
				checkTopK(t, scores, k)
			}
		}
	})
}

func TestTopKPanicsWithoutRoom(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	TopK(make([]float32, 5), 3, make([]int32, 2), make([]float32, 3))
}
