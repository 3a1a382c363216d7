package workspace

import (
	"fmt"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
)

// order checks texts one after the other.
type order[T any] interface {
	next(t *T) error
	end() error
}

// itemOrder wants one text an item, in the order of the catalogue.
type itemOrder struct {
	items []dataset.Item
	at    int
}

func (w *Workspace) itemOrder() (*itemOrder, error) {
	items, err := w.Items()
	return &itemOrder{items: items}, err
}

func (o *itemOrder) next(t *ItemText) error {
	switch {
	case o.at >= len(o.items):
		return fmt.Errorf("more texts than the %d items", len(o.items))
	case t.Item != o.items[o.at].ID:
		return fmt.Errorf("item %q, the catalogue has %q there", t.Item, o.items[o.at].ID)
	}
	o.at++
	if err := checkStatus(t.Status); err != nil {
		return fmt.Errorf("item %q: %w", t.Item, err)
	}
	return nil
}

func (o *itemOrder) end() error {
	if o.at != len(o.items) {
		return fmt.Errorf("%d texts for %d items", o.at, len(o.items))
	}
	return nil
}

// userOrder wants one full text a user, then for each fold at most one, all in the order
// of the users.
type userOrder struct {
	ids  []string
	fold int32
	at   int // the first user who may come next in this fold
	full int
}

func (w *Workspace) userOrder() (*userOrder, error) {
	ids, err := w.ids()
	if err != nil {
		return nil, err
	}
	return &userOrder{ids: ids, fold: -1}, nil
}

func (o *userOrder) next(t *UserText) error {
	if err := checkStatus(t.Status); err != nil {
		return fmt.Errorf("user %q: %w", t.User, err)
	}
	switch {
	case t.Fold < -1 || t.Fold >= MaxFolds:
		return fmt.Errorf("user %q: fold %d", t.User, t.Fold)
	case t.Fold < o.fold:
		return fmt.Errorf("user %q: fold %d after fold %d", t.User, t.Fold, o.fold)
	case t.Fold > o.fold:
		o.fold, o.at = t.Fold, 0
	}
	skipped := slices.Index(o.ids[o.at:], t.User)
	if skipped < 0 {
		if slices.Contains(o.ids, t.User) {
			return fmt.Errorf("user %q comes twice for fold %d, or not in the order of the users", t.User, t.Fold)
		}
		return fmt.Errorf("user %q is unknown", t.User)
	}
	o.at += skipped + 1
	if t.Fold == -1 {
		o.full++
	}
	return nil
}

func (o *userOrder) end() error {
	if o.full != len(o.ids) {
		return fmt.Errorf("%d full texts for %d users", o.full, len(o.ids))
	}
	return nil
}

func checkStatus(status string) error {
	if status != StatusOK && status != StatusFallback {
		return fmt.Errorf("status %q (known: %s, %s)", status, StatusOK, StatusFallback)
	}
	return nil
}
