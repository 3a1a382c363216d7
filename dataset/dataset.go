// Package dataset holds a catalogue and the implicit feedback on it: items, users,
// interactions, k-core filtering, splits, and the views of them that other packages
// may see. Importers for public formats live in sub-packages, one a format.
//
// The package also draws the line that keeps evaluation honest: whatever learns or
// writes (preference texts, graphs, models) is handed [Histories], which hold train
// interactions only, while held-out interactions leave this package through
// [Dataset.HeldOut], meant for package eval alone.
package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// Label says which part of a split an interaction belongs to. The numbers are
// MMRec's x_label.
type Label uint8

// The parts of a split.
const (
	Train Label = iota
	Valid
	Test
)

// String returns "train", "valid" or "test".
func (l Label) String() string {
	switch l {
	case Train:
		return "train"
	case Valid:
		return "valid"
	case Test:
		return "test"
	}
	return fmt.Sprintf("label(%d)", uint8(l))
}

// Item is one catalogue entry as its source describes it. Empty strings mean the
// source has nothing there.
type Item struct {
	ID          string   // the source's own id
	Title       string   //
	Brand       string   //
	Categories  []string // first category path, general to special
	Description string   //
	Image       string   // path (absolute, or relative to the workspace's image folder), http(s) URL or data URI
}

// Interaction is one implicit-feedback event: user u chose item i. Its interaction
// id is its index in [Dataset.Interactions].
type Interaction struct {
	User   int32   // row in Dataset.UserIDs
	Item   int32   // row in Dataset.Items
	Label  Label   //
	Rating float32 // as in the source; kept, never used as a weight. 0 where unknown
	Time   int64   // unix seconds or any increasing order; 0 where unknown
}

// Dataset is a catalogue with the interactions on it. Interactions are sorted by
// user, then time, then source order, so that each user's block is contiguous and
// chronological.
type Dataset struct {
	Name         string
	Domain       string // what the shop sells, for prompts: "baby products", "short videos"
	Split        string // how the split was made: "labelled", "random", "leave-latest", "global-time"; "" = not split yet
	Clock        string // what times mean: ClockNone, ClockOrder, ClockMoment; "" = not stated
	UserIDs      []string
	Items        []Item
	Interactions []Interaction
}

// Users returns the number of users M.
func (d *Dataset) Users() int { return len(d.UserIDs) }

// NumItems returns the number of items N.
func (d *Dataset) NumItems() int { return len(d.Items) }

// SplitHash identifies the split: a SHA-256 over all (user id, item id, label)
// triples in order. Preference texts and graphs carry it as provenance.
func (d *Dataset) SplitHash() string {
	h := sha256.New()
	var n [8]byte
	put := func(s string) {
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	for _, x := range d.Interactions {
		put(d.UserIDs[x.User])
		put(d.Items[x.Item].ID)
		h.Write([]byte{byte(x.Label)})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Sort brings the interactions into the order the type promises. Importers call it
// once; it is stable, so equal times keep source order.
func (d *Dataset) Sort() {
	if !slices.IsSortedFunc(d.Interactions, byUserAndTime) {
		slices.SortStableFunc(d.Interactions, byUserAndTime)
	}
}

func byUserAndTime(a, b Interaction) int {
	if a.User != b.User {
		return int(a.User) - int(b.User)
	}
	switch {
	case a.Time < b.Time:
		return -1
	case a.Time > b.Time:
		return 1
	}
	return 0
}

// HeldOut returns the items of each user under one held-out label, each list
// ascending. It is for package eval; nothing that learns may call it.
func (d *Dataset) HeldOut(label Label) *Lists {
	return d.lists(func(l Label) bool { return l == label }).Sorted()
}

func (d *Dataset) lists(keep func(Label) bool) *Lists {
	l := &Lists{Offsets: make([]int, d.Users()+1), Columns: d.NumItems()}
	for _, x := range d.Interactions {
		if keep(x.Label) {
			l.Offsets[x.User+1]++
		}
	}
	for u := range d.UserIDs {
		l.Offsets[u+1] += l.Offsets[u]
	}
	l.Items = make([]int32, l.Offsets[d.Users()])
	l.Source = make([]int32, len(l.Items))
	next := slices.Clone(l.Offsets)
	for id, x := range d.Interactions {
		if keep(x.Label) {
			l.Items[next[x.User]] = x.Item
			l.Source[next[x.User]] = int32(id)
			next[x.User]++
		}
	}
	return l
}
