// Package postgres stores the answers of describers and reasoners in PostgreSQL, so that
// many machines can work on one ledger. Keys, statuses and numbers mean the same as in
// package ledger, which stores them in one file. Since keys are hashes of all that
// determines an answer, one database serves any number of workspaces.
//
// All tables are in the schema mllmrec. While the database restarts or cannot be reached,
// operations are retried.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Store is a ledger in PostgreSQL. It is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool
}

var _ texts.Store = (*Store)(nil)

// Open connects to the database at a postgres:// address and makes or upgrades the
// tables. See [pg.Connect] for the address.
func Open(ctx context.Context, address string) (*Store, error) {
	pool, err := pg.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	s, err := newStore(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

// newStore creates or upgrades the tables. Closing the store closes pool.
func newStore(ctx context.Context, pool *pgxpool.Pool) (*Store, error) {
	err := pg.Retry(ctx, pg.RetryRead, func(ctx context.Context) error { return pg.Migrate(ctx, pool, "ledger", migrations) })
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return &Store{pool: pool}, nil
}

// Pool returns the connections, for package queue, which has tables in the same database.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Close closes all connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

const columns = `key, stage, subject, fold, status, text, model, model_digest, params, prompt_hash, image_hash,
	split_hash, scope, sources, class, error, finish, prompt_tokens, answer_tokens, seconds, attempt, created`

// getSize is how many keys one query looks up.
const getSize = 5000

// Get implements texts.Store.
func (s *Store) Get(ctx context.Context, keys []string) (map[string]texts.Generation, error) {
	found := make(map[string]texts.Generation, len(keys))
	for part := range slices.Chunk(keys, getSize) {
		err := pg.Retry(ctx, pg.RetryRead, func(ctx context.Context) error {
			return query(ctx, s.pool, func(g texts.Generation, _ int64) error {
				found[g.Key] = g
				return nil
			}, "SELECT "+columns+", id FROM mllmrec.generation WHERE key = ANY ($1)", part)
		})
		if err != nil {
			return nil, explain("read", err)
		}
	}
	return found, nil
}

// Statuses implements texts.Store.
func (s *Store) Statuses(ctx context.Context, keys []string) (map[string]texts.AnswerStatus, error) {
	found := make(map[string]texts.AnswerStatus, len(keys))
	for part := range slices.Chunk(keys, getSize) {
		err := pg.Retry(ctx, pg.RetryRead, func(ctx context.Context) error {
			rows, err := s.pool.Query(ctx, `SELECT key, status, class, prompt_tokens, answer_tokens, seconds, attempt
				FROM mllmrec.generation WHERE key = ANY ($1)`, part)
			if err != nil {
				return err
			}
			var key string
			var st texts.AnswerStatus
			_, err = pgx.ForEachRow(rows, []any{&key, &st.Status, &st.Class, &st.PromptTokens, &st.AnswerTokens, &st.Seconds, &st.Attempt}, func() error {
				found[key] = st
				return nil
			})
			return err
		})
		if err != nil {
			return nil, explain("read", err)
		}
	}
	return found, nil
}

// pageSize is how many generations Each reads at a time.
const pageSize = 5000

// Each implements texts.Store. It reads page by page, so that a long listing survives
// a restart and holds no connection while fn works; what is stored meanwhile under a new
// key is not met.
func (s *Store) Each(ctx context.Context, stage string, fn func(texts.Generation) error) error {
	var newest int64
	err := pg.Retry(ctx, pg.RetryRead, func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, "SELECT coalesce(max(id), 0) FROM mllmrec.generation").Scan(&newest)
	})
	if err != nil {
		return explain("read", err)
	}
	var page []texts.Generation
	var last int64
	for {
		text := "SELECT " + columns + ", id FROM mllmrec.generation WHERE stage = $1 AND id <= $2"
		args := []any{stage, newest}
		if n := len(page); n > 0 {
			text += " AND (subject, fold, created, id) > ($3, $4, $5, $6)"
			args = append(args, page[n-1].Subject, page[n-1].Fold, page[n-1].Created, last)
		}
		text += fmt.Sprintf(" ORDER BY subject, fold, created, id LIMIT %d", pageSize)
		var next []texts.Generation
		err := pg.Retry(ctx, pg.RetryRead, func(ctx context.Context) error {
			next = next[:0]
			// Without statistics of the table, the planner would sort the rest of it for each page.
			return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "SET LOCAL enable_sort = off"); err != nil {
					return err
				}
				return query(ctx, tx, func(g texts.Generation, id int64) error {
					next, last = append(next, g), id
					return nil
				}, text, args...)
			})
		})
		if err != nil {
			return explain("read", err)
		}
		for _, g := range next {
			if err := fn(g); err != nil {
				return err
			}
		}
		if len(next) < pageSize {
			return nil
		}
		page = next
	}
}

// Find implements texts.Store.
func (s *Store) Find(ctx context.Context, stage, subject string) ([]texts.Generation, error) {
	var found []texts.Generation
	err := pg.Retry(ctx, pg.RetryRead, func(ctx context.Context) error {
		found = nil
		return query(ctx, s.pool, func(g texts.Generation, _ int64) error {
			found = append(found, g)
			return nil
		}, "SELECT "+columns+", id FROM mllmrec.generation WHERE stage = $1 AND subject = $2 ORDER BY fold, created, id", stage, clean(subject))
	})
	return found, explain("read", err)
}

// Counts implements texts.Store.
func (s *Store) Counts(ctx context.Context) ([]texts.Count, error) {
	var counts []texts.Count
	err := pg.Retry(ctx, pg.RetryRead, func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, `SELECT stage, model, status, count(*), sum(prompt_tokens)::bigint, sum(answer_tokens)::bigint, sum(seconds)
			FROM mllmrec.generation GROUP BY stage, model, status ORDER BY stage, model, status`)
		if err != nil {
			return err
		}
		counts, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c texts.Count, err error) {
			return c, row.Scan(&c.Stage, &c.Model, &c.Status, &c.Generations, &c.PromptTokens, &c.AnswerTokens, &c.Seconds)
		})
		return err
	})
	return counts, explain("read", err)
}

func query(ctx context.Context, from interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}, fn func(g texts.Generation, id int64) error, text string, args ...any) error {
	rows, err := from.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var g texts.Generation
		var id int64
		if err := rows.Scan(&g.Key, &g.Stage, &g.Subject, &g.Fold, &g.Status, &g.Text, &g.Model, &g.ModelDigest, &g.Params,
			&g.PromptHash, &g.ImageHash, &g.SplitHash, &g.Scope, &g.Sources, &g.Class, &g.Error, &g.Finish,
			&g.PromptTokens, &g.AnswerTokens, &g.Seconds, &g.Attempt, &g.Created, &id); err != nil {
			return err
		}
		g.Created = g.Created.UTC()
		g.Redact()
		if err := fn(g, id); err != nil {
			return err
		}
	}
	return rows.Err()
}

// explain adds to err what failed and, for faults of the database, a hint.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s ledger in PostgreSQL: %w", doing, err)
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch {
		case e.Code == "42501":
			return usererr.Wrap(err, "Give the user the rights on schema mllmrec.")
		case strings.HasPrefix(e.Code, "53"):
			return usererr.Wrap(err, "The database is out of disk, memory or connections. All answers stored so far are kept.")
		}
	}
	return err
}

// clean makes a string valid for PostgreSQL, whose texts are UTF-8 without zero bytes.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// micros returns t in the precision that PostgreSQL stores.
func micros(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }
