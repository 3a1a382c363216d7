package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mllmrec/mllmrec/internal/live"
)

const eventColumns = "seq, key, user, item, type, time, weight, arm, request, received"

// Append implements live.Driver.
func (d *Driver) Append(ctx context.Context, batches [][]live.Event) (outcomes []live.Outcome, err error) {
	// For a context that can end, the driver starts a goroutine for each statement, which takes
	// longer than the statement. The wait for the lock has an end of its own.
	ctx = context.WithoutCancel(ctx)
	err = d.write(ctx, func(tx *sql.Tx) error {
		var last int64
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM events").Scan(&last); err != nil {
			return err
		}
		known, err := withKeys(ctx, tx, batches)
		if err != nil {
			return err
		}
		var fresh []live.Event
		outcomes, fresh = live.Settle(batches, known, last)
		return insertEvents(ctx, tx, fresh)
	})
	if err != nil {
		return nil, d.explain("write", err)
	}
	return outcomes, nil
}

// withKeys returns the stored events that have keys of batches.
func withKeys(ctx context.Context, tx *sql.Tx, batches [][]live.Event) (map[string]live.Event, error) {
	// The second condition has SQLite see that the index may be used.
	stmt, err := tx.PrepareContext(ctx, "SELECT "+eventColumns+" FROM events WHERE key = ? AND key <> ''")
	if err != nil {
		return nil, err
	}
	defer stmt.Close()
	known := map[string]live.Event{}
	for _, batch := range batches {
		for _, e := range batch {
			if e.Key == "" {
				continue
			}
			found, err := scanEvent(stmt.QueryRowContext(ctx, e.Key))
			switch {
			case err == nil:
				known[e.Key] = found
			case !errors.Is(err, sql.ErrNoRows):
				return nil, err
			}
		}
	}
	return known, nil
}

func insertEvents(ctx context.Context, tx *sql.Tx, fresh []live.Event) error {
	stmt, err := tx.PrepareContext(ctx, "INSERT INTO events ("+eventColumns+") VALUES (?,?,?,?,?,?,?,?,?,?)")
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, e := range fresh {
		var at, weight any
		if !e.Time.IsZero() {
			at = e.Time.UnixMicro()
		}
		if e.Weight != nil {
			weight = *e.Weight
		}
		if _, err := stmt.ExecContext(ctx, e.Seq, e.Key, e.User, e.Item, string(e.Type), at, weight, e.Arm, e.Request, e.Received.UnixMicro()); err != nil {
			return err
		}
	}
	for _, c := range live.Tally(fresh) {
		if _, err := tx.ExecContext(ctx, "INSERT INTO event_counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n", c.Arm, string(c.Type), c.Events); err != nil {
			return err
		}
	}
	return nil
}

type scanner interface{ Scan(into ...any) error }

func scanEvent(row scanner) (e live.Event, err error) {
	var kind string
	var at sql.NullInt64
	var weight sql.NullFloat64
	var received int64
	if err := row.Scan(&e.Seq, &e.Key, &e.User, &e.Item, &kind, &at, &weight, &e.Arm, &e.Request, &received); err != nil {
		return e, err
	}
	e.Type, e.Received = live.EventType(kind), moment(received)
	if at.Valid {
		e.Time = moment(at.Int64)
	}
	if weight.Valid {
		e.Weight = &weight.Float64
	}
	return e, nil
}

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// Events implements live.Driver.
func (d *Driver) Events(ctx context.Context, after int64, limit int) ([]live.Event, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT "+eventColumns+" FROM events WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
	all, err := collect(rows, err, scanEvent)
	return all, d.explain("read", err)
}

// CountEvents implements live.Driver.
func (d *Driver) CountEvents(ctx context.Context) ([]live.EventCount, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT arm, type, n FROM event_counts ORDER BY arm, type")
	all, err := collect(rows, err, func(row scanner) (c live.EventCount, err error) {
		err = row.Scan(&c.Arm, (*string)(&c.Type), &c.Events)
		return c, err
	})
	return all, d.explain("read", err)
}

// collect reads all rows of a query.
func collect[T any](rows *sql.Rows, err error, one func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := one(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
