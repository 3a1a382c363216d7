package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mllmrec/mllmrec/internal/live"
)

const eventColumns = `seq, key, "user", item, type, time, weight, arm, request, received`

// Append implements live.Driver.
func (d *Driver) Append(ctx context.Context, batches [][]live.Event) (outcomes []live.Outcome, err error) {
	keys := keysOf(batches)
	err = d.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		last, known, err := lockEvents(ctx, tx, keys)
		if err != nil {
			return err
		}
		var fresh []live.Event
		outcomes, fresh = live.Settle(batches, known, last)
		return insertEvents(ctx, tx, fresh)
	})
	if err != nil {
		return nil, explain("write", err)
	}
	return outcomes, nil
}

func keysOf(batches [][]live.Event) []string {
	var keys []string
	for _, batch := range batches {
		for _, e := range batch {
			if e.Key != "" {
				keys = append(keys, e.Key)
			}
		}
	}
	return keys
}

// lockEvents locks out other writers of events, and then returns the number of the last event
// and those that have one of keys.
func lockEvents(ctx context.Context, tx pgx.Tx, keys []string) (last int64, known map[string]live.Event, err error) {
	known = map[string]live.Event{}
	batch := &pgx.Batch{}
	batch.Queue(byIndex)
	batch.Queue("SELECT seq FROM mllmrec.live_events_last WHERE one FOR UPDATE").QueryRow(func(row pgx.Row) error { return row.Scan(&last) })
	if len(keys) > 0 {
		batch.Queue("SELECT "+eventColumns+" FROM mllmrec.live_event WHERE key = ANY ($1) AND key <> ''", keys).Query(func(rows pgx.Rows) error {
			events, err := pgx.CollectRows(rows, scanEvent)
			for _, e := range events {
				known[e.Key] = e
			}
			return err
		})
	}
	return last, known, tx.SendBatch(ctx, batch).Close()
}

func insertEvents(ctx context.Context, tx pgx.Tx, fresh []live.Event) error {
	if len(fresh) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO mllmrec.live_event (`+eventColumns+`) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[],
		$5::text[], $6::timestamptz[], $7::float8[], $8::text[], $9::text[], $10::timestamptz[])`, eventArrays(fresh)...)
	batch.Queue("UPDATE mllmrec.live_events_last SET seq = $1 WHERE one", fresh[len(fresh)-1].Seq)
	for _, c := range live.Tally(fresh) {
		batch.Queue(`INSERT INTO mllmrec.live_event_count AS old (arm, type, n) VALUES ($1, $2, $3)
			ON CONFLICT (arm, type) DO UPDATE SET n = old.n + excluded.n`, c.Arm, string(c.Type), c.Events)
	}
	return tx.SendBatch(ctx, batch).Close()
}

// eventArrays turns events into columns.
func eventArrays(events []live.Event) []any {
	n := len(events)
	seq, received := make([]int64, n), make([]time.Time, n)
	at, weight := make([]*time.Time, n), make([]*float64, n)
	var texts [6][]string
	for i := range texts {
		texts[i] = make([]string, n)
	}
	for i := range events {
		e := &events[i]
		seq[i], received[i], weight[i] = e.Seq, e.Received, e.Weight
		if !e.Time.IsZero() {
			at[i] = &e.Time
		}
		for j, s := range []string{e.Key, e.User, e.Item, string(e.Type), e.Arm, e.Request} {
			texts[j][i] = s
		}
	}
	return []any{seq, texts[0], texts[1], texts[2], texts[3], at, weight, texts[4], texts[5], received}
}

func scanEvent(row pgx.CollectableRow) (e live.Event, err error) {
	var at *time.Time
	err = row.Scan(&e.Seq, &e.Key, &e.User, &e.Item, (*string)(&e.Type), &at, &e.Weight, &e.Arm, &e.Request, &e.Received)
	e.Received = e.Received.UTC()
	if at != nil {
		e.Time = at.UTC()
	}
	return e, err
}

// Events implements live.Driver.
func (d *Driver) Events(ctx context.Context, after int64, limit int) (all []live.Event, err error) {
	err = d.read(ctx, func(ctx context.Context) error {
		rows, err := d.pool.Query(ctx, "SELECT "+eventColumns+" FROM mllmrec.live_event WHERE seq > $1 ORDER BY seq LIMIT $2", after, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scanEvent)
		return err
	})
	return all, err
}

// CountEvents implements live.Driver.
func (d *Driver) CountEvents(ctx context.Context) (all []live.EventCount, err error) {
	err = d.read(ctx, func(ctx context.Context) error {
		rows, err := d.pool.Query(ctx, "SELECT arm, type, n FROM mllmrec.live_event_count ORDER BY arm, type")
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c live.EventCount, err error) {
			err = row.Scan(&c.Arm, (*string)(&c.Type), &c.Events)
			return c, err
		})
		return err
	})
	return all, err
}
