package dataset

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// small returns users with the given numbers of interactions, user by user, times
// rising, items all distinct within a user.
func small(sizes ...int) *Dataset {
	ds := &Dataset{Name: "small", Clock: ClockMoment}
	most := 0
	if len(sizes) > 0 {
		most = slices.Max(sizes)
	}
	for i := range most {
		ds.Items = append(ds.Items, Item{ID: fmt.Sprintf("i%d", i)})
	}
	for u, n := range sizes {
		ds.UserIDs = append(ds.UserIDs, fmt.Sprintf("u%d", u))
		for i := range n {
			ds.Append(Interaction{User: int32(u), Item: int32(i), Time: int64(100*i + u)})
		}
	}
	return ds
}

func labelsOf(ds *Dataset, u int32) (n [3]int) {
	for _, x := range ds.interactions {
		if x.User == u {
			n[x.Label]++
		}
	}
	return n
}

// MMRec's rule, worked by hand: below ten 1+1 held out, from ten on ⌊0.2n⌋ of which
// the smaller half is valid.
func TestSplitRandomProportions(t *testing.T) {
	want := map[int][3]int{
		0: {0, 0, 0}, 1: {1, 0, 0}, 2: {2, 0, 0}, 3: {1, 1, 1}, 4: {2, 1, 1}, 9: {7, 1, 1},
		10: {8, 1, 1}, 14: {12, 1, 1}, 15: {12, 1, 2}, 19: {16, 1, 2}, 20: {16, 2, 2}, 25: {20, 2, 3}, 100: {80, 10, 10}, 125: {100, 12, 13},
	}
	for n, w := range want {
		ds := small(5, n, 7)
		SplitRandom(ds, 1)
		if got := labelsOf(ds, 1); got != w {
			t.Errorf("%d interactions: train, valid, test = %v, want %v", n, got, w)
		}
	}
}

// A split must be the same on every machine and with every later release.
func TestSplitRandomGolden(t *testing.T) {
	ds := small(12, 5)
	SplitRandom(ds, 42)
	got := ""
	for _, x := range ds.interactions {
		got += fmt.Sprint(uint8(x.Label))
	}
	if want := "00100200000000120"; got != want {
		t.Errorf("labels %s, want %s", got, want)
	}
}

func TestSplitRandomDependsOnTheUserAlone(t *testing.T) {
	alone, among := small(12), small(12, 30, 4)
	SplitRandom(alone, 7)
	SplitRandom(among, 7)
	if !slices.Equal(alone.interactions, among.interactions[:12]) {
		t.Error("a user's split changed when other users joined")
	}
	other := small(12, 30, 4)
	SplitRandom(other, 8)
	if other.SplitHash() == among.SplitHash() {
		t.Error("two seeds gave the same split")
	}
}

// Every position of a user's history must be held out equally often.
func TestSplitRandomIsUniform(t *testing.T) {
	const n, draws = 10, 4000
	var tests [n]int
	for seed := range uint64(draws) {
		ds := small(n)
		SplitRandom(ds, seed)
		for i, x := range ds.interactions {
			if x.Label == Test {
				tests[i]++
			}
		}
	}
	for i, c := range tests { // mean 400, standard deviation 19
		if c < 310 || c > 490 {
			t.Errorf("position %d was test %d times of %d, want about %d", i, c, draws, draws/n)
		}
	}
}

func TestSplitLeaveLatest(t *testing.T) {
	ds := small(4, 2, 3)
	slices.Reverse(ds.interactions) // the split must not rely on the order it finds
	if err := SplitLeaveLatest(ds); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, x := range ds.interactions {
		got += fmt.Sprintf("%d%v ", x.User, x.Label)
	}
	if want := "0train 0train 0valid 0test 1train 1train 2train 2valid 2test "; got != want {
		t.Errorf("labels %q, want %q", got, want)
	}
	ds = small(4)
	ds.Clock = ClockNone
	if err := SplitLeaveLatest(ds); !isUser(err) {
		t.Errorf("without times: %v, want a user's error", err)
	}
}

func TestSplitGlobalTime(t *testing.T) {
	ds := small(10, 10)
	// A late-comer, all of whose interactions fall into the held-out time.
	ds.UserIDs = append([]string{"late"}, ds.UserIDs...)
	for i := range ds.interactions {
		ds.interactions[i].User++
	}
	ds.Append(Interaction{User: 0, Item: 1, Time: 5000}, Interaction{User: 0, Item: 2, Time: 5001})
	res, err := SplitGlobalTime(ds, 0.2, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	if res.ColdUsers != 1 || res.ColdInteractions != 2 || !slices.Equal(ds.UserIDs, []string{"u0", "u1"}) || !slices.Equal(res.OldUsers, []int32{1, 2}) {
		t.Errorf("cold users %d (interactions %d), users left %v from %v", res.ColdUsers, res.ColdInteractions, ds.UserIDs, res.OldUsers)
	}
	var latest [3]int64
	earliest := [3]int64{1 << 60, 1 << 60, 1 << 60}
	for _, x := range ds.interactions {
		latest[x.Label] = max(latest[x.Label], x.Time)
		earliest[x.Label] = min(earliest[x.Label], x.Time)
	}
	if !(latest[Train] < earliest[Valid] && latest[Valid] < earliest[Test]) {
		t.Errorf("parts overlap in time: earliest %v, latest %v", earliest, latest)
	}
	if latest[Train] >= res.ValidFrom || earliest[Test] != res.TestFrom {
		t.Errorf("cuts %+v do not agree with latest train %d, earliest test %d", res, latest[Train], earliest[Test])
	}
	// 22 interactions: 13 before the 60 % quantile, 4 in the next fifth, of the last five two were cold.
	if s := Compute(ds); s.Train != 13 || s.Valid != 4 || s.Test != 3 {
		t.Errorf("train %d valid %d test %d, want 13 4 3", s.Train, s.Valid, s.Test)
	}
}

func TestSplitGlobalTimeRefuses(t *testing.T) {
	same := small(10)
	for i := range same.interactions {
		same.interactions[i].Time = 7
	}
	order := small(10)
	order.Clock = ClockOrder
	for name, c := range map[string]struct {
		ds          *Dataset
		valid, test float64
	}{
		"one moment":   {same, 0.1, 0.1},
		"order only":   {order, 0.1, 0.1},
		"no shares":    {small(10), 0, 0.1},
		"shares above": {small(10), 0.5, 0.5},
		"nothing":      {small(), 0.1, 0.1},
	} {
		if _, err := SplitGlobalTime(c.ds, c.valid, c.test); !isUser(err) {
			t.Errorf("%s: %v, want a user's error", name, err)
		}
	}
}

func TestCheckSplit(t *testing.T) {
	ds := small(2, 2)
	if err := CheckSplit(ds); !isUser(err) {
		t.Errorf("unsplit: %v", err)
	}
	SplitRandom(ds, 1) // users this small are all train
	if err := CheckSplit(ds); !isUser(err) {
		t.Errorf("no test rows: %v", err)
	}
	for i := range ds.interactions {
		ds.interactions[i].Label = Test
	}
	if err := CheckSplit(ds); !isUser(err) {
		t.Errorf("no train rows: %v", err)
	}
	ds.interactions[0].Label = Train
	if err := CheckSplit(ds); err != nil {
		t.Errorf("train and test rows present: %v", err)
	}
}

func isUser(err error) bool {
	_, ok := usererr.Hint(err)
	return err != nil && ok
}

func usererrHint(err error) string {
	hint, _ := usererr.Hint(err)
	return hint
}
