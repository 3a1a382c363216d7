// Package postgres keeps the live state of a shop in PostgreSQL, so that several replicas serve
// the same state. All tables are in the schema mllmrec; one database holds one shop.
//
// A call that fails because the database restarts or cannot be reached is not tried for long:
// whoever serves answers from memory and says that it cannot store. Once the database is back,
// calls succeed again.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Driver is a live.Driver.
type Driver struct{ pool *pgxpool.Pool }

var _ live.Driver = (*Driver)(nil)

// Open opens the store in the database at a postgres:// address and makes or upgrades the tables.
// See [pg.Connect] for the address. A database holds one shop: the first shop that is named is
// written down, and one of another name is refused.
func Open(ctx context.Context, address, shop string) (*live.Store, error) {
	d, err := open(ctx, address, shop)
	if err != nil {
		return nil, err
	}
	return live.New(d), nil
}

func open(ctx context.Context, address, shop string) (*Driver, error) {
	pool, err := pg.Connect(ctx, address)
	if err != nil {
		if pg.Transient(err) {
			return nil, live.Passing(err)
		}
		return nil, err
	}
	d := &Driver{pool: pool}
	err = pg.Retry(ctx, openFor, func(ctx context.Context) error { return pg.Migrate(ctx, pool, component, migrations) })
	if err == nil {
		err = d.claim(ctx, shop)
	}
	if err != nil {
		pool.Close()
		return nil, explain("open", err)
	}
	return d, nil
}

// openFor is how long the tables are asked for while the database restarts.
const openFor = 30 * time.Second

// claim writes the name of the shop down, or compares it with the one that is there.
func (d *Driver) claim(ctx context.Context, shop string) error {
	var there string
	err := d.pool.QueryRow(ctx, "SELECT shop FROM mllmrec.live_state").Scan(&there)
	if err == nil && there == "" && shop != "" {
		err = d.pool.QueryRow(ctx, "UPDATE mllmrec.live_state SET shop = CASE shop WHEN '' THEN $1 ELSE shop END RETURNING shop", shop).Scan(&there)
	}
	if err == nil && there != shop && shop != "" {
		return usererr.New("Give each shop a database of its own.", "the database holds the live state of the shop %.60q, this one is %.60q", there, shop)
	}
	return err
}

// explain adds to err what failed, whether it may pass, and for faults of the database a hint.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s the live state in PostgreSQL: %w", doing, err)
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e) && e.Code == "42501":
		return usererr.Wrap(err, "Give the user the rights on schema mllmrec.")
	case errors.As(err, &e) && strings.HasPrefix(e.Code, "53"):
		return live.Passing(usererr.Wrap(err, "The database is out of disk, memory or connections. All that was acknowledged is kept."))
	case pg.Transient(err), errors.Is(err, context.DeadlineExceeded):
		return live.Passing(usererr.Wrap(err, "Check that the database runs and can be reached. All that was acknowledged is kept."))
	}
	return err
}

// attemptFor bounds one try of a call, so that a connection that hangs does not block the caller.
const attemptFor = 20 * time.Second

// tries is how often a call is begun whose connection turns out to be dead: a restart leaves
// the pool full of those.
const tries = 3

// again calls f until it does not fail for a dead connection. Where f says that it sent a commit,
// nobody knows what became of it, and it is not begun again.
func (d *Driver) again(ctx context.Context, f func(ctx context.Context) (sent bool, err error)) error {
	for try := 1; ; try++ {
		bounded, cancel := context.WithTimeout(ctx, attemptFor)
		sent, err := f(bounded)
		cancel()
		if err == nil || sent || try == tries || ctx.Err() != nil || !pg.Transient(err) {
			return err
		}
		d.pool.Reset()
	}
}

// read calls f with something to query, again if a connection is dead.
func (d *Driver) read(ctx context.Context, f func(ctx context.Context) error) error {
	return explain("read", d.again(ctx, func(ctx context.Context) (bool, error) { return false, f(ctx) }))
}

// write calls f in a transaction.
func (d *Driver) write(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	return d.again(ctx, func(ctx context.Context) (sent bool, err error) {
		tx, err := d.pool.Begin(ctx)
		if err != nil {
			return false, err
		}
		if err := f(ctx, tx); err != nil {
			tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // on a connection that is gone the server does it
			return false, err
		}
		return true, tx.Commit(ctx)
	})
}

// byIndex has a transaction find rows by their keys. Of a table that grew since the database last
// looked at it, it would rather read all: what took 0.4 ms took 9 after 20,000 events. Where it
// must read all after all, that is never worth a compilation.
const byIndex = "SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"

// Last implements live.Driver.
func (d *Driver) Last(ctx context.Context) (event, change int64, err error) {
	err = d.read(ctx, func(ctx context.Context) error {
		return d.pool.QueryRow(ctx, "SELECT (SELECT seq FROM mllmrec.live_events_last), (SELECT changes FROM mllmrec.live_state)").Scan(&event, &change)
	})
	return event, change, err
}

// Close implements live.Driver.
func (d *Driver) Close() error {
	d.pool.Close()
	return nil
}
