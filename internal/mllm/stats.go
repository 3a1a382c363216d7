package mllm

import (
	"maps"
	"time"
)

// EndpointStats counts what one endpoint did.
type EndpointStats struct {
	Endpoint     string        `json:"endpoint"`
	State        string        `json:"state"` // ready | paused | open (its circuit breaker is open) | dead (never asked again)
	InFlight     int           `json:"in_flight"`
	Attempts     int           `json:"attempts"`
	Answers      int           `json:"answers"`
	Failures     map[Class]int `json:"failures,omitempty"`
	PromptTokens int64         `json:"prompt_tokens"`
	AnswerTokens int64         `json:"answer_tokens"`
	Seconds      float64       `json:"seconds"` // sum over attempts
	// LastError is the error of the last attempt, if that got no answer; else "".
	LastError string `json:"last_error,omitempty"`
	// Notes say what the client learnt of the server, and does differently since.
	Notes []string `json:"notes,omitempty"`
}

func (s *EndpointStats) add(a Attempt) {
	s.Attempts++
	s.PromptTokens += int64(a.PromptTokens)
	s.AnswerTokens += int64(a.AnswerTokens)
	s.Seconds += a.Seconds
	if a.Class == "" {
		s.Answers++
		return
	}
	if s.Failures == nil {
		s.Failures = map[Class]int{}
	}
	s.Failures[a.Class]++
}

// PoolStats counts what a pool did.
type PoolStats struct {
	Endpoints    []EndpointStats `json:"endpoints"`
	Waiting      int             `json:"waiting"`
	InFlight     int             `json:"in_flight"`
	Attempts     int             `json:"attempts"`
	Answers      int             `json:"answers"`
	Failures     map[Class]int   `json:"failures,omitempty"`
	PromptTokens int64           `json:"prompt_tokens"`
	AnswerTokens int64           `json:"answer_tokens"`
	Cost         float64         `json:"cost"`
	Currency     string          `json:"currency,omitempty"`
	// Unpriced says that some model has no price, so that Cost is too low.
	Unpriced bool `json:"unpriced,omitempty"`
}

// Stats returns the counts so far.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PoolStats{Waiting: len(p.waiting), InFlight: p.inFlight(), Failures: map[Class]int{}, Cost: p.spent, Unpriced: p.unpriced}
	if p.opt.Budget.Prices != nil {
		s.Currency = p.opt.Budget.Prices.Currency
	}
	for _, e := range p.endpoints {
		one := e.stats
		one.Endpoint, one.InFlight, one.State = e.client.Endpoint(), e.inFlight, e.state(time.Now())
		one.Failures = maps.Clone(one.Failures)
		if e.last != nil {
			one.LastError = e.last.Error()
		}
		if c, ok := e.client.(interface{ Notes() []string }); ok {
			one.Notes = c.Notes()
		}
		s.Endpoints = append(s.Endpoints, one)
		s.Attempts += one.Attempts
		s.Answers += one.Answers
		s.PromptTokens += one.PromptTokens
		s.AnswerTokens += one.AnswerTokens
		for class, n := range one.Failures {
			s.Failures[class] += n
		}
	}
	return s
}

func (e *endpoint) state(now time.Time) string {
	switch {
	case e.unauthorized != nil, len(e.lacks) > 0 && e.stats.Answers == 0:
		return "dead"
	case e.breaker.open():
		return "open"
	case e.pausedUntil.After(now):
		return "paused"
	}
	return "ready"
}
