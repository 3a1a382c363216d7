package dualgnn

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
)

var shape = modeltest.Shape{Users: 40, Items: 60, Train: 150, Width: 8, Tastes: 8}

// A user's links are the k others with the most common items, of equal ones the first, never himself, and their
// weights the softmax of the numbers of common items: compared with every pair counted.
func TestUsersAreLinkedByWhatTheyBothChose(t *testing.T) {
	train := modeltest.Make(shape, 3).Inputs.Train
	alone := 0
	for _, k := range []int{1, 3, 1000} {
		g := users(train, k)
		for u := range train.Users() {
			var want []int32
			common := map[int32]int{}
			for v := range train.Users() {
				for _, i := range train.Items(u) {
					if v != u && slices.Contains(train.Items(v), i) {
						common[int32(v)]++
					}
				}
				if common[int32(v)] > 0 {
					want = append(want, int32(v))
				}
			}
			slices.SortStableFunc(want, func(a, b int32) int { return cmp.Compare(common[b], common[a]) })
			want = want[:min(k, len(want))]
			var sum, total float64
			for _, v := range want {
				sum += math.Exp(float64(common[v]))
			}
			slices.Sort(want)
			cols, values := g.Row(u)
			if !slices.Equal(cols, want) {
				t.Fatalf("k=%d: user %d is linked to %v, want %v", k, u, cols, want)
			}
			for e, v := range cols {
				total += float64(values[e])
				if w := math.Exp(float64(common[v])) / sum; math.Abs(float64(values[e])-w) > 1e-6 {
					t.Errorf("k=%d: link %d–%d weighs %g, want %g", k, u, v, values[e], w)
				}
			}
			if len(cols) == 0 {
				alone++
			} else if math.Abs(total-1) > 1e-5 {
				t.Errorf("k=%d: the links of user %d sum to %g", k, u, total)
			}
		}
	}
	t.Logf("%d times a user without links", alone)
}

// Users begin with weights that sum to 1. A modality that weighs nothing for all users tells them nothing, though it
// still describes the items; what a user weighs reaches the users who are linked to him and no others.
func TestUsersWeighModalities(t *testing.T) {
	in := modeltest.Make(shape, 3).Inputs
	made, err := model.New("dualgnn", in, map[string]string{"modalities": "visual,text", "embedding_dim": "6", "k": "2"})
	if err != nil {
		t.Fatal(err)
	}
	m := made.(*recommender)
	for u := range in.Users {
		if w := m.weights.Value.Row(u); math.Abs(float64(w[0]+w[1]-1)) > 1e-6 || w[0] <= 0 || w[1] <= 0 {
			t.Errorf("user %d begins with weights %v", u, w)
		}
	}
	usersBefore, itemsBefore, _ := m.Represent()
	m.weights.Value.Row(7)[0] += 2
	usersAfter, itemsAfter, _ := m.Represent()
	if !slices.Equal(itemsBefore.Data, itemsAfter.Data) {
		t.Error("a user's weights changed items")
	}
	for u := range in.Users {
		cols, _ := m.similar.Row(u)
		if changed := !slices.Equal(usersBefore.Row(u), usersAfter.Row(u)); changed != (u == 7 || slices.Contains(cols, 7)) {
			t.Errorf("weights of user 7: user %d, linked to %v, changed: %v", u, cols, changed)
		}
	}
	for u := range in.Users {
		m.weights.Value.Row(u)[0], m.weights.Value.Row(u)[1] = 1, 0
	}
	usersBefore, itemsBefore, _ = m.Represent()
	for i := range m.branches[1].preference.Value.Data {
		m.branches[1].preference.Value.Data[i] += float32(i%7) - 3
	}
	usersAfter, itemsAfter, _ = m.Represent()
	if !slices.Equal(usersBefore.Data, usersAfter.Data) || slices.Equal(itemsBefore.Data, itemsAfter.Data) {
		t.Error("a modality of no weight reached the users, or did not reach the items")
	}
}
