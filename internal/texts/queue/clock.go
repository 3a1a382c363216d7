package queue

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// databaseClock tells the time of the database by this machine's clock and how far that is
// off. River writes when a chunk may be taken again by the worker's clock, and takes chunks
// by the database's: a worker whose clock is ahead would delay what it hands back by as much,
// for all workers. Every worker of a queue therefore goes by the one clock that they share.
type databaseClock struct {
	local func() time.Time
	ahead atomic.Int64 // nanoseconds that the database is ahead of local; negative: behind
}

// Now implements rivertype.TimeGenerator. Like time.Now it has a monotonic reading.
func (c *databaseClock) Now() time.Time {
	return c.local().Add(time.Duration(c.ahead.Load()))
}

// NowOrNil implements rivertype.TimeGenerator: where River can, it has the database say now().
func (*databaseClock) NowOrNil() *time.Time { return nil }

// goodEnough is the difference below which clocks are left alone: it is in the order of the time that
// the question takes.
const goodEnough = 100 * time.Millisecond

// compare asks the database for the time, and returns how far it is ahead of this machine.
// Half of the time that the answer takes is what it may be wrong by.
func (c *databaseClock) compare(ctx context.Context, pool *pgxpool.Pool) (time.Duration, error) {
	before := c.local()
	var at time.Time
	if err := pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&at); err != nil {
		return 0, fmt.Errorf("ask the database for the time: %w", err)
	}
	took := c.local().Sub(before)
	ahead := at.Sub(before.Add(took / 2))
	if was := time.Duration(c.ahead.Load()); (ahead - was).Abs() > max(goodEnough, took) {
		c.ahead.Store(int64(ahead))
	}
	return time.Duration(c.ahead.Load()), nil
}
