package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Schema is the PostgreSQL schema that all tables are in.
const Schema = "mllmrec"

// migrationLock is the advisory lock that a process holds while it migrates.
const migrationLock = 0x6d6c6c6d72656331 // "mllmrec1"

// WithMigrationLock calls f in a transaction that holds the lock on migrations.
func WithMigrationLock(ctx context.Context, pool *pgxpool.Pool, f func(ctx context.Context, tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		return f(ctx, tx)
	})
}

// Migrate brings a component's tables to version len(steps); steps[i] leads from version i
// to i+1. Any number of processes may call it at the same time. A database that a newer
// program has migrated further is an error.
func Migrate(ctx context.Context, pool *pgxpool.Pool, component string, steps []string) error {
	if v, err := version(ctx, pool, component); err == nil && v == len(steps) {
		return nil
	}
	err := WithMigrationLock(ctx, pool, func(ctx context.Context, tx pgx.Tx) error {
		if err := prepare(ctx, tx); err != nil {
			return err
		}
		v, err := version(ctx, tx, component)
		if err != nil {
			return err
		}
		if v > len(steps) {
			return usererr.New("Use a newer version of this program.", "the database's %s tables have version %d, this program knows versions up to %d", component, v, len(steps))
		}
		for ; v < len(steps); v++ {
			if _, err := tx.Exec(ctx, steps[v]); err != nil {
				return fmt.Errorf("step to version %d: %w", v+1, err)
			}
			if _, err := tx.Exec(ctx, "INSERT INTO mllmrec.migration (component, version) VALUES ($1, $2)", component, v+1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("prepare the %s tables: %w", component, err)
		var e *pgconn.PgError
		if errors.As(err, &e) && e.Code == "42501" {
			return usererr.Wrap(err, "Let the user create a schema (GRANT CREATE ON DATABASE … TO …), or create a schema mllmrec that the user owns.")
		}
	}
	return err
}

// prepare creates the schema and the table of versions. It uses an existing schema, which
// an administrator may have created for a user who may not create one.
func prepare(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", Schema).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := tx.Exec(ctx, "CREATE SCHEMA mllmrec"); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS mllmrec.migration (
		component text NOT NULL,
		version   int NOT NULL,
		applied   timestamptz NOT NULL DEFAULT now(),
		PRIMARY KEY (component, version))`)
	return err
}

type querier interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

func version(ctx context.Context, q querier, component string) (v int, err error) {
	err = q.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM mllmrec.migration WHERE component = $1", component).Scan(&v)
	return v, err
}
