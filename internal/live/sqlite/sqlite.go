// Package sqlite keeps the live state of a shop in one SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"sync"

	"github.com/mllmrec/mllmrec/internal/database/sqlitefile"
	"github.com/mllmrec/mllmrec/internal/live"
)

// Driver is a live.Driver. Readers and the writer do not wait for each other.
type Driver struct {
	db   *sql.DB
	path string

	mu sync.Mutex // held while this process writes: SQLite's own way of waiting is by turns of luck
}

var _ live.Driver = (*Driver)(nil)

// Open opens or creates the file of a store.
func Open(ctx context.Context, path string) (*live.Store, error) {
	d, err := open(ctx, path)
	if err != nil {
		return nil, err
	}
	return live.New(d), nil
}

func open(ctx context.Context, path string) (*Driver, error) {
	db, err := format.Open(ctx, path)
	if err != nil {
		return nil, mark(err)
	}
	return &Driver{db: db, path: path}, nil
}

// explain says in words what is wrong with the file.
func (d *Driver) explain(doing string, err error) error {
	if live.Conflict(err) {
		return err
	}
	return mark(format.Explain(doing, d.path, err))
}

// mark marks a failure that may pass.
func mark(err error) error {
	if sqlitefile.MayPass(err) {
		return live.Passing(err)
	}
	return err
}

// write calls f in a transaction, which is on disk when it returns.
func (d *Driver) write(ctx context.Context, f func(tx *sql.Tx) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	tx, err := d.db.BeginTx(ctx, nil) // immediate: holds the write lock
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Last implements live.Driver.
func (d *Driver) Last(ctx context.Context) (event, change int64, err error) {
	err = d.db.QueryRowContext(ctx, "SELECT (SELECT coalesce(max(seq), 0) FROM events), (SELECT value FROM meta WHERE name = 'changes')").Scan(&event, &change)
	return event, change, d.explain("read", err)
}

// Close implements live.Driver.
func (d *Driver) Close() error {
	return d.explain("close", d.db.Close())
}
