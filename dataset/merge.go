package dataset

import "slices"

// MergeDuplicates keeps one interaction of each (user, item) pair, the earliest (of
// equal times the first), and returns how many it removed. The order of the others
// is unchanged; the interactions need not be sorted.
func MergeDuplicates(ds *Dataset) int {
	byUser := ds.orderByUser()
	drop := make([]bool, len(ds.interactions))
	dropped := 0
	for start := 0; start < len(byUser); {
		user := ds.interactions[byUser[start]].User
		end := start + 1
		for end < len(byUser) && ds.interactions[byUser[end]].User == user {
			end++
		}
		block := byUser[start:end]
		slices.SortFunc(block, func(a, b int32) int {
			x, y := &ds.interactions[a], &ds.interactions[b]
			if x.Item != y.Item {
				return int(x.Item) - int(y.Item)
			}
			switch {
			case x.Time < y.Time:
				return -1
			case x.Time > y.Time:
				return 1
			}
			return int(a) - int(b)
		})
		for i := 1; i < len(block); i++ {
			if ds.interactions[block[i]].Item == ds.interactions[block[i-1]].Item {
				drop[block[i]] = true
				dropped++
			}
		}
		start = end
	}
	if dropped > 0 {
		ds.keep(func(i int) bool { return !drop[i] })
	}
	return dropped
}

// orderByUser returns the interaction indices grouped by user, in order within one.
func (d *Dataset) orderByUser() []int32 {
	next := make([]int32, d.Users()+1)
	for _, x := range d.interactions {
		next[x.User+1]++
	}
	for u := range d.UserIDs {
		next[u+1] += next[u]
	}
	order := make([]int32, len(d.interactions))
	for i, x := range d.interactions {
		order[next[x.User]] = int32(i)
		next[x.User]++
	}
	return order
}

// keep filters the interactions in place.
func (d *Dataset) keep(want func(i int) bool) {
	all := d.edit()
	kept := all[:0]
	for i, x := range all {
		if want(i) {
			kept = append(kept, x)
		}
	}
	d.interactions = kept
}
