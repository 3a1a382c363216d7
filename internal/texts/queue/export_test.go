package queue

import (
	"time"

	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
)

// SetPause sets how long a worker that cannot reach its model keeps a chunk.
func SetPause(d time.Duration) { pauseAfterFailure = d }

// Store returns the ledger that the workers' answers are stored in.
func (c *Coordinator) Store() *postgres.Store { return c.store }

// WithClock is opt on a machine whose clock is ahead of the right time.
func WithClock(opt WorkerOptions, ahead time.Duration) WorkerOptions {
	opt.now = func() time.Time { return time.Now().Add(ahead) }
	return opt
}
