package dataset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func pairs(list ...[2]int32) *Dataset {
	ds := &Dataset{}
	users, items := int32(-1), int32(-1)
	for i, p := range list {
		users, items = max(users, p[0]), max(items, p[1])
		ds.Append(Interaction{User: p[0], Item: p[1], Time: int64(i)})
	}
	for u := range users + 1 {
		ds.UserIDs = append(ds.UserIDs, fmt.Sprintf("u%d", u))
	}
	for i := range items + 1 {
		ds.Items = append(ds.Items, Item{ID: fmt.Sprintf("i%d", i)})
	}
	return ds
}

// A chain where each removal undercuts the next, so that several rounds are needed.
func TestKCoreIterates(t *testing.T) {
	ds := pairs([2]int32{0, 0},
		[2]int32{1, 0}, [2]int32{1, 1},
		[2]int32{2, 1}, [2]int32{2, 2}, [2]int32{2, 3},
		[2]int32{3, 3}, [2]int32{3, 2}, [2]int32{4, 2}, [2]int32{4, 3})
	res := KCore(ds, 2)
	// Snapshot 1 drops u0; then i0 has one left; then u1; then i1.
	if res.Rounds != 4 || res.Users != 2 || res.Items != 2 || res.Interactions != 4 {
		t.Errorf("result %+v", res)
	}
	if !slices.Equal(ds.UserIDs, []string{"u2", "u3", "u4"}) {
		t.Errorf("users %v", ds.UserIDs)
	}
	var got string
	for _, x := range ds.interactions {
		got += fmt.Sprint(ds.UserIDs[x.User], ds.Items[x.Item].ID, " ")
	}
	if want := "u2i2 u2i3 u3i3 u3i2 u4i2 u4i3 "; got != want {
		t.Errorf("interactions %q, want %q", got, want)
	}
	if !slices.Equal(res.OldUsers, []int32{2, 3, 4}) || !slices.Equal(res.OldItems, []int32{2, 3}) {
		t.Errorf("mapping %v %v", res.OldUsers, res.OldItems)
	}
}

// Users and items below k are found on one snapshot: u0 and i0 fall together in the
// first round though either alone would have taken the other along in a second.
func TestKCoreRemovesBothSidesAtOnce(t *testing.T) {
	ds := pairs([2]int32{0, 0}, [2]int32{1, 1}, [2]int32{1, 2}, [2]int32{2, 1}, [2]int32{2, 2})
	if res := KCore(ds, 2); res.Rounds != 1 || res.Users != 1 || res.Items != 1 {
		t.Errorf("result %+v", res)
	}
}

func TestKCoreLeavesACoreAlone(t *testing.T) {
	ds := pairs([2]int32{0, 1}, [2]int32{0, 0}, [2]int32{1, 0}, [2]int32{1, 1})
	res := KCore(ds, 2)
	if res.Rounds != 0 || ds.Items[0].ID != "i0" || !slices.Equal(res.OldItems, []int32{0, 1}) {
		t.Errorf("rows moved though nothing was removed: %+v, items %v", res, ds.Items)
	}
	unseen := pairs([2]int32{0, 0})
	unseen.Items = append(unseen.Items, Item{ID: "cold"})
	if KCore(unseen, 0); unseen.NumItems() != 2 {
		t.Error("k = 0 must keep items nobody chose")
	}
	if res := KCore(unseen, 1); unseen.NumItems() != 1 || res.Items != 1 || res.Interactions != 0 {
		t.Errorf("k = 1 must drop items nobody chose: %+v", res)
	}
}

func TestKCoreOfNothing(t *testing.T) {
	ds := pairs([2]int32{0, 0})
	if res := KCore(ds, 5); ds.Users() != 0 || ds.NumItems() != 0 || len(ds.interactions) != 0 || res.Interactions != 1 {
		t.Errorf("left %d users, %d items: %+v", ds.Users(), ds.NumItems(), res)
	}
}

// Properties on random data: the result is a core, no larger core exists (a naive
// one-by-one peeling finds the same, since the k-core is unique), and rows are in
// the order of first appearance.
func TestKCoreProperties(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var list [][2]int32
		for range 60 + rng.IntN(300) {
			list = append(list, [2]int32{int32(rng.IntN(40)), int32(rng.IntN(40))})
		}
		ds := pairs(list...)
		MergeDuplicates(ds)
		k := 2 + rng.IntN(4)
		want := peel(ds, k)
		res := KCore(ds, k)
		var got []string
		users, items := int32(-1), int32(-1)
		for _, x := range ds.interactions {
			got = append(got, ds.UserIDs[x.User]+ds.Items[x.Item].ID)
			if res.Users+res.Items > 0 && (x.User > users+1 || x.Item > items+1) {
				t.Fatalf("seed %d: rows are not in the order of first appearance", seed)
			}
			users, items = max(users, x.User), max(items, x.Item)
		}
		if !slices.Equal(got, want) {
			t.Errorf("seed %d, k %d: core %v, want %v", seed, k, got, want)
		}
	}
}

// peel removes one offending interaction at a time.
func peel(ds *Dataset, k int) []string {
	left := slices.Clone(ds.interactions)
	for {
		users, items := map[int32]int{}, map[int32]int{}
		for _, x := range left {
			users[x.User]++
			items[x.Item]++
		}
		i := slices.IndexFunc(left, func(x Interaction) bool { return users[x.User] < k || items[x.Item] < k })
		if i < 0 {
			break
		}
		left = slices.Delete(left, i, i+1)
	}
	var out []string
	for _, x := range left {
		out = append(out, ds.UserIDs[x.User]+ds.Items[x.Item].ID)
	}
	return out
}

func TestMergeDuplicates(t *testing.T) {
	ds := pairs([2]int32{1, 0}, [2]int32{0, 0}, [2]int32{1, 1}, [2]int32{1, 0}, [2]int32{0, 0}, [2]int32{1, 0})
	for i, time := range []int64{9, 5, 1, 3, 5, 3} {
		ds.interactions[i].Time = time
		ds.interactions[i].Rating = float32(i)
	}
	if n := MergeDuplicates(ds); n != 3 {
		t.Errorf("merged %d, want 3", n)
	}
	var kept []float32
	for _, x := range ds.interactions {
		kept = append(kept, x.Rating)
	}
	// (1,0): the earliest is 3 (5 is as early, but later in the file); (0,0): 1 before 4.
	if !slices.Equal(kept, []float32{1, 2, 3}) {
		t.Errorf("kept %v, want interactions 1, 2 and 3", kept)
	}
	if n := MergeDuplicates(ds); n != 0 {
		t.Errorf("a second merge removed %d", n)
	}
}
