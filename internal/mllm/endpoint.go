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

	turn         float64 // virtual time of its last turn, see Pool.turn
	inFlight     int
	pausedUntil  time.Time // the server asked to wait until then
	limited      int       // rate limits in a row, see pause
	breaker      breaker
	unauthorized error             // why its key was refused; it is not asked again
	lacks        map[weights]error // models that it does not have, with the error that said so
	last         error             // of the last attempt, if that got no answer; else nil

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
	// The limits hold at any time of the minute. Bursts are allowed of the requests of one
	// second and of the tokens of six seconds.
	e.requests = newBucket(cfg.RequestsPerMinute/60, 1, now)
	e.tokens = newBucket(cfg.TokensPerMinute/60, 6, now)
	return e
}

// weights are those that a request asks for; without a digest, whatever has the name.
type weights struct{ model, digest string }

// cannotServe returns why the endpoint cannot serve the request, or nil.
func (e *endpoint) cannotServe(t *queuedRequest) error {
	if e.unauthorized != nil {
		return e.unauthorized
	}
	if err := e.lacks[weights{model: t.model}]; err != nil {
		return err
	}
	return e.lacks[weights{t.model, t.digest}]
}

// free reports whether t may be sent now, and if not, from what time on it may be; the zero
// time means: when a request in flight ends.
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

// undo takes back a grant of which no use was made.
func (e *endpoint) undo(t *queuedRequest) {
	e.inFlight--
	e.requests.give(1)
	e.tokens.give(t.tokens)
	e.breaker.ignored()
}

// record notes the outcome of an attempt.
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
	case NotFound: // the endpoint would refuse every request for this model
		e.doesWithout(weights{model: a.Model}, a.Err)
		return
	case WrongModel:
		if t.digest != "" && holdsOtherWeights(a.Err) { // and would refuse every request for those wanted
			e.doesWithout(weights{a.Model, t.digest}, a.Err)
			return
		}
	}
	switch a.Class {
	case Server, Timeout, Network, BadResponse, WrongModel:
		e.breaker.failed(now, p.opt)
		// If the server says how long to wait, wait, whatever the failure.
		var err *Error
		if errors.As(a.Err, &err) && err.HasRetryAfter {
			e.pauseFor(err.RetryAfter, now, p)
		}
		return
	}
	e.limited = 0
	e.breaker.succeeded()
}

// doesWithout notes that the endpoint has no such weights. It works well otherwise.
func (e *endpoint) doesWithout(w weights, err error) {
	if e.lacks == nil {
		e.lacks = map[weights]error{}
	}
	e.lacks[w] = err
	e.breaker.ignored()
}

// holdsOtherWeights reports whether a failure is that the server holds other weights than
// those that are wanted under the name.
func holdsOtherWeights(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.OtherWeights
}

// pause sends no new requests for a while after a rate limit: as long as the server says,
// else for a backoff that doubles with each rate limit in a row. Rate limits that arrive
// during a pause come from requests sent before it, and do not lengthen it.
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

// pauseFor pauses for d and up to an eighth more, so that several runs that use one server do
// not resume at the same moment.
func (e *endpoint) pauseFor(d time.Duration, now time.Time, p *Pool) {
	until := now.Add(d + time.Duration(p.jitter.Int64N(int64(d)/8+1)))
	if until.After(e.pausedUntil) {
		e.pausedUntil = until
	}
}

// breaker is a circuit breaker. It is closed while the server works. After OpenAfter failures
// in a row it opens: no requests are sent. After a cooldown it is half-open: one request, the
// probe, is sent. If the probe fails, the breaker opens for twice the time, up to
// MaxCooldown; if it succeeds, the breaker closes.
type breaker struct {
	failures int       // in a row
	until    time.Time // end of the cooldown; zero while closed
	cooldown time.Duration
	probing  bool // half-open: the probe is in flight
}

func (b *breaker) open() bool { return !b.until.IsZero() }

// admits reports whether a request may be sent, and if not, when to ask again (zero: when the
// probe has returned).
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

// ignored notes an outcome that does not show whether the server works.
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

// bucket is a token bucket: it limits the requests or tokens in a time. Unlike the one of
// golang.org/x/time/rate, it takes back what a request was estimated to use and did not, and
// can go below zero when a request used more than estimated. A nil bucket has no limit.
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

// wait returns after how long n may be taken. If n is more than the bucket can hold, it may
// be taken when the bucket is full.
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
