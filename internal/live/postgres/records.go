package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mllmrec/mllmrec/internal/live"
)

const recordColumns = "kind, id, version, seq, changed, body"

const selectRecords = "SELECT kind, id, version, seq, changed, body::text FROM mllmrec.live_record "

// Update implements live.Driver.
func (d *Driver) Update(ctx context.Context, kind live.Kind, ids []string, change func(map[string]live.Record) ([]live.Record, error)) (stored []live.Record, err error) {
	refused := false
	err = d.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		last, now, err := lockRecords(ctx, tx, kind, ids)
		if err != nil {
			return err
		}
		if stored, err = change(now); err != nil {
			refused = true
			return err
		}
		return putRecords(ctx, tx, kind, last, now, stored)
	})
	switch {
	case refused: // the database has nothing to do with it
		return nil, err
	case err != nil:
		return nil, explain("write", err)
	}
	return stored, nil
}

// lockRecords locks out other writers of records, and then returns the number of the last change
// and the records named.
func lockRecords(ctx context.Context, tx pgx.Tx, kind live.Kind, ids []string) (last int64, now map[string]live.Record, err error) {
	now = map[string]live.Record{}
	batch := &pgx.Batch{}
	batch.Queue(byIndex)
	batch.Queue("SELECT changes FROM mllmrec.live_state WHERE one FOR UPDATE").QueryRow(func(row pgx.Row) error { return row.Scan(&last) })
	batch.Queue(selectRecords+"WHERE kind = $1 AND id = ANY ($2)", string(kind), ids).Query(func(rows pgx.Rows) error {
		records, err := pgx.CollectRows(rows, scanRecord)
		for _, r := range records {
			now[r.ID] = r
		}
		return err
	})
	return last, now, tx.SendBatch(ctx, batch).Close()
}

// putRecords numbers and stores the next versions of records.
func putRecords(ctx context.Context, tx pgx.Tx, kind live.Kind, last int64, now map[string]live.Record, next []live.Record) error {
	if len(next) == 0 {
		return nil
	}
	n := len(next)
	ids, bodies, version, seq, changed := make([]string, n), make([]string, n), make([]int64, n), make([]int64, n), make([]time.Time, n)
	for i := range next {
		r := &next[i]
		last++
		r.Seq, r.Version = last, now[r.ID].Version+1
		ids[i], bodies[i], version[i], seq[i], changed[i] = r.ID, r.Body, r.Version, r.Seq, r.Changed
	}
	batch := &pgx.Batch{}
	batch.Queue("UPDATE mllmrec.live_state SET changes = $1 WHERE one", last)
	if kind.Kept() {
		batch.Queue("INSERT INTO mllmrec.live_history ("+recordColumns+") SELECT "+recordColumns+
			" FROM mllmrec.live_record WHERE kind = $1 AND id = ANY ($2)", string(kind), ids)
	}
	batch.Queue(`INSERT INTO mllmrec.live_record (`+recordColumns+`)
		SELECT $1, a.id, a.version, a.seq, a.changed, a.body::json
		FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::text[]) AS a (id, version, seq, changed, body)
		ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, seq = excluded.seq, changed = excluded.changed, body = excluded.body`,
		string(kind), ids, version, seq, changed, bodies)
	return tx.SendBatch(ctx, batch).Close()
}

func scanRecord(row pgx.CollectableRow) (r live.Record, err error) {
	err = row.Scan((*string)(&r.Kind), &r.ID, &r.Version, &r.Seq, &r.Changed, &r.Body)
	r.Changed = r.Changed.UTC()
	return r, err
}

// records reads what a query finds.
func (d *Driver) records(ctx context.Context, query string, args ...any) (all []live.Record, err error) {
	err = d.read(ctx, func(ctx context.Context) error {
		rows, err := d.pool.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scanRecord)
		return err
	})
	return all, err
}

// Get implements live.Driver.
func (d *Driver) Get(ctx context.Context, kind live.Kind, ids []string) (map[string]live.Record, error) {
	found, err := d.records(ctx, selectRecords+"WHERE kind = $1 AND id = ANY ($2)", string(kind), ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]live.Record, len(found))
	for _, r := range found {
		byID[r.ID] = r
	}
	return byID, nil
}

// List implements live.Driver.
func (d *Driver) List(ctx context.Context, kind live.Kind) ([]live.Record, error) {
	return d.records(ctx, selectRecords+"WHERE kind = $1 ORDER BY id", string(kind))
}

// History implements live.Driver.
func (d *Driver) History(ctx context.Context, kind live.Kind, id string) ([]live.Record, error) {
	return d.records(ctx, `SELECT kind, id, version, seq, changed, body::text FROM mllmrec.live_history WHERE kind = $1 AND id = $2
		UNION ALL `+selectRecords+"WHERE kind = $1 AND id = $2 ORDER BY version", string(kind), id)
}

// Changes implements live.Driver.
func (d *Driver) Changes(ctx context.Context, after int64, limit int) ([]live.Record, error) {
	return d.records(ctx, selectRecords+"WHERE seq > $1 ORDER BY seq LIMIT $2", after, limit)
}
