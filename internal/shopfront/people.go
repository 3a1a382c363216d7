package shopfront

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/internal/live"
)

// person is what happened to one user since the runs were trained. It does not change: who changes it puts another in its place.
type person struct {
	version    uint64   // counts the changes: kept answers of an earlier one are not given
	chosen     []string // ids of items, oldest first, each once
	hidden     []string
	preference *live.Preference
	added      bool
}

// note takes an item in.
func (p *person) note(item string, hidden bool) {
	list := &p.chosen
	if hidden {
		list = &p.hidden
	}
	if !slices.Contains(*list, item) {
		*list = append(slices.Clip(*list), item)
	}
}

// text is the preference text that was written for the person while the shop was served; "" where the run's own holds.
func (p *person) text() string {
	if p.preference == nil || p.preference.Own {
		return ""
	}
	return p.preference.Text
}

// shards is how many parts the people are in, each with a lock.
const shards = 64

// people holds those to whom something happened, and the keys of the API.
type people struct {
	seed  maphash.Seed
	parts [shards]struct {
		mu  sync.RWMutex
		all map[string]*person
	}
	keys struct {
		mu  sync.RWMutex
		all map[string]*live.Key
	}
}

func newPeople() *people {
	p := &people{seed: maphash.MakeSeed()}
	for n := range p.parts {
		p.parts[n].all = map[string]*person{}
	}
	p.keys.all = map[string]*live.Key{}
	return p
}

var nobody = &person{}

// of returns what happened to a user.
func (p *people) of(user string) *person {
	part := &p.parts[maphash.String(p.seed, user)%shards]
	part.mu.RLock()
	defer part.mu.RUnlock()
	if one := part.all[user]; one != nil {
		return one
	}
	return nobody
}

// change puts a changed person in the place of the one there.
func (p *people) change(user string, do func(*person)) {
	part := &p.parts[maphash.String(p.seed, user)%shards]
	part.mu.Lock()
	defer part.mu.Unlock()
	next := person{}
	if was := part.all[user]; was != nil {
		next = *was
	}
	next.version++
	do(&next)
	part.all[user] = &next
}

func (p *people) key(k *live.Key) {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	p.keys.all[k.ID] = k
}

// Key returns a key of the API by its id; nil where there is none.
func (s *Shop) Key(id string) *live.Key {
	s.people.keys.mu.RLock()
	defer s.people.keys.mu.RUnlock()
	return s.people.keys.all[id]
}

// Keyed reports whether there are keys that hold: without any, whoever reaches the server may ask it.
func (s *Shop) Keyed() bool {
	s.people.keys.mu.RLock()
	defer s.people.keys.mu.RUnlock()
	for k := range maps.Values(s.people.keys.all) {
		if k.Revoked.IsZero() {
			return true
		}
	}
	return false
}
