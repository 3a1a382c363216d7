package dataset

import "slices"

// Lists is a ragged array of item rows, one list a user; or, transposed, of user rows, one
// list an item. Of(r) is Items[Offsets[r]:Offsets[r+1]].
type Lists struct {
	Offsets []int   // length rows+1
	Items   []int32 // column indices
	Source  []int32 // interaction ids, parallel to Items; nil where they were dropped
	Columns int     // number of distinct columns possible
}

// NewLists groups the items of the interactions that keep accepts by user, each list in
// the order of the interactions, whose ids become the sources.
func NewLists(users, items int, all []Interaction, keep func(Label) bool) *Lists {
	l := &Lists{Offsets: make([]int, users+1), Columns: items}
	for _, x := range all {
		if keep(x.Label) {
			l.Offsets[x.User+1]++
		}
	}
	for u := range users {
		l.Offsets[u+1] += l.Offsets[u]
	}
	l.Items = make([]int32, l.Offsets[users])
	l.Source = make([]int32, len(l.Items))
	next := slices.Clone(l.Offsets)
	for id, x := range all {
		if keep(x.Label) {
			l.Items[next[x.User]] = x.Item
			l.Source[next[x.User]] = int32(id)
			next[x.User]++
		}
	}
	return l
}

// Len returns the number of rows.
func (l *Lists) Len() int { return len(l.Offsets) - 1 }

// Of returns row r. The slice must not be modified.
func (l *Lists) Of(r int) []int32 { return l.Items[l.Offsets[r]:l.Offsets[r+1]] }

// Sorted returns a copy whose rows ascend, without sources.
func (l *Lists) Sorted() *Lists {
	s := &Lists{Offsets: l.Offsets, Items: slices.Clone(l.Items), Columns: l.Columns}
	for r := range l.Len() {
		slices.Sort(s.Items[s.Offsets[r]:s.Offsets[r+1]])
	}
	return s
}

// Transpose returns the lists of rows by column; each list ascends.
func (l *Lists) Transpose() *Lists {
	t := &Lists{Offsets: make([]int, l.Columns+1), Items: make([]int32, len(l.Items)), Columns: l.Len()}
	for _, c := range l.Items {
		t.Offsets[c+1]++
	}
	for c := range l.Columns {
		t.Offsets[c+1] += t.Offsets[c]
	}
	next := slices.Clone(t.Offsets)
	for r := range l.Len() {
		for _, c := range l.Of(r) {
			t.Items[next[c]] = int32(r)
			next[c]++
		}
	}
	return t
}

// Scope says which interactions a history shows.
type Scope string

// The scopes. ScopeAll is the published code's protocol: it shows validation and
// test items too, and everything made from it is marked leaky.
const (
	ScopeTrain Scope = "train"
	ScopeAll   Scope = "all"
)

// Histories is what may be shown to anything that learns or writes: each user's
// items in time order. Its fields are closed, so that a value with held-out items
// can come from [Dataset.LeakyHistories] only, which marks it.
type Histories struct {
	users []string
	lists *Lists
	times []int64 // parallel to lists.Items
	scope Scope
	split string
}

// TrainHistories returns the users' train interactions, in time order. The view is
// built once for as long as the data set stays as it is, and does not follow when the
// data set changes later.
func (d *Dataset) TrainHistories() *Histories {
	c := d.lock()
	defer c.mu.Unlock()
	if c.train == nil {
		c.train = d.histories(ScopeTrain, func(l Label) bool { return l == Train })
	}
	return c.train
}

// LeakyHistories returns all interactions, validation and test included, as the
// published code does. Everything made from it must be marked leaky.
func (d *Dataset) LeakyHistories() *Histories {
	defer d.lock().mu.Unlock()
	return d.histories(ScopeAll, func(Label) bool { return true })
}

// histories builds a view under the lock.
func (d *Dataset) histories(scope Scope, keep func(Label) bool) *Histories {
	h := &Histories{users: d.UserIDs, lists: NewLists(d.Users(), d.NumItems(), d.interactions, keep), scope: scope, split: d.splitHash()}
	h.times = make([]int64, len(h.lists.Source))
	for n, id := range h.lists.Source {
		h.times[n] = d.interactions[id].Time
	}
	return h
}

// Keep returns histories of the same users over the same items with only the interactions that
// keep accepts: for trials with users or items that a model has never seen.
func (h *Histories) Keep(keep func(user int, item int32) bool) *Histories {
	less := &Histories{users: h.users, scope: h.scope, split: h.split, lists: &Lists{Offsets: make([]int, 1, h.Users()+1), Columns: h.NumItems()}}
	for u := range h.Users() {
		for row := h.lists.Offsets[u]; row < h.lists.Offsets[u+1]; row++ {
			if !keep(u, h.lists.Items[row]) {
				continue
			}
			less.lists.Items, less.times = append(less.lists.Items, h.lists.Items[row]), append(less.times, h.times[row])
			if h.lists.Source != nil {
				less.lists.Source = append(less.lists.Source, h.lists.Source[row])
			}
		}
		less.lists.Offsets = append(less.lists.Offsets, len(less.lists.Items))
	}
	return less
}

// Users returns the number of users.
func (h *Histories) Users() int { return h.lists.Len() }

// UserID returns the id of user u, for messages.
func (h *Histories) UserID(u int) string { return h.users[u] }

// NumItems returns the number of items in the catalogue.
func (h *Histories) NumItems() int { return h.lists.Columns }

// Len returns the number of interactions in the view.
func (h *Histories) Len() int { return len(h.lists.Items) }

// Items returns the rows of the items of user u, in time order. The slice must not be
// modified.
func (h *Histories) Items(u int) []int32 { return h.lists.Of(u) }

// Sources returns the interaction ids parallel to Items(u).
func (h *Histories) Sources(u int) []int32 {
	return h.lists.Source[h.lists.Offsets[u]:h.lists.Offsets[u+1]]
}

// Times returns the times parallel to Items(u), as Interaction.Time has them. The slice
// must not be modified.
func (h *Histories) Times(u int) []int64 { return h.times[h.lists.Offsets[u]:h.lists.Offsets[u+1]] }

// Lists returns the view as ragged lists, in time order. It must not be modified.
func (h *Histories) Lists() *Lists { return h.lists }

// Scope says which interactions the view shows.
func (h *Histories) Scope() Scope { return h.scope }

// Leaky reports whether held-out interactions are in the view.
func (h *Histories) Leaky() bool { return h.scope != ScopeTrain }

// SplitHash identifies the split the view was cut from.
func (h *Histories) SplitHash() string { return h.split }
