package mllm

import (
	"context"
	"slices"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// ticket is one request in the pool's queue.
type ticket struct {
	tokens float64 // that it may use, by estimate
	cost   float64 // that it may cost, by estimate
	prompt int     // prompt tokens, by estimate
	model  string
	last   error // of the attempt before
	tried  *endpoint
	final  bool         // no endpoint is left for it
	grant  chan verdict // holds one
}

type verdict struct {
	e   *endpoint
	err error
}

// answerTokens is what an answer is assumed to take if the request sets no limit.
const answerTokens = 512

func (p *Pool) newTicket(r Request) (*ticket, error) {
	answer := r.MaxTokens
	if answer == 0 {
		answer = answerTokens
	}
	prompt := p.estimator(r.Model).Prompt(r)
	t := &ticket{model: r.Model, prompt: prompt, tokens: float64(prompt + answer), grant: make(chan verdict, 1)}
	cost, known := p.opt.Budget.Prices.Cost(r.Model, prompt+prompt/4, answer)
	if !known && p.opt.Budget.MaxCost > 0 {
		return nil, &Error{Class: OverBudget, Model: r.Model, Err: usererr.New("add the model to the price table", "the price table does not know model %q, and a cost limit is set", r.Model)}
	}
	t.cost = cost
	return t, nil
}

// acquire waits for an endpoint that may be asked now.
func (p *Pool) acquire(ctx context.Context, t *ticket) (*endpoint, error) {
	if err := ctx.Err(); err != nil {
		return nil, &Error{Class: Cancelled, Model: t.model, Err: err}
	}
	p.mu.Lock()
	p.waiting = append(p.waiting, t)
	p.dispatch()
	p.mu.Unlock()
	select {
	case v := <-t.grant:
		return v.e, v.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := slices.Index(p.waiting, t); at >= 0 {
		p.waiting = slices.Delete(p.waiting, at, at+1)
	} else if v := <-t.grant; v.e != nil { // granted in the meantime: hand it back unused
		v.e.undo(t)
		p.reserved -= t.cost
		p.dispatch()
	}
	return nil, &Error{Class: Cancelled, Model: t.model, Err: ctx.Err()}
}

// dispatch grants endpoints to waiting requests, first come first served, and sets the
// timer for when time alone will free one. p.mu is held.
func (p *Pool) dispatch() {
	now := time.Now()
	var next time.Time
	kept := p.waiting[:0]
	var blocked []string
	for _, t := range p.waiting {
		// Behind a request that waits, only those for another model can be better off;
		// the rest would be looked at in vain.
		if slices.Contains(blocked, t.model) {
			kept = append(kept, t)
			continue
		}
		v, ready, at := p.decide(t, now)
		if ready {
			t.grant <- v
			continue
		}
		blocked = append(blocked, t.model)
		kept = append(kept, t)
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	clear(p.waiting[len(kept):])
	p.waiting = kept
	if limit := p.opt.Budget.MaxTime; limit > 0 && len(p.waiting) > 0 {
		if end := p.started.Add(limit); next.IsZero() || end.Before(next) {
			next = end // so that who waits for a rate limit or a dead server learns of it
		}
	}
	if p.wake != nil {
		p.wake.Stop()
		p.wake = nil
	}
	if !next.IsZero() && len(p.waiting) > 0 {
		p.wake = time.AfterFunc(max(next.Sub(now), time.Millisecond), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.dispatch()
		})
	}
}

// decide returns the verdict on t if there is one now, else the time at which to look
// again; the zero time means when some request in flight ends. p.mu is held.
func (p *Pool) decide(t *ticket, now time.Time) (v verdict, ready bool, again time.Time) {
	if err := p.overBudget(t, now); err != nil {
		return verdict{err: err}, true, again
	}
	if p.mustWaitForBudget(t) {
		return v, false, again
	}
	var best *endpoint
	left, down := 0, 0
	for _, e := range p.endpoints {
		if e.unfit(t.model) != nil {
			continue
		}
		left++
		free, at := e.free(t, now)
		if e.breaker.open() {
			down++
		}
		if !free {
			if !at.IsZero() && (again.IsZero() || at.Before(again)) {
				again = at
			}
			continue
		}
		if best == nil || p.before(e, best, t) {
			best = e
		}
	}
	switch {
	case best != nil:
		p.grant(best, t, now)
		return verdict{e: best}, true, again
	case left == 0:
		t.final = true
		return verdict{err: p.nobodyLeft(t)}, true, again
	case down == left && !p.downSince.IsZero() && now.Sub(p.downSince) >= p.opt.GiveUp:
		t.final = true
		return verdict{err: &Error{Class: Unavailable, Model: t.model, Err: usererr.New("start the server again and run the same command: it goes on where it stopped",
			"no endpoint has answered for %s", now.Sub(p.downSince).Round(time.Second))}}, true, again
	}
	return v, false, again
}

// nobodyLeft is the failure of a request that no endpoint can serve.
func (p *Pool) nobodyLeft(t *ticket) error {
	if t.last != nil {
		return t.last
	}
	for _, e := range p.endpoints {
		if err := e.unfit(t.model); err != nil {
			return err
		}
	}
	return &Error{Class: Unavailable, Model: t.model}
}

// before reports whether e should be preferred to other: one that did not just fail the
// request, then by the weighted turns.
func (p *Pool) before(e, other *endpoint, t *ticket) bool {
	if (e == t.tried) != (other == t.tried) {
		return other == t.tried
	}
	return p.turn(e) < p.turn(other)
}

// turn is where e stands in the weighted turns. An endpoint that was away does not get
// all it missed: it lags by one turn at most.
func (p *Pool) turn(e *endpoint) float64 { return max(e.turn, p.pass-1/e.weight) + 1/e.weight }

func (p *Pool) grant(e *endpoint, t *ticket, now time.Time) {
	e.turn = p.turn(e)
	p.pass = max(p.pass, e.turn)
	e.take(t, now)
	t.tried = e
	p.reserved += t.cost
}

// release books the outcome of an attempt and frees its place; it returns the cost.
func (p *Pool) release(e *endpoint, t *ticket, a Attempt) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	prompt := a.PromptTokens
	if prompt == 0 && (a.Class == Timeout || a.Class == BadResponse) {
		prompt = t.prompt // the server read it, though it did not say so
	}
	cost, known := p.opt.Budget.Prices.Cost(a.Model, prompt, a.AnswerTokens)
	p.unpriced = p.unpriced || !known
	p.reserved -= t.cost
	p.spent += cost
	e.book(t, a, prompt, now, p)
	p.noteDown(now)
	p.dispatch()
	return cost
}

// noteDown keeps the time since which every endpoint is broken.
func (p *Pool) noteDown(now time.Time) {
	for _, e := range p.endpoints {
		if e.dead == nil && !e.breaker.open() {
			p.downSince = time.Time{}
			return
		}
	}
	if p.downSince.IsZero() {
		p.downSince = now
	}
}
