// Package shopfront answers for a served shop: it holds one snapshot of a run, or several where arms are compared, and what happened
// since it was trained: feedback, edited preference texts, items and users that came, changed or were hidden. Whoever asks gets
// an answer from one snapshot; the next one takes its place at once, and no question waits for that.
package shopfront

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mllmrec/mllmrec/internal/answering"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Options of a shop.
type Options struct {
	Dir    string // of the workspace
	Writer string // who writes preferences of people never seen; "": who wrote the run's
	Trust  bool   // the workspace may name servers, keys and folders
	// Locate finds the workspace of a run, and its id there; nil: all runs are of Dir.
	Locate func(run string) (dir, id string, err error)
	// Weights says how much an event of a type counts. Items of events above 0 are taken for chosen: they lead what the
	// user gets, and are left out of it. An item that was hidden is left out whatever its weight.
	Weights map[live.EventType]float64
	Cache   int64         // bytes that kept answers may take
	Poll    time.Duration // how often to look for what other processes did
	Note    func(format string, args ...any)
}

// DefaultWeights are those of an Options without any.
func DefaultWeights() map[live.EventType]float64 {
	return map[live.EventType]float64{live.View: 0, live.Like: 1, live.Purchase: 1, live.Hide: 0}
}

// Shop answers for a shop. It is safe for concurrent use.
type Shop struct {
	opt    Options
	store  *live.Store
	front  atomic.Pointer[front]
	people *people
	cache  *cache
	mu     sync.Mutex // of whoever makes the next front
	seen   int64      // last change that was applied
	events int64      // last event that was applied
	stop   context.CancelFunc
	done   sync.WaitGroup
	away   atomic.Pointer[string] // why the store cannot be read now
}

// front is all that an answer is made from. It does not change.
type front struct {
	generation uint64
	arms       []arm // one at least
	over       *overlay
}

// arm is a run that serves a share of the users.
type arm struct {
	name  string
	share int // in percent
	view  *view
}

// Open reads the live state and the run that is served: that of the live state, unless run names another, or, where neither
// does, the one that was built or chosen last.
func Open(ctx context.Context, store *live.Store, run string, opt Options) (*Shop, error) {
	if opt.Weights == nil {
		opt.Weights = DefaultWeights()
	}
	if opt.Poll == 0 {
		opt.Poll = 2 * time.Second
	}
	if opt.Note == nil {
		opt.Note = func(string, ...any) {}
	}
	s := &Shop{opt: opt, store: store, people: newPeople(), cache: newCache(opt.Cache)}
	over := newOverlay()
	var serving *live.Serving
	for {
		changes, next, err := store.Changes(ctx, s.seen, changePage)
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			if s.take(over, c); c.Serving != nil {
				serving = c.Serving
			}
		}
		if next == s.seen {
			break
		}
		s.seen = next
	}
	if err := s.readEvents(ctx); err != nil {
		return nil, err
	}
	state := live.ServingState{Run: run}
	if serving != nil && run == "" {
		state = serving.ServingState
	}
	arms, err := s.arms(ctx, state, over, nil)
	if err != nil {
		return nil, err
	}
	s.install(arms, over)
	follow, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.done.Go(func() { s.follow(follow) })
	s.done.Go(func() { s.followEvents(follow) })
	return s, nil
}

const changePage = 2000

// Close stops following the live state. The store stays open.
func (s *Shop) Close() {
	s.stop()
	s.done.Wait()
}

// Dir is the folder of the workspace.
func (s *Shop) Dir() string { return s.opt.Dir }

// Store is the live state.
func (s *Shop) Store() *live.Store { return s.store }

// arms opens the runs that are served; those of before that are served still are kept.
func (s *Shop) arms(ctx context.Context, state live.ServingState, over *overlay, before []arm) ([]arm, error) {
	open := func(run string) (*view, error) {
		for _, a := range before {
			if a.view.run == run {
				return a.view, nil
			}
		}
		e, err := s.open(ctx, run)
		if err != nil {
			return nil, err
		}
		return newView(ctx, e, cmp.Or(run, e.Run.ID), over)
	}
	if len(state.Arms) == 0 {
		v, err := open(state.Run)
		if err != nil {
			return nil, err
		}
		return []arm{{share: 100, view: v}}, nil
	}
	var arms []arm
	for _, a := range state.Arms {
		v, err := open(a.Run)
		if err != nil {
			return nil, fmt.Errorf("arm %s: %w", a.Name, err)
		}
		arms = append(arms, arm{a.Name, a.Share, v})
		before = append(before, arms[len(arms)-1]) // two arms may have one run
	}
	return arms, nil
}

// open opens a run.
func (s *Shop) open(ctx context.Context, run string) (*answering.Engine, error) {
	dir := s.opt.Dir
	if s.opt.Locate != nil {
		var err error
		if dir, run, err = s.opt.Locate(run); err != nil {
			return nil, err
		}
	}
	return answering.Open(ctx, dir, answering.Options{Run: run, Writer: s.opt.Writer, Trust: s.opt.Trust})
}

// install makes a front the present one. The caller holds the lock, or is alone.
func (s *Shop) install(arms []arm, over *overlay) {
	f := &front{arms: arms, over: over}
	if was := s.front.Load(); was != nil {
		f.generation = was.generation + 1
	}
	s.front.Store(f)
}

// Serve swaps to other runs, or fails and leaves all as it is. Questions that are being answered are answered by the run that they began with.
func (s *Shop) Serve(ctx context.Context, state live.ServingState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.front.Load()
	arms, err := s.arms(ctx, state, now.over, now.arms)
	if err != nil {
		return err
	}
	s.install(arms, now.over)
	return nil
}

// CanServe opens a run and lets go of it again: nil if it can be served.
func (s *Shop) CanServe(ctx context.Context, run string) error {
	_, err := s.open(ctx, run)
	return err
}

// follow applies changes of the live state, this process's and others', as they come.
func (s *Shop) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.store.Follow(ctx, s.applied(), s.opt.Poll, func(changes []live.Change, next int64) error {
			return s.apply(ctx, changes, next)
		}, s.trouble)
		if err != nil && ctx.Err() == nil {
			s.opt.Note("what changed in the shop cannot be applied and is tried again: %v", err)
			select {
			case <-time.After(s.opt.Poll):
			case <-ctx.Done():
			}
		}
	}
}

func (s *Shop) applied() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// CatchUp applies all that the store holds by now: who has changed something there and asks next sees it.
func (s *Shop) CatchUp(ctx context.Context) error {
	for {
		after := s.applied()
		changes, next, err := s.store.Changes(ctx, after, changePage)
		if err != nil {
			return err
		}
		if next == after {
			return nil
		}
		if err := s.apply(ctx, changes, next); err != nil {
			return err
		}
	}
}

// apply makes the next front. Changes that were applied before, by CatchUp, are passed over.
func (s *Shop) apply(ctx context.Context, changes []live.Change, next int64) error {
	s.away.Store(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.front.Load()
	over, items, serving := now.over.clone(), []string(nil), (*live.Serving)(nil)
	for _, c := range changes {
		if c.Seq <= s.seen {
			continue
		}
		switch s.take(over, c); {
		case c.Item != nil:
			items = append(items, c.Item.ID)
		case c.Serving != nil:
			serving = c.Serving
		}
	}
	arms := slices.Clone(now.arms)
	if len(items) > 0 {
		made := map[*view]*view{}
		for n, a := range arms {
			if made[a.view] == nil {
				v, err := a.view.with(ctx, over, items)
				if err != nil {
					return err
				}
				made[a.view] = v
			}
			arms[n].view = made[a.view]
		}
	}
	if serving != nil {
		served, err := s.arms(ctx, serving.ServingState, over, arms)
		if err != nil {
			s.opt.Note("run %s cannot be served, and what was served before goes on: %v", serving.Run, err)
		} else {
			arms = served
			s.opt.Note("run %s is served from now on", arms[0].view.run)
		}
	}
	if len(items) > 0 || serving != nil {
		s.install(arms, over)
	}
	s.seen = max(s.seen, next)
	return nil
}

// take notes a change. Those of people are effective at once; those of items with the front that holds the overlay.
func (s *Shop) take(over *overlay, c live.Change) {
	switch {
	case c.Item != nil:
		over.items[c.Item.ID] = c.Item
	case c.User != nil:
		s.people.change(c.User.ID, func(p *person) { p.added = true })
	case c.Preference != nil:
		s.people.change(c.Preference.User, func(p *person) {
			if p.preference == nil || p.preference.Version < c.Preference.Version {
				p.preference = c.Preference
			}
		})
	case c.Key != nil:
		s.people.key(c.Key)
	}
}

func (s *Shop) trouble(err error) {
	text := err.Error()
	if s.away.Swap(&text) == nil {
		s.opt.Note("the live state cannot be read, what is in memory is served on: %v", err)
	}
}

// Away says why the live state cannot be read now; "" where it can.
func (s *Shop) Away() string {
	if why := s.away.Load(); why != nil {
		return *why
	}
	return ""
}

// readEvents takes the events in that the store holds beyond those known.
func (s *Shop) readEvents(ctx context.Context) error {
	for {
		events, err := s.store.Events(ctx, atomic.LoadInt64(&s.events), 10_000)
		if err != nil || len(events) == 0 {
			return err
		}
		for n := range events {
			s.happened(&events[n])
		}
		atomic.StoreInt64(&s.events, events[len(events)-1].Seq)
	}
}

// followEvents takes other processes' events in.
func (s *Shop) followEvents(ctx context.Context) {
	tick := time.NewTicker(s.opt.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.readEvents(ctx); err != nil && ctx.Err() == nil {
			s.trouble(err)
		}
	}
}

// happened notes an event; the same one twice is one.
func (s *Shop) happened(e *live.Event) {
	hidden, chosen := e.Type == live.Hide, s.opt.Weights[e.Type] > 0
	if e.Weight != nil {
		chosen = *e.Weight > 0 && !hidden
	}
	if !hidden && !chosen {
		return
	}
	s.people.change(e.User, func(p *person) { p.note(e.Item, hidden) })
}

// Feedback stores events and takes them in: when it returns without an error they are durable, and the next answer heeds them. The
// arm of each is filled in.
func (s *Shop) Feedback(ctx context.Context, events []live.Event) ([]live.Receipt, error) {
	f := s.front.Load()
	for n := range events {
		events[n].Arm = f.arm(events[n].User).name
	}
	receipts, err := s.store.AddEvents(ctx, events)
	if err != nil {
		return nil, err
	}
	for n := range events {
		s.happened(&events[n])
	}
	return receipts, nil
}

// Arms lists the runs that are served.
func (s *Shop) Arms() []ArmInfo {
	var all []ArmInfo
	for _, a := range s.front.Load().arms {
		all = append(all, ArmInfo{Name: a.name, Share: a.share, Run: a.view.run, Engine: a.view.engine})
	}
	return all
}

// ArmInfo is one run that is served.
type ArmInfo struct {
	Name   string
	Share  int    // in percent
	Run    string // as the shop names it
	Engine *answering.Engine
}

// Generation counts the fronts: it changes with every change that may alter everybody's lists.
func (s *Shop) Generation() uint64 { return s.front.Load().generation }

// overlay is what happened to items since the runs were trained, by id.
type overlay struct {
	items map[string]*live.Item
}

func newOverlay() *overlay { return &overlay{items: map[string]*live.Item{}} }

func (o *overlay) clone() *overlay { return &overlay{items: maps.Clone(o.items)} }

// Unknown reports whether an error says that somebody or something named does not exist.
func Unknown(err error) bool { return usererr.KindOf(err) == usererr.KindUnknown }
