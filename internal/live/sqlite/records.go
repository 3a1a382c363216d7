package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mllmrec/mllmrec/internal/live"
)

const recordColumns = "kind, id, version, seq, changed, body"

// Update implements live.Driver.
func (d *Driver) Update(ctx context.Context, kind live.Kind, ids []string, change func(map[string]live.Record) ([]live.Record, error)) (stored []live.Record, err error) {
	refused := false
	err = d.write(ctx, func(tx *sql.Tx) error {
		now, err := getRecords(ctx, tx, kind, ids)
		if err != nil {
			return err
		}
		if stored, err = change(now); err != nil {
			refused = true
			return err
		}
		return putRecords(ctx, tx, now, stored)
	})
	switch {
	case refused: // the file has nothing to do with it
		return nil, err
	case err != nil:
		return nil, d.explain("write", err)
	}
	return stored, nil
}

// putRecords numbers and stores the next versions of records.
func putRecords(ctx context.Context, tx *sql.Tx, now map[string]live.Record, next []live.Record) error {
	if len(next) == 0 {
		return nil
	}
	var seq int64
	if err := tx.QueryRowContext(ctx, "UPDATE meta SET value = value + ? WHERE name = 'changes' RETURNING value", len(next)).Scan(&seq); err != nil {
		return err
	}
	seq -= int64(len(next))
	put, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO records ("+recordColumns+") VALUES (?,?,?,?,?,?)")
	if err != nil {
		return err
	}
	defer put.Close()
	for i := range next {
		r := &next[i]
		seq++
		r.Seq, r.Version = seq, now[r.ID].Version+1
		if r.Kind.Kept() && r.Version > 1 {
			if _, err := tx.ExecContext(ctx, "INSERT INTO history SELECT "+recordColumns+" FROM records WHERE kind = ? AND id = ?", string(r.Kind), r.ID); err != nil {
				return err
			}
		}
		if _, err := put.ExecContext(ctx, string(r.Kind), r.ID, r.Version, r.Seq, r.Changed.UnixMicro(), r.Body); err != nil {
			return err
		}
	}
	return nil
}

type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

func getRecords(ctx context.Context, db preparer, kind live.Kind, ids []string) (map[string]live.Record, error) {
	stmt, err := db.PrepareContext(ctx, "SELECT "+recordColumns+" FROM records WHERE kind = ? AND id = ?")
	if err != nil {
		return nil, err
	}
	defer stmt.Close()
	found := map[string]live.Record{}
	for _, id := range ids {
		r, err := scanRecord(stmt.QueryRowContext(ctx, string(kind), id))
		switch {
		case err == nil:
			found[id] = r
		case !errors.Is(err, sql.ErrNoRows):
			return nil, err
		}
	}
	return found, nil
}

func scanRecord(row scanner) (r live.Record, err error) {
	var changed int64
	err = row.Scan((*string)(&r.Kind), &r.ID, &r.Version, &r.Seq, &changed, &r.Body)
	r.Changed = moment(changed)
	return r, err
}

// Get implements live.Driver.
func (d *Driver) Get(ctx context.Context, kind live.Kind, ids []string) (map[string]live.Record, error) {
	found, err := getRecords(ctx, d.db, kind, ids)
	return found, d.explain("read", err)
}

// List implements live.Driver.
func (d *Driver) List(ctx context.Context, kind live.Kind) ([]live.Record, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT "+recordColumns+" FROM records WHERE kind = ? ORDER BY id", string(kind))
	all, err := collect(rows, err, scanRecord)
	return all, d.explain("read", err)
}

// History implements live.Driver.
func (d *Driver) History(ctx context.Context, kind live.Kind, id string) ([]live.Record, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT "+recordColumns+" FROM history WHERE kind = ?1 AND id = ?2 UNION ALL SELECT "+recordColumns+
		" FROM records WHERE kind = ?1 AND id = ?2 ORDER BY version", string(kind), id)
	all, err := collect(rows, err, scanRecord)
	return all, d.explain("read", err)
}

// Changes implements live.Driver.
func (d *Driver) Changes(ctx context.Context, after int64, limit int) ([]live.Record, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT "+recordColumns+" FROM records WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
	all, err := collect(rows, err, scanRecord)
	return all, d.explain("read", err)
}
