package mllm

import (
	"errors"
	"time"
)

// endpoint is one server of a pool. The pool's mutex guards it.
type endpoint struct {
	client   Client
	weight   float64
	limit    int
	requests *bucket
	tokens   *bucket

	turn         float64 // in the weighted turns
	inFlight     int
	pausedUntil  time.Time // asked for by the server
	limited      int       // rate limits in a row
	breaker      breaker
	unauthorized error            // never to be asked again: its key is wrong
	lacks        map[string]error // models that it does not have
	last         error            // how the last attempt failed on the way to its answer; nil after one that did not

	stats EndpointStats
}

func newEndpoint(cfg EndpointConfig, now time.Time) *endpoint {
	e := &endpoint{client: cfg.Client, weight: cfg.Weight, limit: cfg.Concurrency}
	if e.weight == 0 {
		e.weight = 1
	}
	if e.limit == 0 {
		e.limit = 4
	}
	// A minute's allowance is spread over the minute: bursts of a second of requests,
	// and of six seconds of tokens, are let through.
	e.requests = newBucket(cfg.RequestsPerMinute/60, 1, now)
	e.tokens = newBucket(cfg.TokensPerMinute/60, 6, now)
	return e
}

// unfit returns why the endpoint is of no use for the model, or nil.
func (e *endpoint) cannotServe(model string) error {
	if e.unauthorized != nil {
		return e.unauthorized
	}
	return e.lacks[model]
}

// free reports whether t may be sent now; if only time is in the way, when it may be.
func (e *endpoint) free(t *queuedRequest, now time.Time) (bool, time.Time) {
	if ok, at := e.breaker.admits(now); !ok {
		return false, at
	}
	if e.inFlight >= e.limit {
		return false, time.Time{}
	}
	at := now.Add(max(e.requests.wait(now, 1), e.tokens.wait(now, t.tokens)))
	if e.pausedUntil.After(at) {
		at = e.pausedUntil
	}
	return !at.After(now), at
}

func (e *endpoint) take(t *queuedRequest, now time.Time) {
	e.inFlight++
	e.requests.take(now, 1)
	e.tokens.take(now, t.tokens)
	e.breaker.sent()
}

// undo takes back a grant that was not used.
func (e *endpoint) undo(t *queuedRequest) {
	e.inFlight--
	e.requests.give(1)
	e.tokens.give(t.tokens)
	e.breaker.ignored()
}

// book records the outcome of an attempt.
func (e *endpoint) record(t *queuedRequest, a Attempt, prompt int, now time.Time, p *Pool) {
	e.inFlight--
	e.tokens.give(t.tokens - float64(prompt+a.AnswerTokens))
	e.stats.add(a)
	switch a.Class {
	case RateLimit, Auth, NotFound, Server, Timeout, Network, BadResponse, WrongModel:
		e.last = a.Err
	case Cancelled:
	default:
		e.last = nil
	}
	switch a.Class {
	case RateLimit:
		e.breaker.ignored()
		e.pause(a.Err, now, p)
		return
	case Cancelled:
		e.breaker.ignored()
		return
	case Auth:
		e.unauthorized = a.Err
		return
	case NotFound: // it would say so to every request
		if e.lacks == nil {
			e.lacks = map[string]error{}
		}
		e.lacks[a.Model] = a.Err
		e.breaker.ignored()
		return
	case Server, Timeout, Network, BadResponse, WrongModel:
		e.breaker.failed(now, p.opt)
		// A server that says when to come back is believed, whatever the failure.
		var err *Error
		if errors.As(a.Err, &err) && err.HasRetryAfter {
			e.pauseFor(err.RetryAfter, now, p)
		}
		return
	}
	e.limited = 0
	e.breaker.succeeded()
}

// pause stops new requests after a rate limit: as long as the server says, else for a
// backoff that doubles with each limit in a row. Limits that arrive during a pause come
// from requests sent before it and count as one.
func (e *endpoint) pause(err error, now time.Time, p *Pool) {
	var m *Error
	if errors.As(err, &m) && m.HasRetryAfter {
		e.pauseFor(m.RetryAfter, now, p)
		return
	}
	if e.pausedUntil.After(now) {
		return
	}
	d := Doubled(p.opt.Backoff, p.opt.MaxBackoff, e.limited)
	e.limited++
	e.pauseFor(d, now, p)
}

// pauseFor pauses for d and up to an eighth more, so that several runs against one
// server do not come back together.
func (e *endpoint) pauseFor(d time.Duration, now time.Time, p *Pool) {
	until := now.Add(d + time.Duration(p.jitter.Int64N(int64(d)/8+1)))
	if until.After(e.pausedUntil) {
		e.pausedUntil = until
	}
}

// breaker stops requests to a server that fails every one of them.
type breaker struct {
	failures int       // failures in a row
	until    time.Time // when open: the end of the pause
	cooldown time.Duration
	probing  bool // one request is out to see whether the server is back
}

func (b *breaker) open() bool { return !b.until.IsZero() }

// admits reports whether a request may be sent; if not, when to look again (zero: when
// the probe is back).
func (b *breaker) admits(now time.Time) (bool, time.Time) {
	switch {
	case !b.open():
		return true, time.Time{}
	case b.probing:
		return false, time.Time{}
	}
	return !now.Before(b.until), b.until
}

func (b *breaker) sent() {
	if b.open() {
		b.probing = true
	}
}

// skipped is an outcome that says nothing of the server's health.
func (b *breaker) ignored() { b.probing = false }

func (b *breaker) succeeded() { *b = breaker{} }

func (b *breaker) failed(now time.Time, opt PoolOptions) {
	b.failures++
	switch {
	case b.probing:
		b.probing = false
		b.cooldown = min(2*b.cooldown, opt.MaxCooldown)
		b.until = now.Add(b.cooldown)
	case !b.open() && b.failures >= opt.OpenAfter:
		b.cooldown = opt.Cooldown
		b.until = now.Add(b.cooldown)
	}
}

// bucket meters requests or tokens over time. Unlike a plain rate limiter it takes back
// what a request did not use, and may be overdrawn by one that used more than estimated.
// A nil bucket has no limit.
type bucket struct {
	rate  float64 // a second
	size  float64
	level float64
	at    time.Time
}

func newBucket(rate, seconds float64, now time.Time) *bucket {
	if rate == 0 {
		return nil
	}
	size := max(1, rate*seconds)
	return &bucket{rate: rate, size: size, level: size, at: now}
}

func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.at).Seconds(); d > 0 {
		b.level, b.at = min(b.size, b.level+d*b.rate), now
	}
}

// wait returns how long until n may be taken. More than the bucket holds may be taken
// when it is full.
func (b *bucket) wait(now time.Time, n float64) time.Duration {
	if b == nil {
		return 0
	}
	b.fill(now)
	lacking := min(n, b.size) - b.level
	if lacking <= 1e-9 {
		return 0
	}
	return time.Duration(lacking / b.rate * float64(time.Second))
}

func (b *bucket) take(now time.Time, n float64) {
	if b != nil {
		b.fill(now)
		b.level -= n
	}
}

// give puts n back; a negative n takes more.
func (b *bucket) give(n float64) {
	if b != nil {
		b.level = min(b.size, b.level+n)
	}
}
