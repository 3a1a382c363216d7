package mllm

import (
	"context"
	"slices"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// queuedRequest is one request in the pool's queue, or in flight.
type queuedRequest struct {
	tokens     float64 // that it may use, by estimate
	cost       float64 // that it may cost, by estimate
	prompt     int     // prompt tokens, by estimate
	model      string
	digest     string // of the weights that must answer; "" = any
	last       error  // of the attempt before
	tried      *endpoint
	noEndpoint bool          // no endpoint can serve it any more
	grant      chan decision // capacity 1
}

type decision struct {
	e   *endpoint
	err error
}

// answerTokens is the assumed length of an answer if the request sets no limit.
const answerTokens = 512

func (p *Pool) newQueuedRequest(r Request) (*queuedRequest, error) {
	answer := r.MaxTokens
	if answer == 0 {
		answer = answerTokens
	}
	prompt := p.estimator(r.Model).Prompt(r)
	t := &queuedRequest{model: r.Model, digest: r.ModelDigest, prompt: prompt, tokens: float64(prompt + answer), grant: make(chan decision, 1)}
	cost, known := p.opt.Budget.Prices.Cost(r.Model, prompt+prompt/4, answer)
	if !known && p.opt.Budget.MaxCost > 0 {
		return nil, &Error{Class: OverBudget, Model: r.Model, Err: usererr.New("Add the model to the price table.", "the price table does not know model %q, and a cost limit is set", r.Model)}
	}
	t.cost = cost
	return t, nil
}

// acquire waits for an endpoint that may be asked now.
func (p *Pool) acquire(ctx context.Context, t *queuedRequest) (*endpoint, error) {
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
	} else if v := <-t.grant; v.e != nil { // an endpoint was granted meanwhile: give it back unused
		v.e.undo(t)
		p.reserved -= t.cost
		p.dispatch()
	}
	return nil, &Error{Class: Cancelled, Model: t.model, Err: ctx.Err()}
}

// dispatch grants endpoints to waiting requests in the order of their arrival, and sets a
// timer for the time at which a pause or a rate limit ends. p.mu is held.
func (p *Pool) dispatch() {
	now := time.Now()
	var next time.Time
	kept := p.waiting[:0]
	var blocked []string
	for _, t := range p.waiting {
		// If a request must wait, later ones for the same model must wait too.
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
			next = end // so that requests that wait then fail with OverBudget
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

// decide decides about t if that is possible now (ready), else returns the time at which to
// decide again; the zero time means: when some request in flight ends. p.mu is held.
func (p *Pool) decide(t *queuedRequest, now time.Time) (v decision, ready bool, again time.Time) {
	if err := p.overBudget(t, now); err != nil {
		return decision{err: err}, true, again
	}
	if p.mustWaitForBudget(t) {
		return v, false, again
	}
	var best *endpoint
	left, down := 0, 0
	for _, e := range p.endpoints {
		if e.cannotServe(t) != nil {
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
		return decision{e: best}, true, again
	case left == 0:
		t.noEndpoint = true
		return decision{err: p.noEndpointLeft(t)}, true, again
	case down == left && !p.allOpenSince.IsZero() && now.Sub(p.allOpenSince) >= p.opt.GiveUp:
		t.noEndpoint = true
		return decision{err: &Error{Class: Unavailable, Model: t.model, Err: usererr.New("Start the server, then start the same run again: it continues where it stopped.",
			"no endpoint has answered for %s%s", now.Sub(p.allOpenSince).Round(time.Second), p.lastWords())}}, true, again
	}
	return v, false, again
}

// lastWords is what an endpoint said last, for the error that ends a run: the server's own
// sentence tells more than that it is down. p.mu is held.
func (p *Pool) lastWords() string {
	for _, e := range p.endpoints {
		if e.last != nil {
			return "; the last failure: " + e.last.Error()
		}
	}
	return ""
}

// noEndpointLeft is the failure of a request that no endpoint can serve.
func (p *Pool) noEndpointLeft(t *queuedRequest) error {
	if t.last != nil {
		return t.last
	}
	for _, e := range p.endpoints {
		if err := e.cannotServe(t); err != nil {
			return err
		}
	}
	return &Error{Class: Unavailable, Model: t.model}
}

// before reports whether e is preferred to other: an endpoint that did not just fail the
// request is, else the one whose weighted turn comes first.
func (p *Pool) before(e, other *endpoint, t *queuedRequest) bool {
	if (e == t.tried) != (other == t.tried) {
		return other == t.tried
	}
	return p.turn(e) < p.turn(other)
}

// turn returns the virtual time of e's next turn: each request advances the turn of its
// endpoint by 1/weight, and the endpoint with the earliest turn is next. An endpoint that
// was unavailable does not catch up: its turn is at most one request behind.
func (p *Pool) turn(e *endpoint) float64 { return max(e.turn, p.pass-1/e.weight) + 1/e.weight }

func (p *Pool) grant(e *endpoint, t *queuedRequest, now time.Time) {
	e.turn = p.turn(e)
	p.pass = max(p.pass, e.turn)
	e.take(t, now)
	t.tried = e
	p.reserved += t.cost
}

// release records the outcome of an attempt, frees its place and returns its cost.
func (p *Pool) release(e *endpoint, t *queuedRequest, a Attempt) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	prompt := a.PromptTokens
	if prompt == 0 && (a.Class == Timeout || a.Class == BadResponse) {
		prompt = t.prompt // the server read the prompt, though it reported no count
	}
	cost, known := p.opt.Budget.Prices.Cost(a.Model, prompt, a.AnswerTokens)
	p.unpriced = p.unpriced || !known
	p.reserved -= t.cost
	p.spent += cost
	e.record(t, a, prompt, now, p)
	p.noteAllOpen(now)
	p.dispatch()
	return cost
}

// noteAllOpen keeps the time since which every circuit breaker has been open.
func (p *Pool) noteAllOpen(now time.Time) {
	for _, e := range p.endpoints {
		if e.unauthorized == nil && !e.breaker.open() {
			p.allOpenSince = time.Time{}
			return
		}
	}
	if p.allOpenSince.IsZero() {
		p.allOpenSince = now
	}
}
