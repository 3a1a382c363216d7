package live

import (
	"context"
	"slices"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
)

// Item is an item that was added, changed or hidden while the shop was served.
type Item struct {
	ID      string
	Version int64
	Seq     int64 // of the change
	Changed time.Time
	ItemState
}

// ItemState is what a version says.
type ItemState struct {
	Fields *dataset.Item `json:"fields,omitempty"` // nil: as in the catalogue of the run; only whether it is hidden was said
	Hidden bool          `json:"hidden,omitempty"`
}

// User is a user who was added while the shop was served.
type User struct {
	ID      string
	Version int64
	Seq     int64 // of the change
	Added   time.Time
}

// MaxItems is how many items or users one call may change.
const MaxItems = 10_000

// PutItems adds items or replaces their fields, all or none. A hidden item stays hidden. What is
// as it was gets no new version.
func (s *Store) PutItems(ctx context.Context, items []dataset.Item) ([]Item, error) {
	wanted := make(map[string]*dataset.Item, len(items))
	ids := make([]string, len(items))
	for i, it := range items {
		if err := checkItem(&it); err != nil {
			return nil, err
		}
		if wanted[it.ID] != nil {
			return nil, refuse("Send each item once.", "item %.60q comes twice", it.ID)
		}
		it.Categories = slices.Clone(it.Categories)
		ids[i], wanted[it.ID] = it.ID, &it
	}
	return s.changeItems(ctx, ids, func(id string, now ItemState) ItemState {
		return ItemState{Fields: wanted[id], Hidden: now.Hidden}
	})
}

// HideItems hides items from every list or shows them again, all or none.
func (s *Store) HideItems(ctx context.Context, ids []string, hidden bool) ([]Item, error) {
	seen := map[string]bool{}
	for _, id := range ids {
		if err := checkID("the item", id); err != nil {
			return nil, err
		}
		if seen[id] {
			return nil, refuse("Send each item once.", "item %.60q comes twice", id)
		}
		seen[id] = true
	}
	return s.changeItems(ctx, ids, func(_ string, now ItemState) ItemState {
		return ItemState{Fields: now.Fields, Hidden: hidden}
	})
}

// changeItems stores the next states of items and returns how all of ids stand then.
func (s *Store) changeItems(ctx context.Context, ids []string, next func(id string, now ItemState) ItemState) ([]Item, error) {
	if len(ids) > MaxItems {
		return nil, refuse("Send them in several parts.", "%d items at a time are more than %d", len(ids), MaxItems)
	}
	var same map[string]Record
	stored, err := s.update(ctx, KindItem, ids, func(now map[string]Record) ([]Record, error) {
		same = map[string]Record{}
		var changed []Record
		for _, id := range ids {
			have, there := now[id]
			var state ItemState
			if there {
				if err := decode(have, &state); err != nil {
					return nil, err
				}
			}
			body, err := encode(next(id, state))
			if err != nil {
				return nil, err
			}
			if there && have.Body == body {
				same[id] = have
				continue
			}
			changed = append(changed, Record{ID: id, Body: body})
		}
		return changed, nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range stored {
		same[r.ID] = r
	}
	all := make([]Item, len(ids))
	for i, id := range ids {
		if all[i], err = itemOf(same[id]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Item returns an item that was added, changed or hidden; false if there is none of that id.
func (s *Store) Item(ctx context.Context, id string) (Item, bool, error) {
	r, there, err := s.get(ctx, KindItem, id)
	if err != nil || !there {
		return Item{}, false, err
	}
	it, err := itemOf(r)
	return it, err == nil, err
}

// AddUsers adds users, all or none. Those who are there stay as they are.
func (s *Store) AddUsers(ctx context.Context, ids []string) ([]User, error) {
	if len(ids) > MaxItems {
		return nil, refuse("Send them in several parts.", "%d users at a time are more than %d", len(ids), MaxItems)
	}
	for _, id := range ids {
		if err := checkID("the user", id); err != nil {
			return nil, err
		}
	}
	var there map[string]Record
	stored, err := s.update(ctx, KindUser, ids, func(now map[string]Record) ([]Record, error) {
		there = map[string]Record{}
		var added []Record
		for _, id := range ids {
			if have, ok := now[id]; ok {
				there[id] = have
			} else if _, twice := there[id]; !twice {
				there[id] = Record{}
				added = append(added, Record{ID: id, Body: "{}"})
			}
		}
		return added, nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range stored {
		there[r.ID] = r
	}
	all := make([]User, len(ids))
	for i, id := range ids {
		all[i] = userOf(there[id])
	}
	return all, nil
}

func itemOf(r Record) (Item, error) {
	it := Item{ID: r.ID, Version: r.Version, Seq: r.Seq, Changed: r.Changed}
	return it, decode(r, &it.ItemState)
}

func userOf(r Record) User {
	return User{ID: r.ID, Version: r.Version, Seq: r.Seq, Added: r.Changed}
}
