// Package ledger keeps generations in a database: every answer of a describer or
// reasoner (Eq. 1, 3–4) with its provenance, so that none is lost and none is asked for
// twice. [OpenSQLite] keeps them in one file, through a driver in pure Go.
package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite" // registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/reason"
)

// busyTimeout is how long a writer waits for another process's transaction.
const busyTimeout = 30 * time.Second

// SQLite is a ledger in one file, in write-ahead mode: readers and one writer do not
// wait for each other. A Put that returned is on disk, whatever happens to the process
// or the machine.
type SQLite struct {
	db   *sql.DB
	path string
	mu   sync.Mutex // one writer of this process at a time
}

var _ reason.Store = (*SQLite)(nil)

// OpenSQLite opens or creates a ledger. A file that is no ledger, is damaged, or was
// written by a newer version is an error that says so.
func OpenSQLite(ctx context.Context, path string) (*SQLite, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	pragmas := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)", "synchronous(FULL)", "temp_store(MEMORY)", "cache_size(-16384)",
	}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: pragmas.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	db.SetMaxOpenConns(4)
	s := &SQLite{db: db, path: path}
	if err := prepareSchema(ctx, db); err != nil {
		return nil, errors.Join(s.explain("open", err), db.Close())
	}
	return s, nil
}

// explain names the file and, where the fault is the file's or the disk's, what to do.
func (s *SQLite) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s ledger %s: %w", doing, s.path, err)
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return usererr.Wrap(err, "The file is not a ledger. Move it away, or name another.")
	case sqlite3.SQLITE_CORRUPT:
		return usererr.Wrap(err, "The ledger is damaged. Restore it from a copy, or save what is readable with sqlite3's .recover.")
	case sqlite3.SQLITE_FULL:
		return usererr.Wrap(err, "The disk is full. Free some space and run again: all answers stored so far are kept.")
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return usererr.Wrap(err, "Check that the folder exists and may be written to.")
	case sqlite3.SQLITE_BUSY:
		return usererr.Wrap(err, "Another process holds the ledger. Wait for it or stop it.")
	}
	return err
}

const columns = `key, stage, subject, fold, status, text, model, model_digest, params, prompt_hash, image_hash,
	split_hash, scope, sources, class, error, finish, prompt_tokens, answer_tokens, seconds, attempt, created`

// getSize is how many keys one query looks up.
const getSize = 500

// Get implements reason.Store.
func (s *SQLite) Get(ctx context.Context, keys []string) (map[string]reason.Generation, error) {
	found := make(map[string]reason.Generation, len(keys))
	args := make([]any, 0, getSize)
	for lo := 0; lo < len(keys); lo += getSize {
		args = args[:0]
		for _, k := range keys[lo:min(lo+getSize, len(keys))] {
			args = append(args, k)
		}
		query := "SELECT " + columns + " FROM generations WHERE key IN (?" + strings.Repeat(",?", len(args)-1) + ")"
		err := s.query(ctx, func(g reason.Generation) error {
			found[g.Key] = g
			return nil
		}, query, args...)
		if err != nil {
			return nil, s.explain("read", err)
		}
	}
	return found, nil
}

const upsert = `INSERT INTO generations (` + columns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (key) DO UPDATE SET stage = excluded.stage, subject = excluded.subject, fold = excluded.fold,
	status = excluded.status, text = excluded.text, model = excluded.model, model_digest = excluded.model_digest,
	params = excluded.params, prompt_hash = excluded.prompt_hash, image_hash = excluded.image_hash,
	split_hash = excluded.split_hash, scope = excluded.scope, sources = excluded.sources, class = excluded.class,
	error = excluded.error, finish = excluded.finish, prompt_tokens = excluded.prompt_tokens,
	answer_tokens = excluded.answer_tokens, seconds = excluded.seconds, attempt = excluded.attempt, created = excluded.created
WHERE generations.status <> '` + reason.StatusOK + `'`

// Put implements reason.Store.
func (s *SQLite) Put(ctx context.Context, generations []reason.Generation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.explain("write", err)
	}
	defer tx.Rollback() // no effect after Commit
	stmt, err := tx.PrepareContext(ctx, upsert)
	if err != nil {
		return s.explain("write", err)
	}
	defer stmt.Close()
	for _, g := range generations {
		if err := check(g); err != nil {
			return s.explain("write", err)
		}
		sources, err := json.Marshal(orEmpty(g.Sources))
		if err != nil {
			return s.explain("write", err)
		}
		if _, err := stmt.ExecContext(ctx, g.Key, g.Stage, g.Subject, g.Fold, g.Status, g.Text, g.Model, g.ModelDigest,
			g.Params, g.PromptHash, g.ImageHash, g.SplitHash, g.Scope, string(sources), g.Class, g.Error, g.Finish,
			g.PromptTokens, g.AnswerTokens, g.Seconds, g.Attempt, g.Created.UnixMicro()); err != nil {
			return s.explain("write", err)
		}
	}
	return s.explain("write", tx.Commit())
}

func check(g reason.Generation) error {
	if g.Key == "" || g.Stage == "" {
		return fmt.Errorf("a generation of %q without key or stage", g.Subject)
	}
	if g.Status != reason.StatusOK && g.Status != reason.StatusQuarantined {
		return fmt.Errorf("generation %s: unknown status %q", g.Key, g.Status)
	}
	return nil
}

func orEmpty(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}

// Each implements reason.Store. It reads a snapshot: what fn stores is not met.
func (s *SQLite) Each(ctx context.Context, stage string, fn func(reason.Generation) error) error {
	return s.explain("read", s.query(ctx, fn, "SELECT "+columns+` FROM generations INDEXED BY generations_subject
		WHERE stage = ? ORDER BY subject, fold, created`, stage))
}

// Find implements reason.Store.
func (s *SQLite) Find(ctx context.Context, stage, subject string) ([]reason.Generation, error) {
	var found []reason.Generation
	err := s.query(ctx, func(g reason.Generation) error {
		found = append(found, g)
		return nil
	}, "SELECT "+columns+" FROM generations WHERE stage = ? AND subject = ? ORDER BY fold, created", stage, subject)
	return found, s.explain("read", err)
}

// Counts implements reason.Store.
func (s *SQLite) Counts(ctx context.Context) ([]reason.Count, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT stage, model, status, count(*), sum(prompt_tokens), sum(answer_tokens), sum(seconds)
		FROM generations GROUP BY stage, model, status ORDER BY stage, model, status`)
	if err != nil {
		return nil, s.explain("read", err)
	}
	defer rows.Close()
	var counts []reason.Count
	for rows.Next() {
		var c reason.Count
		if err := rows.Scan(&c.Stage, &c.Model, &c.Status, &c.Generations, &c.PromptTokens, &c.AnswerTokens, &c.Seconds); err != nil {
			return nil, s.explain("read", err)
		}
		counts = append(counts, c)
	}
	return counts, s.explain("read", rows.Err())
}

func (s *SQLite) query(ctx context.Context, fn func(reason.Generation) error, query string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var g reason.Generation
		var sources string
		var created int64
		if err := rows.Scan(&g.Key, &g.Stage, &g.Subject, &g.Fold, &g.Status, &g.Text, &g.Model, &g.ModelDigest, &g.Params,
			&g.PromptHash, &g.ImageHash, &g.SplitHash, &g.Scope, &sources, &g.Class, &g.Error, &g.Finish,
			&g.PromptTokens, &g.AnswerTokens, &g.Seconds, &g.Attempt, &created); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(sources), &g.Sources); err != nil {
			return fmt.Errorf("generation %s: sources: %w", g.Key, err)
		}
		g.Created = time.UnixMicro(created).UTC()
		if err := fn(g); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Close closes the file.
func (s *SQLite) Close() error { return s.explain("close", s.db.Close()) }
