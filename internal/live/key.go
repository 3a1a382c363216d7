package live

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Role says what a key of the HTTP API may do.
type Role string

// The roles of keys.
const (
	Read     Role = "read"
	Feedback Role = "feedback"
	Admin    Role = "admin"
)

// Roles lists all roles.
var Roles = []Role{Read, Feedback, Admin}

// Key is a key of the HTTP API, without its secret, which nobody can tell from it.
type Key struct {
	ID      string // the part of the secret that it is found by
	Version int64
	Seq     int64 // of the change
	Changed time.Time
	Used    time.Time // within an hour; zero: never, and in changes
	KeyState
}

// KeyState is what a version says.
type KeyState struct {
	Name    string    `json:"name"` // for people
	Roles   []Role    `json:"roles"`
	Hash    string    `json:"sha256"` // of the whole secret, hexadecimal
	Created time.Time `json:"created"`
	Revoked time.Time `json:"revoked,omitzero"` // zero: it holds
}

// May reports whether a key has a role. Admin has every role.
func (k *Key) May(role Role) bool {
	return slices.Contains(k.Roles, role) || slices.Contains(k.Roles, Admin)
}

// A secret is written mllmrec_<id>_<256 random bits>, both in hexadecimal.
const (
	secretPrefix = "mllmrec_"
	idBytes      = 6
	randomBytes  = 32
	secretLength = len(secretPrefix) + 2*idBytes + 1 + 2*randomBytes
)

// NewKey makes a key and returns its secret, which is stored nowhere.
func (s *Store) NewKey(ctx context.Context, name string, roles []Role) (secretText string, k Key, err error) {
	if err := checkText("the name of the key", name, maxName); err != nil {
		return "", Key{}, err
	}
	if name == "" {
		return "", Key{}, refuse("Say what the key is for.", "the name of the key is empty")
	}
	if len(roles) == 0 {
		return "", Key{}, refuse("Use read, feedback or admin.", "the key has no role")
	}
	for i, r := range roles {
		if !slices.Contains(Roles, r) {
			return "", Key{}, refuse("Use read, feedback or admin.", "the role %.40q is unknown", string(r))
		}
		if slices.Contains(roles[:i], r) {
			return "", Key{}, refuse("Name each role once.", "the role %s comes twice", r)
		}
	}
	id, text := newSecret()
	secret.Register(text)
	body, err := encode(KeyState{Name: name, Roles: roles, Hash: hashOf(text), Created: s.stamp()})
	if err != nil {
		return "", Key{}, err
	}
	stored, err := s.update(ctx, KindKey, []string{id}, func(now map[string]Record) ([]Record, error) {
		if _, there := now[id]; there {
			return nil, conflict("a key %s is there already", id) // once in 2^48
		}
		return []Record{{ID: id, Body: body}}, nil
	})
	if err != nil {
		return "", Key{}, err
	}
	k, err = keyOf(stored[0])
	return text, k, err
}

func newSecret() (id, text string) {
	var raw [idBytes + randomBytes]byte
	rand.Read(raw[:]) //nolint:errcheck // it never fails: the program ends
	id = hex.EncodeToString(raw[:idBytes])
	return id, secretPrefix + id + "_" + hex.EncodeToString(raw[idBytes:])
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// SecretID returns the id of the key that a secret belongs to; false if it is none.
func SecretID(text string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(text, secretPrefix)
	if !ok || len(text) != secretLength {
		return "", false
	}
	id, random, ok := strings.Cut(rest, "_")
	return id, ok && isHex(id, idBytes) && isHex(random, randomBytes)
}

func isHex(s string, bytes int) bool {
	if len(s) != 2*bytes {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Opens reports whether a secret is that of the key and the key holds. It takes the same time
// for every wrong secret.
func (k *Key) Opens(text string) bool {
	same := subtle.ConstantTimeCompare([]byte(hashOf(text)), []byte(k.Hash)) == 1
	return same && k.Revoked.IsZero()
}

// Keys returns all keys, revoked ones too, by the time of their creation.
func (s *Store) Keys(ctx context.Context) ([]Key, error) {
	records, err := s.driver.List(ctx, KindKey)
	if err != nil {
		return nil, err
	}
	uses, err := s.driver.List(ctx, KindKeyUse)
	if err != nil {
		return nil, err
	}
	used := map[string]time.Time{}
	for _, u := range uses {
		used[u.ID] = u.Changed
	}
	keys, err := decodeAll(records, keyOf)
	for i := range keys {
		keys[i].Used = used[keys[i].ID]
	}
	slices.SortStableFunc(keys, func(a, b Key) int { return a.Created.Compare(b.Created) })
	return keys, err
}

// RevokeKey ends a key for good. A revoked one stays as it is.
func (s *Store) RevokeKey(ctx context.Context, id string) (Key, error) {
	var k Key
	stored, err := s.update(ctx, KindKey, []string{id}, func(now map[string]Record) ([]Record, error) {
		have, there := now[id]
		if !there {
			return nil, usererr.Of(usererr.KindUnknown, "List the keys.", "no key has the id %.60q", id)
		}
		var err error
		if k, err = keyOf(have); err != nil || !k.Revoked.IsZero() {
			return nil, err
		}
		k.Revoked = s.stamp()
		body, err := encode(k.KeyState)
		return []Record{{ID: id, Body: body}}, err
	})
	if err != nil || len(stored) == 0 {
		return k, err
	}
	return keyOf(stored[0])
}

// usedWithin is how coarsely the last use of a key is stored.
const usedWithin = time.Hour

// UsedKeys records that keys were used just now, for each at most once an hour.
func (s *Store) UsedKeys(ctx context.Context, ids []string) error {
	now := s.stamp()
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	_, err := s.update(ctx, KindKeyUse, ids, func(have map[string]Record) ([]Record, error) {
		var due []Record
		for _, id := range ids {
			if r, there := have[id]; !there || now.Sub(r.Changed) >= usedWithin {
				due = append(due, Record{ID: id, Body: "{}"})
			}
		}
		return due, nil
	})
	return err
}

func keyOf(r Record) (Key, error) {
	k := Key{ID: r.ID, Version: r.Version, Seq: r.Seq, Changed: r.Changed}
	return k, decode(r, &k.KeyState)
}
