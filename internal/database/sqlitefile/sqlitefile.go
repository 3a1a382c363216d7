// Package sqlitefile opens the SQLite files that this program keeps its records in: private to
// the user, in write-ahead mode, with a commit on disk when it returns, of a known application
// and format, upgraded in one transaction, readable on a read-only medium. It says in words what
// SQLite says in codes. The driver is in pure Go.
package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Format is a kind of file.
type Format struct {
	Noun        string // what messages call it, without an article: "ledger"
	Kept        string // what it keeps, for hints: "answers"
	Remedy      string // what to do where an entry is too long; a whole sentence
	Application int64  // marks a file as one of this kind
	Version     int64  // a file with a newer one is refused

	// Make creates the tables of a new file. Upgrade[i] leads from version i+1 to i+2.
	Make    func(ctx context.Context, tx *sql.Tx) error
	Upgrade []func(ctx context.Context, tx *sql.Tx) error
}

// busyTimeout is how long a write waits for the transaction of another process.
const busyTimeout = 30 * time.Second

// Open opens or creates a file. It refuses one that is not of the format, is damaged, or was
// written by a newer version of the program. One on a read-only medium can be read. Transactions
// hold the write lock from their beginning. Errors are explained already.
func (f *Format) Open(ctx context.Context, path string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open %s %s: %w", f.Noun, path, err)
	}
	if onReadOnlyMedium(abs) {
		return f.openReadOnly(ctx, path, abs)
	}
	if err := makePrivate(abs); err != nil {
		return nil, fmt.Errorf("open %s %s: %w", f.Noun, path, err)
	}
	db, err := open(abs, url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)", "synchronous(FULL)", "temp_store(MEMORY)", "cache_size(-16384)",
	}})
	if err != nil {
		return nil, fmt.Errorf("open %s %s: %w", f.Noun, path, err)
	}
	if err := f.Prepare(ctx, db); err != nil {
		return nil, errors.Join(f.Explain("open", path, err), db.Close())
	}
	return db, nil
}

func open(abs string, query url.Values) (*sql.DB, error) {
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: query.Encode()}).String())
}

// makePrivate makes a new file, which only the user may read, as SQLite then makes those beside
// it. An existing one keeps the mode that its owner chose.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil //nolint:nilerr // it is there, or SQLite says what is wrong
	}
	return f.Close()
}

// onReadOnlyMedium reports whether the file is there and its file system cannot be written:
// a disc, a snapshot, a mount for reading. Nobody writes there, so that nobody's lock or log
// has to be minded.
func onReadOnlyMedium(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		f.Close() //nolint:errcheck // nothing was written
	}
	return errors.Is(err, syscall.EROFS)
}

// openReadOnly opens a file that cannot be written, for reading: without the files that SQLite
// makes beside one. Writing to it fails.
func (f *Format) openReadOnly(ctx context.Context, path, abs string) (*sql.DB, error) {
	if log, err := os.Stat(abs + "-wal"); err == nil && log.Size() > 0 {
		return nil, usererr.New(fmt.Sprintf("Copy the workspace to a disk that can be written: opened there, the %s takes the log in.", f.Noun),
			"open %s %s: the medium is read-only, and beside the %s is a log of %s that it has not taken in yet", f.Noun, path, f.Noun, f.Kept)
	}
	db, err := open(abs, url.Values{"mode": {"ro"}, "immutable": {"1"}, "_pragma": {"temp_store(MEMORY)", "cache_size(-16384)"}})
	if err != nil {
		return nil, fmt.Errorf("open %s %s: %w", f.Noun, path, err)
	}
	version, app, err := FileVersion(ctx, db)
	if err == nil && (version != f.Version || app != f.Application) {
		err = usererr.New("Copy the workspace to a disk that can be written: opened there, an earlier format is brought up to date.",
			"it has format %d of application %#x, and is on a read-only medium", version, app)
	}
	if err != nil {
		return nil, errors.Join(f.Explain("open", path, err), db.Close())
	}
	return db, nil
}

// Prepare creates the tables of a new file, and checks and upgrades those of an old one. If two
// processes open a file at the same time, the second waits for the write lock.
func (f *Format) Prepare(ctx context.Context, db *sql.DB) error {
	version, app, err := FileVersion(ctx, db)
	if err != nil {
		return err
	}
	if version == f.Version && app == f.Application {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil) // immediate: holds the write lock
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect after Commit
	if version, app, err = FileVersion(ctx, tx); err != nil {
		return err
	}
	if version == f.Version && app == f.Application {
		return nil
	}
	if err := f.bringUp(ctx, tx, version, app); err != nil {
		return err
	}
	if err := ExecAll(ctx, tx,
		fmt.Sprintf("PRAGMA application_id = %d", f.Application),
		fmt.Sprintf("PRAGMA user_version = %d", f.Version)); err != nil {
		return err
	}
	return tx.Commit()
}

func (f *Format) bringUp(ctx context.Context, tx *sql.Tx, version, app int64) error {
	switch {
	case app == f.Application && version > f.Version:
		return fmt.Errorf("the %s has format %d, this program knows formats up to %d: use a newer version of it", f.Noun, version, f.Version)
	case app == f.Application && version >= 1:
		for ; version < f.Version; version++ {
			if err := f.Upgrade[version-1](ctx, tx); err != nil {
				return fmt.Errorf("upgrade from format %d: %w", version, err)
			}
		}
		return nil
	case app != 0 || version != 0:
		return fmt.Errorf("the file is an SQLite database of another program (application id %#x, version %d)", app, version)
	}
	var there int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&there); err != nil {
		return err
	}
	if there > 0 {
		return fmt.Errorf("the file is an SQLite database of another program (%d tables)", there)
	}
	return f.Make(ctx, tx)
}

// ExecAll executes statements one after the other.
func ExecAll(ctx context.Context, tx *sql.Tx, statements ...string) error {
	for _, stmt := range statements {
		if _, err := tx.ExecContext(ctx, stmt); err != nil {
			return err
		}
	}
	return nil
}

// Querier is a database or a transaction.
type Querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// FileVersion returns the format of a file and the application that it is of; both are 0 in a
// new one.
func FileVersion(ctx context.Context, q Querier) (version, app int64, err error) {
	if err := q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, 0, err
	}
	err = q.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app)
	return version, app, err
}

// codeOf returns SQLite's primary code; false where err is not SQLite's.
func codeOf(err error) (code int, e *sqlite.Error, ok bool) {
	if !errors.As(err, &e) {
		return 0, nil, false
	}
	return e.Code() & 0xff, e, true
}
