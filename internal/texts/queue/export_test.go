package queue

import (
	"time"

	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
)

// SetPause sets how long a worker that cannot reach its model keeps a chunk.
func SetPause(d time.Duration) { pauseAfterFailure = d }

// Store returns the ledger that the workers' answers are stored in.
func (c *Coordinator) Store() *postgres.Store { return c.store }
