package dataset

import "slices"

// KCoreResult says what [KCore] removed. The mappings lead from new rows to old
// ones, so that feature rows can follow.
type KCoreResult struct {
	K            int     `json:"k"`
	Rounds       int     `json:"rounds"` // passes that removed something
	Users        int     `json:"users_removed"`
	Items        int     `json:"items_removed"`
	Interactions int     `json:"interactions_removed"`
	OldUsers     []int32 `json:"-"` // by new user row: the row before
	OldItems     []int32 `json:"-"` // by new item row: the row before
}

// KCore keeps the largest part of ds in which every user and every item has at least
// k interactions, by MMRec's procedure: users and items below k are found on the same
// snapshot and removed together, until none is left. Rows are then renumbered in the
// order of first appearance among the interactions as they stand, so that a dataset
// still in file order gets the ids MMRec gives; where nothing is removed, rows stay
// as they are. Duplicate pairs count, so merge them first.
func KCore(ds *Dataset, k int) KCoreResult {
	res := KCoreResult{K: k}
	users, items := make([]int, ds.Users()), make([]int, ds.NumItems())
	for _, x := range ds.interactions {
		users[x.User]++
		items[x.Item]++
	}
	before := len(ds.interactions)
	for k > 0 {
		gone := 0
		// The snapshot decides: counts sink during the pass, these marks do not.
		lowUsers, lowItems := below(users, k), below(items, k)
		ds.keep(func(i int) bool {
			x := ds.interactions[i]
			if !lowUsers[x.User] && !lowItems[x.Item] {
				return true
			}
			users[x.User]--
			items[x.Item]--
			gone++
			return false
		})
		if gone == 0 {
			break
		}
		res.Rounds++
	}
	res.Interactions = before - len(ds.interactions)
	if k > 0 && (slices.Contains(users, 0) || slices.Contains(items, 0)) {
		res.OldUsers, res.OldItems = ds.compact()
	} else {
		res.OldUsers, res.OldItems = identity(ds.Users()), identity(ds.NumItems())
	}
	res.Users, res.Items = len(users)-ds.Users(), len(items)-ds.NumItems()
	return res
}

// below marks the rows counted fewer than k times.
func below(counts []int, k int) []bool {
	low := make([]bool, len(counts))
	for r, n := range counts {
		low[r] = n < k
	}
	return low
}

func identity(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// compact drops users and items without interactions and renumbers the others in the
// order of first appearance. It returns the old rows by new row.
func (d *Dataset) compact() (oldUsers, oldItems []int32) {
	users, items := newRenumbering(d.Users()), newRenumbering(d.NumItems())
	all := d.edit()
	for i := range all {
		x := &all[i]
		x.User = users.row(x.User)
		x.Item = items.row(x.Item)
	}
	ids := make([]string, len(users.old))
	for n, o := range users.old {
		ids[n] = d.UserIDs[o]
	}
	kept := make([]Item, len(items.old))
	for n, o := range items.old {
		kept[n] = d.Items[o]
	}
	d.UserIDs, d.Items = ids, kept
	return users.old, items.old
}

// renumbering gives old rows new ones in the order they are asked for.
type renumbering struct {
	new []int32 // by old row; -1 = not seen
	old []int32 // by new row
}

func newRenumbering(n int) *renumbering {
	r := &renumbering{new: make([]int32, n)}
	for i := range r.new {
		r.new[i] = -1
	}
	return r
}

func (r *renumbering) row(old int32) int32 {
	if r.new[old] < 0 {
		r.new[old] = int32(len(r.old))
		r.old = append(r.old, old)
	}
	return r.new[old]
}
