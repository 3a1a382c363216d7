package live

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Change is the newest version of something that changed. Exactly one of its pointers is set.
type Change struct {
	Seq        int64
	Item       *Item
	User       *User
	Preference *Preference
	Key        *Key
	Serving    *Serving
}

// Changes returns at most limit changes after a sequence number, in order: of each thing only its
// newest version. Who applies them and goes on after next stands as the store does.
func (s *Store) Changes(ctx context.Context, after int64, limit int) (changes []Change, next int64, err error) {
	records, err := s.driver.Changes(ctx, after, limit)
	if err != nil {
		return nil, after, err
	}
	next = after
	for _, r := range records {
		c, err := changeOf(r)
		if err != nil {
			return nil, after, err
		}
		if next = r.Seq; c != (Change{Seq: r.Seq}) {
			changes = append(changes, c)
		}
	}
	return changes, next, nil
}

// changeOf reads a record. Of one that is of no concern to those who follow it returns the number
// alone.
func changeOf(r Record) (c Change, err error) {
	c.Seq = r.Seq
	switch r.Kind {
	case KindItem:
		c.Item, err = pointer(itemOf(r))
	case KindUser:
		c.User, err = pointer(userOf(r), nil)
	case KindPreference:
		c.Preference, err = pointer(preferenceOf(r))
	case KindKey:
		c.Key, err = pointer(keyOf(r))
	case KindServing:
		c.Serving, err = pointer(servingOf(r))
	case KindKeyUse:
	default:
		err = fmt.Errorf("the live state has a record of an unknown kind %.40q", string(r.Kind))
	}
	return c, err
}

func pointer[T any](v T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// changePage is how many changes Follow reads at a time.
const changePage = 2000

// Follow calls apply with changes after a sequence number, and then with those that come, until
// ctx ends or apply fails: at once with what this Store stores, within every with what other
// processes do. While the store cannot be read, trouble is called at each try, and nothing ends.
func (s *Store) Follow(ctx context.Context, after int64, every time.Duration, apply func(changes []Change, next int64) error, trouble func(error)) error {
	for {
		rung := s.wake.next()
		changes, next, err := s.Changes(ctx, after, changePage)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			trouble(err)
		case next > after:
			if err := apply(changes, next); err != nil {
				return err
			}
			after = next
			continue
		}
		timer := time.NewTimer(every)
		select {
		case <-rung:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// bell wakes those who wait for changes of this process.
type bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// next is closed at the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}
