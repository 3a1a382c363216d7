package mllm

import (
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Budget limits the cost and the time of a run. When it is used up, requests in flight finish
// and every further one fails with class OverBudget. The pool reserves what the requests in
// flight may cost (their longest answer, and their estimated prompt and a quarter more), so
// that the cost limit is exceeded only if prompts are longer than that.
type Budget struct {
	MaxCost float64       // in the currency of Prices; 0 means no limit
	MaxTime time.Duration // since NewPool; 0 means no limit
	Prices  *PriceTable   // nil: requests cost nothing, and MaxCost is refused
}

// overBudget returns the error that t fails with if it exceeds the budget. p.mu is held.
func (p *Pool) overBudget(t *queuedRequest, now time.Time) error {
	b := p.opt.Budget
	if b.MaxTime > 0 && now.Sub(p.started) >= b.MaxTime {
		return &Error{Class: OverBudget, Model: t.model, Err: usererr.New("Every answer is stored. Start the same run again to continue.", "the time limit of %s is reached", b.MaxTime)}
	}
	if b.MaxCost > 0 && t.cost > b.MaxCost {
		return &Error{Class: OverBudget, Model: t.model, Err: usererr.New("Raise the limit.",
			"the cost limit of %g %s is too low: one request may cost %.4f", b.MaxCost, b.Prices.Currency, t.cost)}
	}
	if b.MaxCost > 0 && p.spent+t.cost > b.MaxCost {
		return &Error{Class: OverBudget, Model: t.model, Err: usererr.New("Every paid answer is stored. Start the same run again to continue: it counts the cost from zero.",
			"the cost limit of %g %s is reached: %.4f is spent and the next request may cost %.4f", b.MaxCost, b.Prices.Currency, p.spent, t.cost)}
	}
	return nil
}

// mustWaitForBudget reports whether t is within the budget only if requests in flight cost
// less than is reserved for them. p.mu is held.
func (p *Pool) mustWaitForBudget(t *queuedRequest) bool {
	b := p.opt.Budget
	return b.MaxCost > 0 && p.inFlight() > 0 && p.spent+p.reserved+t.cost > b.MaxCost
}

func (p *Pool) inFlight() int {
	n := 0
	for _, e := range p.endpoints {
		n += e.inFlight
	}
	return n
}
