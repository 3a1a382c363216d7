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
	"slices"

	"github.com/mllmrec/mllmrec/internal/database/sqlitefile"
	"github.com/mllmrec/mllmrec/internal/texts"
)

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
	db, err := format.Open(ctx, path)
	if err != nil {
		return nil, mark(err)
	}
	s := &SQLite{db: db, path: path, writer: &writer{db: db}}
	s.readers = newReaders(db, &s.origins)
	return s, nil
}

// explain says in words what is wrong with the file.
func (s *SQLite) explain(doing string, err error) error {
	return mark(format.Explain(doing, s.path, err))
}

// mark marks a failure that may pass.
func mark(err error) error {
	if sqlitefile.MayPass(err) {
		return &texts.UnwritableError{Err: err}
	}
	return err
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
