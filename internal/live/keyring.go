package live

import (
	"maps"
	"sync"
)

// Keyring holds the keys of the API in memory, so that requests are let in while the store is
// away and no request waits for it. It is filled by [Store.Keys] or by changes. It is safe for
// concurrent use.
type Keyring struct {
	mu   sync.RWMutex
	keys map[string]Key
}

// Put adds keys or replaces them by newer versions.
func (r *Keyring) Put(keys ...Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := maps.Clone(r.keys)
	if next == nil {
		next = map[string]Key{}
	}
	for _, k := range keys {
		if k.Version > next[k.ID].Version {
			next[k.ID] = k
		}
	}
	r.keys = next
}

// noKey is compared with what has no key, so that ids cannot be told apart by the time an answer
// takes.
var noKey = Key{KeyState: KeyState{Hash: hashOf("")}}

// Find returns the key that a secret opens; false if there is none, it is revoked or the secret is
// wrong.
func (r *Keyring) Find(secretText string) (Key, bool) {
	id, _ := SecretID(secretText)
	r.mu.RLock()
	k, there := r.keys[id]
	r.mu.RUnlock()
	if !there {
		k = noKey
	}
	opens := k.Opens(secretText)
	if !there || !opens {
		return Key{}, false
	}
	return k, true
}

// Empty reports whether no key was ever made: a shop without keys is one that nobody has closed
// yet.
func (r *Keyring) Empty() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.keys) == 0
}
