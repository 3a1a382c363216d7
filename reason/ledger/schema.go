package ledger

import (
	"context"
	"database/sql"
	"fmt"
)

// schemaVersion is stored in the file; a newer one is refused, an older one upgraded.
const schemaVersion = 1

// applicationID marks a file as a ledger: "mllr".
const applicationID = 0x6d6c6c72

const schema = `
CREATE TABLE generations (
	id            INTEGER PRIMARY KEY,
	key           TEXT NOT NULL UNIQUE,
	stage         TEXT NOT NULL,
	subject       TEXT NOT NULL,
	fold          INTEGER NOT NULL,
	status        TEXT NOT NULL,
	text          TEXT NOT NULL,
	model         TEXT NOT NULL,
	model_digest  TEXT NOT NULL,
	params        TEXT NOT NULL,
	prompt_hash   TEXT NOT NULL,
	image_hash    TEXT NOT NULL,
	split_hash    TEXT NOT NULL,
	scope         TEXT NOT NULL,
	sources       TEXT NOT NULL, -- JSON array of interaction ids
	class         TEXT NOT NULL, -- of the last failure
	error         TEXT NOT NULL,
	finish        TEXT NOT NULL,
	prompt_tokens INTEGER NOT NULL,
	answer_tokens INTEGER NOT NULL,
	seconds       REAL NOT NULL,
	attempt       INTEGER NOT NULL,
	created       INTEGER NOT NULL -- microseconds since 1970, UTC
);
CREATE INDEX generations_status ON generations (stage, model, status, prompt_tokens, answer_tokens, seconds); -- covers Counts
CREATE INDEX generations_subject ON generations (stage, subject, fold, created);
`

// prepareSchema makes the tables of a new file and checks those of an old one. Two
// processes that open a new file at once are told apart by the write lock.
func prepareSchema(ctx context.Context, db *sql.DB) error {
	version, app, err := fileVersion(ctx, db)
	if err != nil {
		return err
	}
	if version == schemaVersion && app == applicationID {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil) // immediate: holds the write lock
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect after Commit
	if version, app, err = fileVersion(ctx, tx); err != nil {
		return err
	}
	switch {
	case version == schemaVersion && app == applicationID:
		return nil
	case app == applicationID && version > schemaVersion:
		return fmt.Errorf("the ledger has format %d, this program knows formats up to %d: use a newer version of it", version, schemaVersion)
	case app != 0 || version != 0:
		return fmt.Errorf("the file is an SQLite database of another program (application id %#x, version %d)", app, version)
	}
	var tables int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		return fmt.Errorf("the file is an SQLite database of another program (%d tables)", tables)
	}
	for _, stmt := range []string{schema,
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)} {
		if _, err := tx.ExecContext(ctx, stmt); err != nil {
			return err
		}
	}
	return tx.Commit()
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func fileVersion(ctx context.Context, q querier) (version, app int64, err error) {
	if err := q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, 0, err
	}
	err = q.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app)
	return version, app, err
}
