package eval

import (
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
)

// Slice is the evaluation of part of the users or of part of the held-out items.
type Slice struct {
	By     string             `json:"by"`    // "history" (train items of the user) or "popularity" (train users of the held-out item)
	Label  string             `json:"label"` // "5-9", "100+"
	Low    int                `json:"low"`
	High   int                `json:"high"`  // inclusive; -1: no upper end
	Users  int                `json:"users"` // users in the average
	Held   int                `json:"held"`  // held-out items in the slice
	Values map[string]float64 `json:"values"`
}

// The buckets' lower ends. Every bucket ends where the next begins.
var (
	historyBuckets    = []int{0, 1, 3, 5, 10, 20, 50}
	popularityBuckets = []int{0, 1, 5, 10, 20, 50, 100, 500}
)

// Slices cuts the evaluation by the length of the user's train history, and by the
// train count of the held-out item: there only held-out items of the bucket count as
// relevant, for the users who have one; the lists stay those of the full ranking.
// Empty buckets are left out.
func Slices(r *Ranking, relevant, train *dataset.Lists, opt Options) []Slice {
	counts := ItemCounts(train)
	out := slicesBy("history", historyBuckets, r, relevant, opt,
		func(u, _ int32) int { return len(train.Of(int(u))) })
	return append(out, slicesBy("popularity", popularityBuckets, r, relevant, opt,
		func(_, i int32) int { return counts[i] })...)
}

func slicesBy(by string, buckets []int, r *Ranking, relevant *dataset.Lists, opt Options, value func(user, item int32) int) []Slice {
	var out []Slice
	for b, low := range buckets {
		high := -1
		label := fmt.Sprintf("%d+", low)
		if b+1 < len(buckets) {
			high = buckets[b+1] - 1
			label = fmt.Sprintf("%d-%d", low, high)
			if high == low {
				label = fmt.Sprint(low)
			}
		}
		part := filter(relevant, func(u, i int32) bool {
			v := value(u, i)
			return v >= low && (high < 0 || v <= high)
		})
		p := PerUser(r, part, opt)
		if len(p.Rows) == 0 {
			continue
		}
		held := 0
		for _, row := range p.Rows {
			held += len(part.Of(int(r.Users[row])))
		}
		out = append(out, Slice{By: by, Label: label, Low: low, High: high, Users: len(p.Rows), Held: held, Values: p.Means()})
	}
	return out
}

func filter(l *dataset.Lists, keep func(row, item int32) bool) *dataset.Lists {
	f := &dataset.Lists{Offsets: make([]int, l.Len()+1), Columns: l.Columns}
	for r := range l.Len() {
		for _, i := range l.Of(r) {
			if keep(int32(r), i) {
				f.Items = append(f.Items, i)
			}
		}
		f.Offsets[r+1] = len(f.Items)
	}
	return f
}
