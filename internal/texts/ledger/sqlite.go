// Package ledger stores every answer of a describer or reasoner with its provenance in a
// database, so that no answer is lost and no question is asked twice.
// [OpenSQLite] opens a ledger in one SQLite file, through a driver in pure Go; sub-package
// postgres has one that several machines share.
package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"modernc.org/sqlite" // registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// busyTimeout is how long a write waits for the transaction of another process.
const busyTimeout = 30 * time.Second

// SQLite is a ledger in one file, in write-ahead mode: readers and the writer do not wait
// for each other. When Put returns, its generations are on disk and survive a crash of the
// process or the machine.
type SQLite struct {
	db      *sql.DB
	path    string
	origins originCache
	readers *readers
	writer  *writer
}

var _ texts.Store = (*SQLite)(nil)

// OpenSQLite opens or creates a ledger. It refuses a file that is not a ledger, is damaged,
// or was written by a newer version of the program. One on a read-only medium can be read.
func OpenSQLite(ctx context.Context, path string) (*SQLite, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	if onReadOnlyMedium(abs) {
		return openReadOnly(ctx, path, abs)
	}
	pragmas := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)", "synchronous(FULL)", "temp_store(MEMORY)", "cache_size(-16384)",
	}}
	if err := makePrivate(abs); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: pragmas.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	s := &SQLite{db: db, path: path, writer: &writer{db: db}}
	s.readers = newReaders(db, &s.origins)
	if err := prepareSchema(ctx, db); err != nil {
		return nil, errors.Join(s.explain("open", err), db.Close())
	}
	return s, nil
}

// makePrivate makes the file of a new ledger, which only the user may read, as SQLite then
// makes those beside it. An existing one keeps the mode that its owner chose.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil //nolint:nilerr // it is there, or SQLite says what is wrong
	}
	return f.Close()
}

// explain adds the file's name to err and, for faults of the file or the disk, a hint.
func (s *SQLite) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	var e *sqlite.Error
	var said inWord
	known := false
	if errors.As(err, &e) {
		said, known = inWords[e.Code()&0xff]
	}
	if !known {
		return fmt.Errorf("%s ledger %s: %w", doing, s.path, err)
	}
	err = usererr.Wrap(&worded{fmt.Sprintf("%s ledger %s: %s (%v)", doing, s.path, said.what, e), err}, said.cure)
	if said.passes {
		return &texts.UnwritableError{Err: err}
	}
	return err
}

// worded is a failure of SQLite's in words.
type worded struct {
	text string
	err  error
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.err }

// inWord says what a code of SQLite's means for the user, what to do, and whether the fault
// may pass by itself.
type inWord struct {
	what, cure string
	passes     bool
}

var inWords = map[int]inWord{
	sqlite3.SQLITE_NOTADB:     {what: "the file is not a ledger", cure: "Move it away, or name another."},
	sqlite3.SQLITE_CORRUPT:    {what: "the ledger is damaged", cure: "Restore it from a copy, or save what is readable with the .recover command of sqlite3."},
	sqlite3.SQLITE_FULL:       {what: "the disk is full", cure: "Free some space: all answers stored so far are kept.", passes: true},
	sqlite3.SQLITE_IOERR:      {what: "the disk failed to read or write", cure: "Check the disk and its connection, and the free space: all answers stored so far are kept.", passes: true},
	sqlite3.SQLITE_BUSY:       {what: "another process holds the ledger", cure: "Wait for it or stop it.", passes: true},
	sqlite3.SQLITE_LOCKED:     {what: "the ledger is locked by this process", cure: "Run it again.", passes: true},
	sqlite3.SQLITE_READONLY:   {what: "the ledger may only be read", cure: "Make the file and its folder writable, or work on a copy of the workspace.", passes: true},
	sqlite3.SQLITE_CANTOPEN:   {what: "the ledger cannot be opened", cure: "Check that the folder exists and may be written to, and that the process may open more files.", passes: true},
	sqlite3.SQLITE_PERM:       {what: "the ledger must not be opened by you", cure: "Check who owns the file and its folder."},
	sqlite3.SQLITE_AUTH:       {what: "the ledger must not be opened by you", cure: "Check who owns the file and its folder."},
	sqlite3.SQLITE_NOMEM:      {what: "the memory is full", cure: "Ask with fewer requests at a time, or stop other programs.", passes: true},
	sqlite3.SQLITE_TOOBIG:     {what: "a text is longer than a ledger may hold", cure: "Ask for shorter answers."},
	sqlite3.SQLITE_PROTOCOL:   {what: "the ledger is locked in a way that does not end", cure: "Put the workspace on a local disk: network file systems lock badly.", passes: true},
	sqlite3.SQLITE_NOLFS:      {what: "the file system cannot hold so large a ledger", cure: "Put the workspace on another disk."},
	sqlite3.SQLITE_SCHEMA:     {what: "another process changed the ledger's tables", cure: "Run it again."},
	sqlite3.SQLITE_CONSTRAINT: {what: "an entry contradicts the ledger", cure: "The ledger may be damaged. Restore it from a copy."},
}

// Get implements texts.Store.
func (s *SQLite) Get(ctx context.Context, keys []string) (map[string]texts.Generation, error) {
	found, err := lookUp(ctx, s.readers, keys, (*reader).generations)
	if err != nil {
		return nil, s.explain("read", err)
	}
	return found, nil
}

// Statuses implements texts.Store.
func (s *SQLite) Statuses(ctx context.Context, keys []string) (map[string]texts.AnswerStatus, error) {
	found, err := lookUp(ctx, s.readers, keys, (*reader).statuses)
	if err != nil {
		return nil, s.explain("read", err)
	}
	return found, nil
}

// Put implements texts.Store.
func (s *SQLite) Put(ctx context.Context, generations []texts.Generation) error {
	generations = slices.Clone(generations)
	for i := range generations {
		generations[i].Redact()
	}
	return s.explain("write", s.writer.put(ctx, generations))
}

// Each implements texts.Store. It reads a snapshot, without what fn stores meanwhile.
func (s *SQLite) Each(ctx context.Context, stage string, fn func(texts.Generation) error) error {
	return s.explain("read", s.query(ctx, fn, "SELECT "+columns+` FROM answers INDEXED BY answers_subject
		WHERE origin IN (SELECT id FROM origins WHERE stage = ?) ORDER BY subject, fold, created`, stage))
}

// Find implements texts.Store.
func (s *SQLite) Find(ctx context.Context, stage, subject string) ([]texts.Generation, error) {
	var found []texts.Generation
	err := s.query(ctx, func(g texts.Generation) error {
		found = append(found, g)
		return nil
	}, "SELECT "+columns+` FROM answers INDEXED BY answers_subject
		WHERE subject = ? AND origin IN (SELECT id FROM origins WHERE stage = ?) ORDER BY fold, created`, subject, stage)
	return found, s.explain("read", err)
}

// Counts implements texts.Store.
func (s *SQLite) Counts(ctx context.Context) ([]texts.Count, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT stage, model, status, sum(n), sum(p), sum(a), sum(s)
		FROM (SELECT origin, count(*) n, sum(prompt_tokens) p, sum(answer_tokens) a, sum(seconds) s FROM answers GROUP BY origin)
		JOIN origins ON id = origin GROUP BY stage, model, status ORDER BY stage, model, status`)
	if err != nil {
		return nil, s.explain("read", err)
	}
	defer rows.Close()
	var counts []texts.Count
	for rows.Next() {
		var c texts.Count
		if err := rows.Scan(&c.Stage, &c.Model, &c.Status, &c.Generations, &c.PromptTokens, &c.AnswerTokens, &c.Seconds); err != nil {
			return nil, s.explain("read", err)
		}
		counts = append(counts, c)
	}
	return counts, s.explain("read", rows.Err())
}

// query calls fn with each generation found. It uses a connection of its own, so that fn may
// use the ledger.
func (s *SQLite) query(ctx context.Context, fn func(texts.Generation) error, query string, args ...driver.Value) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(driverConn any) (err error) {
		prepare := driverConn.(driver.ConnPrepareContext)
		r := rowScanner{originReader: originReader{cache: &s.origins}}
		if err := r.prepare(ctx, prepare); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.close()) }()
		stmt, err := prepare.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stmt.Close()) }()
		return r.scan(ctx, stmt, numColumns, named(args), func(ctx context.Context, row []driver.Value) error {
			g, err := r.generation(ctx, row)
			if err != nil {
				return err
			}
			return fn(g)
		})
	})
}

// Close closes the file.
func (s *SQLite) Close() error {
	return s.explain("close", errors.Join(s.readers.close(), s.writer.close(), s.db.Close()))
}
