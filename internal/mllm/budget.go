package mllm

import (
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Budget stops a run. When it is used up, requests in flight finish and every further
// one fails with class OverBudget. What the requests in flight may cost (their longest
// answer, their prompt as estimated and a quarter more) is set aside for them, so the
// cost limit is overrun only by as much as prompts were estimated too low.
type Budget struct {
	MaxCost float64       // in the currency of Prices; 0 means no limit
	MaxTime time.Duration // since NewPool; 0 means no limit
	Prices  *PriceTable   // nil: nothing costs anything, and a MaxCost is refused
}

// overBudget returns the error that t fails with if the budget cannot bear it. p.mu is held.
func (p *Pool) overBudget(t *queuedRequest, now time.Time) error {
	b := p.opt.Budget
	if b.MaxTime > 0 && now.Sub(p.started) >= b.MaxTime {
		return &Error{Class: OverBudget, Model: t.model, Err: usererr.New("Every answer is kept; run the same command again to go on.", "the time limit of %s is reached", b.MaxTime)}
	}
	if b.MaxCost > 0 && t.cost > b.MaxCost {
		return &Error{Class: OverBudget, Model: t.model, Err: usererr.New("Raise the limit.",
			"the cost limit of %g %s is too low: one request may cost %.4f", b.MaxCost, b.Prices.Currency, t.cost)}
	}
	if b.MaxCost > 0 && p.spent+t.cost > b.MaxCost {
		return &Error{Class: OverBudget, Model: t.model, Err: usererr.New("Every answer paid for is kept; run the same command again to go on, with the limit counting anew.",
			"the cost limit of %g %s is reached: %.4f is spent and the next request may cost %.4f", b.MaxCost, b.Prices.Currency, p.spent, t.cost)}
	}
	return nil
}

// mustWaitForBudget reports whether t fits only if requests in flight cost less than set
// aside for them. p.mu is held.
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
