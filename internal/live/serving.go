package live

import (
	"context"
	"fmt"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Serving says which run is served, or which runs are compared. Each version is kept, so that one
// can go back.
type Serving struct {
	Version int64
	Seq     int64 // of the change
	Changed time.Time
	ServingState
}

// ServingState is what a version says.
type ServingState struct {
	Run  string `json:"run"`            // of users outside of every arm
	Arms []Arm  `json:"arms,omitempty"` // of an A/B test
	Why  string `json:"why,omitempty"`  // in words, for people
	From int64  `json:"from,omitempty"` // the version that it went back to; 0: none
}

// Arm is one side of an A/B test.
type Arm struct {
	Name  string `json:"name"`
	Run   string `json:"run"`
	Share int    `json:"share"` // in percent
}

const (
	servingID = "shop"
	maxArms   = 20
	maxWhy    = 4096
)

// Serve records what is served from now on. base is the version that the caller saw, 0 for none,
// or AnyVersion; if it is not the newest, Serve fails with a [ConflictError].
func (s *Store) Serve(ctx context.Context, state ServingState, base int64) (Serving, error) {
	if err := checkServing(&state); err != nil {
		return Serving{}, err
	}
	body, err := encode(state)
	if err != nil {
		return Serving{}, err
	}
	stored, err := s.update(ctx, KindServing, []string{servingID}, func(now map[string]Record) ([]Record, error) {
		if have := now[servingID].Version; base != AnyVersion && base != have {
			return nil, conflict("what is served was changed meanwhile: it has version %d, not %d", have, base)
		}
		return []Record{{ID: servingID, Body: body}}, nil
	})
	if err != nil {
		return Serving{}, err
	}
	return servingOf(stored[0])
}

// ServeAgain goes back to an earlier version, as a version of its own.
func (s *Store) ServeAgain(ctx context.Context, version int64, why string) (Serving, error) {
	history, err := s.ServingHistory(ctx)
	if err != nil {
		return Serving{}, err
	}
	for _, v := range history {
		if v.Version == version {
			state := v.ServingState
			state.From, state.Why = version, why
			return s.Serve(ctx, state, history[len(history)-1].Version)
		}
	}
	return Serving{}, usererr.Of(usererr.KindUnknown, "", "no version %d of what is served is on record", version)
}

// Serving returns what is served; false if nothing was recorded.
func (s *Store) Serving(ctx context.Context) (Serving, bool, error) {
	r, there, err := s.get(ctx, KindServing, servingID)
	if err != nil || !there {
		return Serving{}, false, err
	}
	v, err := servingOf(r)
	return v, err == nil, err
}

// ServingHistory returns what was served, oldest first.
func (s *Store) ServingHistory(ctx context.Context) ([]Serving, error) {
	records, err := s.driver.History(ctx, KindServing, servingID)
	if err != nil {
		return nil, err
	}
	return decodeAll(records, servingOf)
}

func servingOf(r Record) (Serving, error) {
	v := Serving{Version: r.Version, Seq: r.Seq, Changed: r.Changed}
	return v, decode(r, &v.ServingState)
}

func checkServing(state *ServingState) error {
	if err := firstError(checkID("the run", state.Run), checkText("the reason", state.Why, maxWhy)); err != nil {
		return err
	}
	if len(state.Arms) > maxArms {
		return refuse("", "%d arms are more than %d", len(state.Arms), maxArms)
	}
	total, names := 0, map[string]bool{}
	for _, a := range state.Arms {
		if err := firstError(checkID("an arm's name", a.Name), checkID("an arm's run", a.Run)); err != nil {
			return err
		}
		if names[a.Name] {
			return refuse("Name each arm otherwise.", "two arms are named %.60q", a.Name)
		}
		if a.Share < 1 || a.Share > 100 {
			return refuse("", "the share of arm %.60q must be from 1 to 100 percent, not %d", a.Name, a.Share)
		}
		names[a.Name] = true
		total += a.Share
	}
	if len(state.Arms) > 0 && total != 100 {
		return refuse("", "the shares of the arms are %d percent together, not 100", total)
	}
	return nil
}

// update is the driver's, for one kind at one moment, and rings for those who follow.
func (s *Store) update(ctx context.Context, kind Kind, ids []string, change func(map[string]Record) ([]Record, error)) ([]Record, error) {
	at := s.stamp()
	stored, err := s.driver.Update(ctx, kind, ids, func(now map[string]Record) ([]Record, error) {
		records, err := change(now)
		for i := range records {
			records[i].Kind, records[i].Changed = kind, at
		}
		return records, err
	})
	if err != nil {
		return nil, err
	}
	if len(stored) > 0 {
		s.wake.ring()
	}
	return stored, nil
}

func (s *Store) get(ctx context.Context, kind Kind, id string) (Record, bool, error) {
	if err := checkID(fmt.Sprintf("the id of a %s", kind), id); err != nil {
		return Record{}, false, err
	}
	found, err := s.driver.Get(ctx, kind, []string{id})
	r, there := found[id]
	return r, there, err
}
