package retraining

import (
	"context"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled"
	"github.com/mllmrec/mllmrec/internal/live"
)

// Taken counts what a generation takes in beside the shop's own data.
type Taken struct {
	Events       int64 `json:"events"`       // that there are
	Interactions int   `json:"interactions"` // made of those that count
	Passed       int   `json:"passed"`       // events that count nothing, such as views
	Unknown      int   `json:"unknown"`      // events on items that nobody described
	Users        int   `json:"users"`        // new ones
	Items        int   `json:"items"`        // new ones
	Changed      int   `json:"changed"`      // items whose fields were changed
	Hidden       int   `json:"hidden"`       // items that stay hidden; they are trained on, and in no list
}

// Gather makes the data of a generation: all interactions of the shop's own data, whatever their part of its split, which ends here, and what
// happened since. weights says which types of events count: those above 0.
func Gather(ctx context.Context, base *dataset.Dataset, store *live.Store, weights map[live.EventType]float64) (*dataset.Dataset, *Taken, error) {
	ds := &dataset.Dataset{Name: base.Name, Domain: base.Domain, UserIDs: slices.Clone(base.UserIDs), Items: slices.Clone(base.Items)}
	taken := &Taken{}
	items, users := map[string]int32{}, map[string]int32{}
	for i := range ds.Items {
		items[ds.Items[i].ID] = int32(i)
	}
	for u, id := range ds.UserIDs {
		users[id] = int32(u)
	}
	if err := takeItems(ctx, store, ds, items, taken); err != nil {
		return nil, nil, err
	}
	var rows []dataset.Interaction
	for _, row := range labelled.Rows[dataset.Interaction](base) {
		row.Label = dataset.Train // of no meaning before the split
		rows = append(rows, row)
	}
	unit := unitOf(rows)
	err := store.EachEvent(ctx, 0, func(e live.Event) error {
		taken.Events = e.Seq
		counts := weights[e.Type] > 0
		if e.Weight != nil {
			counts = *e.Weight > 0 && e.Type != live.Hide
		}
		if !counts {
			taken.Passed++
			return nil
		}
		item, ok := items[e.Item]
		if !ok {
			taken.Unknown++
			return nil
		}
		user, ok := users[e.User]
		if !ok {
			user = int32(len(ds.UserIDs))
			ds.UserIDs, users[e.User] = append(ds.UserIDs, e.User), user
			taken.Users++
		}
		rows = append(rows, dataset.Interaction{User: user, Item: item, Time: e.At().UnixMicro() / unit})
		taken.Interactions++
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	ds.SetInteractions(rows)
	return ds, taken, nil
}

// unitOf is how many microseconds the times of the shop's own data count in, by their size: seconds, milliseconds or microseconds since 1970.
// Times that only say an order are smaller, and what happened since is later than all of them.
func unitOf(rows []dataset.Interaction) int64 {
	latest := int64(0)
	for _, r := range rows {
		latest = max(latest, r.Time)
	}
	switch {
	case latest > 100_000_000_000_000:
		return 1
	case latest > 100_000_000_000:
		return 1000
	}
	return 1_000_000
}

// takeItems adds and changes items as the live state says.
func takeItems(ctx context.Context, store *live.Store, ds *dataset.Dataset, items map[string]int32, taken *Taken) error {
	for after := int64(0); ; {
		changes, next, err := store.Changes(ctx, after, 2000)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if c.Item == nil {
				continue
			}
			if c.Item.Hidden {
				taken.Hidden++
			}
			if c.Item.Fields == nil {
				continue
			}
			if i, ok := items[c.Item.ID]; ok {
				ds.Items[i] = *c.Item.Fields
				taken.Changed++
				continue
			}
			items[c.Item.ID] = int32(len(ds.Items))
			ds.Items = append(ds.Items, *c.Item.Fields)
			taken.Items++
		}
		if next == after {
			return nil
		}
		after = next
	}
}
