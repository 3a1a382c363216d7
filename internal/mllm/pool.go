package mllm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// EndpointConfig is one server of a Pool, with the limits of its use.
type EndpointConfig struct {
	Client Client
	// Weight is the share of requests that this endpoint gets while several are free; 0 means 1.
	Weight            float64
	Concurrency       int     // requests in flight; 0 means 4
	RequestsPerMinute float64 // 0 means no limit
	TokensPerMinute   float64 // prompt and answer together; 0 means no limit
}

// PoolOptions configure a Pool. The zero value of each field means its default.
type PoolOptions struct {
	// Attempts is how often one request is sent before its failure is final; 6. An attempt
	// that ends in a rate limit counts as a fifth.
	Attempts   int
	Backoff    time.Duration // before the second attempt, doubled for each further one; 500 ms
	MaxBackoff time.Duration // 30 s
	// Grace is how long requests in flight may go on after their context is cancelled; 30 s.
	Grace time.Duration
	// OpenAfter is the number of failures in a row after which an endpoint's circuit breaker
	// opens; 10. While it is open the endpoint gets no requests. After Cooldown (5 s) it is
	// half-open: a single request is sent. If that fails, the breaker opens again for twice
	// the time, up to MaxCooldown (2 min); if it succeeds, the breaker closes.
	OpenAfter   int
	Cooldown    time.Duration
	MaxCooldown time.Duration
	// GiveUp is how long the circuit breakers of all endpoints may be open before requests
	// fail at once, as Unavailable, instead of waiting; 15 min.
	GiveUp    time.Duration
	Budget    Budget
	Seed      uint64        // of the random part of pauses
	OnAttempt func(Attempt) // called after each attempt, from the goroutine of its request
}

func (o PoolOptions) withDefaults() PoolOptions {
	duration := func(v *time.Duration, to time.Duration) {
		if *v == 0 {
			*v = to
		}
	}
	duration(&o.Backoff, 500*time.Millisecond)
	duration(&o.MaxBackoff, 30*time.Second)
	duration(&o.Grace, 30*time.Second)
	duration(&o.Cooldown, 5*time.Second)
	duration(&o.MaxCooldown, 2*time.Minute)
	duration(&o.GiveUp, 15*time.Minute)
	if o.Attempts == 0 {
		o.Attempts = 6
	}
	if o.OpenAfter == 0 {
		o.OpenAfter = 10
	}
	return o
}

// Attempt is one request sent to one endpoint, for progress and logs.
type Attempt struct {
	Endpoint     string
	Model        string
	Number       int   // 1 for the first attempt of a request
	Class        Class // "" for an answer
	Err          error
	PromptTokens int
	AnswerTokens int
	Cost         float64 // in the price table's currency
	Seconds      float64
}

// Pool is a Client that spreads requests over several other clients: by weight, within the
// limits of each, away from those that fail, and within a budget.
//
// When the context of a request is cancelled, a request that waits returns at once. A
// request in flight has PoolOptions.Grace to finish, and its answer is returned as usual,
// since it is paid for.
type Pool struct {
	opt     PoolOptions
	started time.Time

	mu           sync.Mutex
	endpoints    []*endpoint
	waiting      []*queuedRequest
	pass         float64 // virtual time of the weighted turns, see turn
	wake         *time.Timer
	allOpenSince time.Time // since when all circuit breakers have been open; zero while one is closed
	spent        float64
	reserved     float64 // by requests in flight
	unpriced     bool
	jitter       *rand.Rand

	estimators sync.Map // model name to *Estimator
}

var _ Client = (*Pool)(nil)

// NewPool returns a Pool over the endpoints.
func NewPool(endpoints []EndpointConfig, opt PoolOptions) (*Pool, error) {
	if len(endpoints) == 0 {
		return nil, usererr.New("Give at least one base URL.", "no endpoint to send requests to")
	}
	if opt.Budget.MaxCost < 0 || opt.Budget.MaxTime < 0 {
		return nil, usererr.New("Leave it out for no limit.", "the budget is negative")
	}
	if opt.Budget.MaxCost > 0 && opt.Budget.Prices == nil {
		return nil, usererr.New("Give a price table.", "a cost limit needs prices")
	}
	p := &Pool{opt: opt.withDefaults(), started: time.Now(), jitter: rand.New(rand.NewPCG(opt.Seed, 0x706f6f6c))}
	for _, cfg := range endpoints {
		if cfg.Weight < 0 || cfg.Concurrency < 0 || cfg.RequestsPerMinute < 0 || cfg.TokensPerMinute < 0 {
			return nil, usererr.New("Weights and limits are positive numbers.", "endpoint %s: a negative weight or limit", cfg.Client.Endpoint())
		}
		p.endpoints = append(p.endpoints, newEndpoint(cfg, p.started))
	}
	return p, nil
}

// Endpoint names the pool's endpoints.
func (p *Pool) Endpoint() string {
	if len(p.endpoints) == 1 {
		return p.endpoints[0].client.Endpoint()
	}
	return fmt.Sprintf("%d endpoints", len(p.endpoints))
}

// Capacity is how many requests may be in flight at a time, over all endpoints.
func (p *Pool) Capacity() int {
	n := 0
	for _, e := range p.endpoints {
		n += e.limit
	}
	return n
}

// Generate implements Client. It sends a request again after a failure that may pass, to
// another endpoint if one is free; a failure that the request or the answer is to blame
// for is returned.
func (p *Pool) Generate(ctx context.Context, r Request) (Response, error) {
	q, err := p.newQueuedRequest(r)
	if err != nil {
		return Response{}, err
	}
	var resp Response
	retry := Retry{Attempts: p.opt.Attempts, Backoff: p.opt.Backoff, MaxBackoff: p.opt.MaxBackoff, Jitter: p.varyPause}
	err = retry.Do(ctx, func(number int) (Next, error) {
		sent := resp.Attempts
		var err error
		resp, err = p.attempt(ctx, q, r, number)
		class := ClassOf(err)
		if class == Unavailable || class == OverBudget || class == Cancelled || q.noEndpoint {
			resp.Attempts = sent
			if q.last != nil && class != Cancelled && class != OverBudget {
				err = q.last // the failure before says more than that no endpoint is left
			}
			return GiveUp, err
		}
		resp.Attempts = max(resp.Attempts, 1) + sent
		q.last = err
		return nextAttempt(class, q.digest != "" && holdsOtherWeights(err)), err
	})
	if classified := new(Error); err != nil && !errors.As(err, &classified) { // ctx ended during a pause
		err = &Error{Class: Cancelled, Model: r.Model, Err: err}
	}
	return resp, err
}

// nextAttempt says what follows an attempt that failed, of the given class; otherWeights says that
// the endpoint holds others than those wanted.
func nextAttempt(class Class, otherWeights bool) Next {
	switch {
	case class == RateLimit:
		return AfterRateLimit // the pool pauses the endpoint, not the request
	case class == NotFound, class == Auth, otherWeights:
		return Elsewhere // another endpoint may have the model, or know the key
	case class.Transient():
		return AfterBackoff
	}
	return GiveUp
}

// attempt waits for an endpoint and asks it once.
func (p *Pool) attempt(ctx context.Context, t *queuedRequest, r Request, number int) (Response, error) {
	e, err := p.acquire(ctx, t)
	if err != nil {
		return Response{}, err
	}
	start := time.Now()
	resp, err := p.ask(ctx, e, r)
	// Set it even when there is no answer.
	resp.Endpoint = e.client.Endpoint()
	a := Attempt{Endpoint: resp.Endpoint, Model: r.Model, Number: number, Class: ClassOf(err), Err: err,
		PromptTokens: resp.PromptTokens, AnswerTokens: resp.AnswerTokens, Seconds: time.Since(start).Seconds()}
	a.Cost = p.release(e, t, a)
	if p.opt.OnAttempt != nil {
		p.opt.OnAttempt(a)
	}
	if err == nil {
		p.estimator(r.Model).Observe(r, resp.PromptTokens)
	}
	return resp, err
}

// ask sends the request with a context that ends a grace period after ctx.
func (p *Pool) ask(ctx context.Context, e *endpoint, r Request) (Response, error) {
	call, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(p.opt.Grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-call.Done():
		}
	})
	defer stop()
	resp, err := e.client.Generate(call, r)
	if err != nil && ClassOf(err) == "" {
		err = &Error{Class: BadResponse, Endpoint: e.client.Endpoint(), Model: r.Model, Err: err}
	}
	if ctx.Err() != nil && ClassOf(err).Transient() {
		err = &Error{Class: Cancelled, Endpoint: e.client.Endpoint(), Model: r.Model, Err: err}
	}
	return resp, err
}

// varyPause makes up to half of a pause random, so that requests that failed together do
// not come back together.
func (p *Pool) varyPause(d time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return d/2 + time.Duration(p.jitter.Int64N(int64(d/2)+1))
}

func (p *Pool) estimator(model string) *Estimator {
	if e, ok := p.estimators.Load(model); ok {
		return e.(*Estimator)
	}
	picture, _ := p.opt.Budget.Prices.PictureTokens(model)
	e, _ := p.estimators.LoadOrStore(model, &Estimator{PerImage: picture})
	return e.(*Estimator)
}
