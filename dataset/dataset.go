// Package dataset holds a catalogue and the implicit feedback on it: items, users,
// interactions, k-core filtering, splits, and the views of them that other packages
// may see. Importers for public formats live in sub-packages, one a format. A program
// with rows of its own fills in a [Dataset] by hand:
//
//	ds := &dataset.Dataset{Name: "shop", UserIDs: []string{"ann"}, Items: []dataset.Item{{ID: "mug"}, {ID: "lamp"}}}
//	ds.Append(dataset.Interaction{User: 0, Item: 1, Time: 1_700_000_000})
//
// Either is handed to Import of package mllmrec, which calls [Prepare].
//
// The package also draws the line that keeps evaluation honest. Interactions go into a
// [Dataset] and no exported name gives them out again with their labels: whatever
// learns or writes (preference texts, graphs, models) is handed [Histories], which hold
// train interactions only. Inside this module, package internal/labelled opens the rows
// to the code that stores a data set, and package internal/heldout opens the held-out
// ones to evaluation and audit.
package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/internal/labelled"
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
	ID          string // the source's own id; no other item has it
	Title       string
	Brand       string
	Categories  []string // first category path, general to special
	Description string
	Image       string  // path (absolute, or relative to the workspace's image folder), http(s) URL or data URI
	Price       float64 // in the catalogue's own currency; 0 where unknown. Filters read it, no model does
}

// MaxPrice is the highest price of an item that is believed.
const MaxPrice = 1e12

// ValidPrice reports whether a number can be the price of an item; 0 says that none is known.
func ValidPrice(p float64) bool { return p >= 0 && p <= MaxPrice } // false for NaN, too

// Interaction is one implicit-feedback event: user u chose item i. Its interaction
// id is its position in its data set, from 0.
type Interaction struct {
	User   int32   // row in Dataset.UserIDs
	Item   int32   // row in Dataset.Items
	Label  Label   // its part of the split; of no meaning before the split
	Rating float32 // as in the source; kept, never used as a weight. 0 where unknown
	Time   int64   // unix seconds or any increasing order; 0 where unknown
}

// Dataset is a catalogue with the interactions on it. Interactions are sorted by
// user, then time, then source order, so that each user's block is contiguous and
// chronological. They are put in by [Dataset.SetInteractions] or [Dataset.Append].
//
// Several goroutines may read a Dataset while none changes it. It must not be copied
// by value. Once [Dataset.SplitHash] or [Dataset.TrainHistories] has been asked for,
// ids must not be overwritten in place; give UserIDs or Items a new slice instead.
type Dataset struct {
	Name    string   // of the data set, for people
	Domain  string   // what the shop sells, for prompts: "baby products", "short videos"
	Split   string   // how the split was made: "labelled", "random", "leave-latest", "global-time"; "" = not split yet
	Clock   string   // what times mean: ClockNone, ClockOrder, ClockMoment; "" = not stated
	UserIDs []string // length M; each once
	Items   []Item   // length N

	interactions []Interaction // to be changed through edit alone
	cache        cache
}

// cache keeps what was computed from a data set, until the data set changes.
type cache struct {
	mu    sync.Mutex
	from  version
	hash  string     // "" = not computed
	train *Histories // nil = not computed
}

// version tells whether the exported slices are still those that a value was computed
// from: importers assign them directly, after interactions were put in.
type version struct {
	firstUser    *string
	firstItem    *Item
	users, items int
}

func (d *Dataset) version() version {
	return version{first(d.UserIDs), first(d.Items), len(d.UserIDs), len(d.Items)}
}

func first[T any](s []T) *T {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

func init() {
	labelled.Provide(func(ds any) any { return ds.(*Dataset).interactions })
}

// SetInteractions replaces the interactions by a copy of these. Their users and items
// are rows of UserIDs and Items. Call [Dataset.Sort] when all are in.
func (d *Dataset) SetInteractions(all []Interaction) {
	d.forget()
	d.interactions = slices.Clone(all)
}

// Append adds interactions after those that are there. See [Dataset.SetInteractions].
func (d *Dataset) Append(more ...Interaction) {
	d.forget()
	d.interactions = append(d.interactions, more...)
}

// NumInteractions returns the number of interactions of all labels.
func (d *Dataset) NumInteractions() int { return len(d.interactions) }

// edit hands out the interactions to be changed in place.
func (d *Dataset) edit() []Interaction {
	d.forget()
	return d.interactions
}

// forget drops what was computed from the interactions as they were.
func (d *Dataset) forget() {
	d.cache.mu.Lock()
	defer d.cache.mu.Unlock()
	d.cache.hash, d.cache.train = "", nil
}

// lock locks the cache, empties it where the exported slices are others than those that
// it was filled from, and returns it for the caller to unlock.
func (d *Dataset) lock() *cache {
	c := &d.cache
	c.mu.Lock()
	if now := d.version(); c.from != now {
		c.from, c.hash, c.train = now, "", nil
	}
	return c
}

// Users returns the number of users M.
func (d *Dataset) Users() int { return len(d.UserIDs) }

// NumItems returns the number of items N.
func (d *Dataset) NumItems() int { return len(d.Items) }

// SplitHash identifies the split: a SHA-256 over all (user id, item id, label)
// triples in order. Preference texts and graphs carry it as provenance. It is computed
// once for as long as the data set stays as it is.
func (d *Dataset) SplitHash() string {
	defer d.lock().mu.Unlock()
	return d.splitHash()
}

// splitHash is SplitHash under the lock.
func (d *Dataset) splitHash() string {
	if d.cache.hash == "" {
		d.cache.hash = d.hashSplit()
	}
	return d.cache.hash
}

func (d *Dataset) hashSplit() string {
	h := sha256.New()
	var n [8]byte
	put := func(s string) {
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	for _, x := range d.interactions {
		put(d.UserIDs[x.User])
		put(d.Items[x.Item].ID)
		h.Write([]byte{byte(x.Label)})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Sort brings the interactions into the order the type promises. Importers call it
// once; it is stable, so equal times keep source order.
func (d *Dataset) Sort() {
	if !slices.IsSortedFunc(d.interactions, byUserAndTime) {
		slices.SortStableFunc(d.edit(), byUserAndTime)
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
