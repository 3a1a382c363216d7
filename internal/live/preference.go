package live

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Author says who wrote a preference text.
type Author string

// The authors of preference texts.
const (
	ByUser  Author = "user"
	ByAdmin Author = "admin"
	ByModel Author = "model"
)

// Preference is one version of the preference text of a user. A user without one, and one whose
// newest version is Own, is known by the text of the run that is served.
type Preference struct {
	User    string
	Version int64 // from 1, each user's
	Seq     int64 // of the change
	Changed time.Time
	PreferenceText
}

// PreferenceText is what a version says.
type PreferenceText struct {
	Text string `json:"text"`          // empty where Own
	Own  bool   `json:"own,omitempty"` // the run's own text holds again
	By   Author `json:"by"`
	From int64  `json:"from,omitempty"` // the version that it went back to; 0: none
}

// Edit is a new preference text.
type Edit struct {
	User string
	Text string
	By   Author
	Base int64 // the version that the author saw, 0 for the run's own text; AnyVersion: does not matter
}

// AnyVersion as the base of an edit has it replace whatever is there.
const AnyVersion int64 = -1

// EditPreference stores a text as a user's newest version. If the newest is not the one that the
// author saw, it fails with a [ConflictError].
func (s *Store) EditPreference(ctx context.Context, e Edit) (Preference, error) {
	if err := firstError(checkID("the user", e.User), checkText("the preference text", e.Text, MaxPreference), checkAuthor(e.By)); err != nil {
		return Preference{}, err
	}
	if e.Text == "" {
		return Preference{}, refuse("To have the run's own text again, revert to it.", "the preference text is empty")
	}
	return s.writePreference(ctx, e.User, e.Base, PreferenceText{Text: e.Text, By: e.By})
}

// RevertPreference makes an earlier version the newest again, as a version of its own; version 0
// is the run's own text.
func (s *Store) RevertPreference(ctx context.Context, user string, version int64, by Author, base int64) (Preference, error) {
	if err := firstError(checkID("the user", user), checkAuthor(by)); err != nil {
		return Preference{}, err
	}
	if version == 0 {
		return s.writePreference(ctx, user, base, PreferenceText{Own: true, By: by})
	}
	history, err := s.PreferenceHistory(ctx, user)
	if err != nil {
		return Preference{}, err
	}
	for _, p := range history {
		if p.Version == version {
			return s.writePreference(ctx, user, base, PreferenceText{Text: p.Text, Own: p.Own, By: by, From: version})
		}
	}
	return Preference{}, usererr.Of(usererr.KindUnknown, "", "user %.60q has no version %d of the preference text", user, version)
}

func (s *Store) writePreference(ctx context.Context, user string, base int64, text PreferenceText) (Preference, error) {
	body, err := encode(text)
	if err != nil {
		return Preference{}, err
	}
	stored, err := s.update(ctx, KindPreference, []string{user}, func(now map[string]Record) ([]Record, error) {
		if have := now[user].Version; base != AnyVersion && base != have {
			return nil, conflict("the preference text of user %.60q was edited meanwhile: it has version %d, not %d", user, have, base)
		}
		return []Record{{ID: user, Body: body}}, nil
	})
	if err != nil {
		return Preference{}, err
	}
	return preferenceOf(stored[0])
}

// Preference returns the newest version of a user's text; false if there is none.
func (s *Store) Preference(ctx context.Context, user string) (Preference, bool, error) {
	r, there, err := s.get(ctx, KindPreference, user)
	if err != nil || !there {
		return Preference{}, false, err
	}
	p, err := preferenceOf(r)
	return p, err == nil, err
}

// PreferenceHistory returns all versions of a user's text, oldest first.
func (s *Store) PreferenceHistory(ctx context.Context, user string) ([]Preference, error) {
	if err := checkID("the user", user); err != nil {
		return nil, err
	}
	records, err := s.driver.History(ctx, KindPreference, user)
	if err != nil {
		return nil, err
	}
	return decodeAll(records, preferenceOf)
}

func preferenceOf(r Record) (Preference, error) {
	p := Preference{User: r.ID, Version: r.Version, Seq: r.Seq, Changed: r.Changed}
	return p, decode(r, &p.PreferenceText)
}

func checkAuthor(by Author) error {
	if by != ByUser && by != ByAdmin && by != ByModel {
		return fmt.Errorf("the author %q of a preference text is unknown", by)
	}
	return nil
}

// encode writes the body of a record.
func encode(v any) (string, error) {
	raw, err := json.Marshal(v)
	return string(raw), err
}

// decode reads the body of a record.
func decode(r Record, into any) error {
	if err := json.Unmarshal([]byte(r.Body), into); err != nil {
		return usererr.Of(usererr.KindDamaged, "Restore the live state from a copy.", "the %s %.60q of the live state cannot be read: %v", r.Kind, r.ID, err)
	}
	return nil
}

func decodeAll[T any](records []Record, one func(Record) (T, error)) ([]T, error) {
	all := make([]T, 0, len(records))
	for _, r := range records {
		v, err := one(r)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}
