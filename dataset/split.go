package dataset

import (
	"fmt"
	"hash/fnv"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The names of the splits, as Dataset.Split records them. Each is explained at the function
// that makes it: SplitRandom, SplitLeaveLatest, SplitGlobalTime; SplitLabelled is the
// source's own.
const (
	SplitLabelled   = "labelled"
	SplitByRandom   = "random"
	SplitByLatest   = "leave-latest"
	SplitByTime     = "global-time"
	minimumForSplit = 3 // interactions a user needs to give one to each part
)

// What Dataset.Clock says of Interaction.Time.
const (
	ClockNone   = "none"   // nothing: times are filler, only source order is left
	ClockOrder  = "order"  // a user's interactions in order; not comparable between users
	ClockMoment = "moment" // points in time, comparable between users
)

// SplitRandom labels each user's interactions at random by MMRec's position rule.
// With n of them: n < 10 gives n−2 train, 1 valid, 1 test; n ≥ 10 holds out
// t = ⌊0.2n⌋, of which ⌊t/2⌋ valid and the rest test. Users with fewer than 3 are
// all train. A user's draw depends on the seed, the user's id and the number of
// interactions alone: not on the machine, nor on who else is in the data. Merge
// duplicates first, or one pair may lie on both sides.
func SplitRandom(ds *Dataset, seed uint64) {
	ds.eachUser(func(block []Interaction) {
		labels := positionLabels(len(block))
		shuffle(labels, rand.NewPCG(seed, userStream(ds.UserIDs[block[0].User])))
		for i := range block {
			block[i].Label = labels[i]
		}
	})
	ds.Split = SplitByRandom
}

// positionLabels returns n labels in MMRec's proportions: train first, test last.
func positionLabels(n int) []Label {
	labels := make([]Label, n)
	if n < minimumForSplit {
		return labels
	}
	held, valid := 2, 1
	if n >= 10 {
		held = n / 5
		valid = held / 2
	}
	for i := n - held; i < n; i++ {
		labels[i] = Valid
		if i >= n-held+valid {
			labels[i] = Test
		}
	}
	return labels
}

// userStream names a user's stream of random numbers.
func userStream(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte("split/"))
	h.Write([]byte(id))
	return h.Sum64()
}

// shuffle is Fisher and Yates's, spelt out here because a split must never change
// with the standard library's own choice of algorithm.
func shuffle(labels []Label, src *rand.PCG) {
	for i := len(labels) - 1; i > 0; i-- {
		j := below64(src, uint64(i+1))
		labels[i], labels[j] = labels[j], labels[i]
	}
}

// below64 draws uniformly from [0, n) by Lemire's multiplication with rejection.
func below64(src *rand.PCG, n uint64) uint64 {
	for {
		hi, lo := bits.Mul64(src.Uint64(), n)
		if lo >= -n%n {
			return hi
		}
	}
}

// SplitLeaveLatest labels each user's last interaction test, the one before it valid,
// all others train. Nobody is dropped: users with fewer than 3 interactions stay, all
// train. It fails where times tell no order at all.
func SplitLeaveLatest(ds *Dataset) error {
	if ds.Clock == ClockNone {
		return usererr.New("Choose the random split, or import a file with times.",
			"leave-latest split: the data has no times, so there is no latest interaction")
	}
	ds.eachUser(func(block []Interaction) {
		n := len(block)
		for i := range block {
			block[i].Label = Train
		}
		if n >= minimumForSplit {
			block[n-2].Label, block[n-1].Label = Valid, Test
		}
	})
	ds.Split = SplitByLatest
	return nil
}

// TimeSplit says where [SplitGlobalTime] cut and whom it had to leave out.
type TimeSplit struct {
	ValidFrom        int64   `json:"valid_from"` // first time that is no longer train
	TestFrom         int64   `json:"test_from"`  // first time that is test
	ColdUsers        int     `json:"cold_users"` // users without a train row, removed
	ColdInteractions int     `json:"cold_interactions"`
	OldUsers         []int32 `json:"-"` // by new user row: the row before
}

// SplitGlobalTime cuts the whole data at two moments, so that about the shares valid
// and test of the interactions lie after them; interactions of one moment stay
// together, in the later part. Users without any train interaction are removed with
// their interactions (nothing could be learnt of them, and MMRec's protocol does not
// rank for them) and counted; items are all kept. It fails where times are not
// comparable between users, or where the cuts leave a part empty.
func SplitGlobalTime(ds *Dataset, valid, test float64) (TimeSplit, error) {
	var res TimeSplit
	if !(valid > 0 && test > 0 && valid+test < 1) {
		return res, usererr.New("Shares are positive and together below 1, for example 0.1 and 0.1.",
			"global-time split: shares valid %v and test %v", valid, test)
	}
	if ds.Clock == ClockNone || ds.Clock == ClockOrder {
		return res, usererr.New("Choose the random or the leave-latest split.",
			"global-time split: the data has no times that are comparable between users")
	}
	if len(ds.interactions) == 0 {
		return res, usererr.New("Import a file with interactions.", "global-time split: no interactions")
	}
	ds.Sort()
	times := make([]int64, len(ds.interactions))
	for i, x := range ds.interactions {
		times[i] = x.Time
	}
	slices.Sort(times)
	n := float64(len(times))
	res.ValidFrom = times[min(int(n*(1-valid-test)), len(times)-1)]
	res.TestFrom = times[min(int(n*(1-test)), len(times)-1)]
	if times[0] == res.ValidFrom || res.ValidFrom == res.TestFrom {
		return res, usererr.New("Choose another split, or larger shares.",
			"global-time split: too many interactions share one moment (%d to %d over all), so a part would be empty", times[0], times[len(times)-1])
	}
	warm := make([]bool, ds.Users())
	all := ds.edit()
	for i := range all {
		x := &all[i]
		switch {
		case x.Time >= res.TestFrom:
			x.Label = Test
		case x.Time >= res.ValidFrom:
			x.Label = Valid
		default:
			x.Label = Train
			warm[x.User] = true
		}
	}
	ds.Split = SplitByTime
	before := len(ds.interactions)
	ds.keep(func(i int) bool { return warm[ds.interactions[i].User] })
	res.ColdInteractions = before - len(ds.interactions)
	res.OldUsers = ds.dropUsers(warm)
	res.ColdUsers = len(warm) - ds.Users()
	return res, CheckSplit(ds)
}

// dropUsers keeps the wanted users, in order, and returns their old rows.
func (d *Dataset) dropUsers(want []bool) []int32 {
	to := make([]int32, len(want))
	var old []int32
	var ids []string
	for u, ok := range want {
		if ok {
			to[u] = int32(len(old))
			old = append(old, int32(u))
			ids = append(ids, d.UserIDs[u])
		}
	}
	all := d.edit()
	for i := range all {
		all[i].User = to[all[i].User]
	}
	d.UserIDs = ids
	return old
}

// CheckSplit reports, as the user's to mend, a dataset that is not split or whose
// split leaves nothing to train on or nothing to test.
func CheckSplit(ds *Dataset) error {
	if ds.Split == "" {
		return usererr.New("Choose a split: random, leave-latest or global-time.", "the data has no split: the source brings no labels")
	}
	var n [3]int
	for _, x := range ds.interactions {
		n[x.Label]++
	}
	for _, l := range []Label{Train, Test} {
		if n[l] == 0 {
			return usererr.New("Choose another split, a smaller k-core, or bring more interactions.",
				"the %s split leaves no %s interactions (%s)", ds.Split, l,
				fmt.Sprintf("train %d, valid %d, test %d", n[Train], n[Valid], n[Test]))
		}
	}
	return nil
}

// eachUser sorts the interactions and hands over each user's block of them, to be
// changed; users without any are passed over.
func (d *Dataset) eachUser(fn func(block []Interaction)) {
	d.Sort()
	all := d.edit()
	for start := 0; start < len(all); {
		end := start + 1
		for end < len(all) && all[end].User == all[start].User {
			end++
		}
		fn(all[start:end])
		start = end
	}
}
