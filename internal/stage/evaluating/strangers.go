package evaluating

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Strangers says how a model serves users and items that it has never seen, on test.
type Strangers struct {
	Run       string          `json:"run"`
	Users     int             `json:"users"` // left out of fitting
	Items     int             `json:"items"` // left out of fitting
	Histories []StrangerGroup `json:"histories"`
	ColdItems ColdItems       `json:"cold_items"`
}

// StrangerGroup compares strangers with the same people as users that the run knows.
type StrangerGroup struct {
	History    string  `json:"history"` // how many items are shown
	Users      int     `json:"users"`
	Stranger   float64 `json:"stranger"` // test R@20
	Known      float64 `json:"known"`
	Popularity float64 `json:"popularity"`
}

// ColdItems says how often an item that nobody chose in train is found.
type ColdItems struct {
	Users  int     `json:"users"`  // whose test item is one
	Recall float64 `json:"recall"` // test R@20
	Random float64 `json:"random"` // of a list drawn by lot
}

const (
	strangersOf = 10 // every tenth user is left out
	coldOf      = 20 // and every twentieth item
)

// leftOut draws one in n rows by a hash of its id, the same in every run.
func leftOut(ids []string, n int) []bool {
	out := make([]bool, len(ids))
	for i, id := range ids {
		sum := sha256.Sum256([]byte("left out " + id))
		out[i] = binary.LittleEndian.Uint64(sum[:8])%uint64(n) == 0
	}
	return out
}

// MeasureStrangers fits the model of a run again without a tenth of the users and a twentieth of
// the items, and measures on test how it serves them.
func MeasureStrangers(ctx context.Context, s *stage.Session, runID string) (*Strangers, error) {
	run, known, err := fittedRun(s, runID, "Name a run of hybrid or of another model that knows nobody by an id.")
	if err != nil {
		return nil, err
	}
	ds, err := s.Dataset()
	if err != nil {
		return nil, err
	}
	itemIDs := make([]string, ds.NumItems())
	for i, item := range ds.Items {
		itemIDs[i] = item.ID
	}
	away, cold := leftOut(ds.UserIDs, strangersOf), leftOut(itemIDs, coldOf)
	blind, err := training.Refit(ctx, s, run, func(u int, i int32) bool { return !away[u] && !cold[i] }, func(u int32) bool { return !away[u] })
	if err != nil {
		return nil, err
	}
	judge, err := s.Judge()
	if err != nil {
		return nil, err
	}
	m := &measuring{ctx: ctx, judge: judge, blind: blind, known: known, cold: cold,
		popular: eval.Popularity(blind.Train.Keep(func(u int, i int32) bool { return !away[u] && !cold[i] }))}
	out := &Strangers{Run: run.ID, Users: count(away), Items: count(cold)}
	s.Emit(stage.Event{Stage: workspace.StageEvaluate, Message: "measuring strangers", Left: -1})
	if out.Histories, err = m.groups(away); err != nil {
		return nil, err
	}
	out.ColdItems, err = m.coldItems(ds.Users(), ds.NumItems())
	return out, err
}

func count(out []bool) (n int) {
	for _, is := range out {
		if is {
			n++
		}
	}
	return n
}

type measuring struct {
	ctx          context.Context
	judge        *eval.Judge
	blind, known *model.UserScorer
	popular      eval.Scorer
	cold         []bool
}

// groups measures the users left out by the length of what is shown of their histories, on test items that
// the model has seen.
func (m *measuring) groups(away []bool) ([]StrangerGroup, error) {
	var all []StrangerGroup
	for _, g := range []struct {
		name             string
		newest, from, to int
	}{{"1", 1, 1, 1 << 30}, {"2", 2, 2, 1 << 30}, {"3-5", 0, 3, 5}, {"6+", 0, 6, 1 << 30}, {"5+", 0, 5, 1 << 30}} {
		var users []int32
		for u, is := range away {
			if n := len(m.blind.Train.Items(u)); is && n >= g.from && n <= g.to {
				users = append(users, int32(u))
			}
		}
		group := StrangerGroup{History: g.name}
		blind, known := *m.blind, *m.known
		blind.Newest, known.Newest = g.newest, g.newest
		for _, c := range []struct {
			scorer eval.Scorer
			to     *float64
		}{{&blind, &group.Stranger}, {&known, &group.Known}, {m.popular, &group.Popularity}} {
			r, err := m.judge.Among(m.ctx, c.scorer, dataset.Test, users, func(i int32) bool { return !m.cold[i] })
			if err != nil {
				return nil, fmt.Errorf("histories of %s: %w", g.name, err)
			}
			if group.Users = len(r.Users); group.Users > 0 {
				*c.to = r.Means()[worthMetric]
			}
		}
		all = append(all, group)
	}
	return all, nil
}

// coldItems measures all users whose test item the model has never seen.
func (m *measuring) coldItems(users, items int) (ColdItems, error) {
	all := make([]int32, users)
	for u := range all {
		all[u] = int32(u)
	}
	r, err := m.judge.Among(m.ctx, m.blind, dataset.Test, all, func(i int32) bool { return m.cold[i] })
	c := ColdItems{Random: 20 / float64(max(items, 20))}
	if err == nil && len(r.Users) > 0 {
		c.Users, c.Recall = len(r.Users), r.Means()[worthMetric]
	}
	return c, err
}
