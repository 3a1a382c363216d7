package ledger

import (
	"context"
	"database/sql"
	"fmt"
)

// schemaVersion is stored in the file. A file with a newer version is refused, one with an
// older version is upgraded.
const schemaVersion = 2

// applicationID marks a file as a ledger: "mllr".
const applicationID = 0x6d6c6c72

// tables creates the tables. Fields that thousands of generations have in common are stored
// once, in origins, whose rows are never changed or deleted. Generations are indexed by a
// number derived from the key (see keyHash), because that index is a quarter the size of
// one of keys, stays in memory, and is searched faster. Put makes sure that no key is
// stored twice.
const tables = `
CREATE TABLE origins (
	id           INTEGER PRIMARY KEY,
	stage        TEXT NOT NULL,
	model        TEXT NOT NULL,
	model_digest TEXT NOT NULL,
	prompt_hash  TEXT NOT NULL,
	split_hash   TEXT NOT NULL,
	scope        TEXT NOT NULL,
	status       TEXT NOT NULL,
	class        TEXT NOT NULL, -- of the last failure
	finish       TEXT NOT NULL,
	UNIQUE (stage, model, model_digest, prompt_hash, split_hash, scope, status, class, finish)
);
CREATE TABLE answers (
	id            INTEGER PRIMARY KEY,
	hash          INTEGER NOT NULL, -- of key
	key           TEXT NOT NULL,
	origin        INTEGER NOT NULL REFERENCES origins (id),
	subject       TEXT NOT NULL,
	fold          INTEGER NOT NULL,
	params        TEXT NOT NULL,
	image_hash    TEXT NOT NULL,
	sources       TEXT NOT NULL, -- JSON array of interaction ids
	prompt_tokens INTEGER NOT NULL,
	answer_tokens INTEGER NOT NULL,
	seconds       REAL NOT NULL,
	attempt       INTEGER NOT NULL,
	created       INTEGER NOT NULL, -- microseconds since 1970, UTC
	error         TEXT NOT NULL,
	text          TEXT NOT NULL
);
`

const indexes = `
CREATE INDEX answers_hash ON answers (hash);
CREATE INDEX answers_totals ON answers (origin, prompt_tokens, answer_tokens, seconds); -- covers Counts
CREATE INDEX answers_subject ON answers (subject, fold, created, origin);
`

// views shows whole generations to users who open the file with other tools.
const views = `
CREATE VIEW generations AS
SELECT a.id, a.key, o.stage, a.subject, a.fold, o.status, a.text, o.model, o.model_digest, a.params, o.prompt_hash,
	a.image_hash, o.split_hash, o.scope, a.sources, o.class, a.error, o.finish, a.prompt_tokens, a.answer_tokens,
	a.seconds, a.attempt, a.created
FROM answers a JOIN origins o ON o.id = a.origin;
`

// prepareSchema creates the tables of a new file, and checks and upgrades those of an old
// one. If two processes open a file at the same time, the second waits for the write lock.
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
	case version == 1 && app == applicationID:
		err = upgradeFrom1(ctx, tx)
	case app == applicationID && version > schemaVersion:
		return fmt.Errorf("the ledger has format %d, this program knows formats up to %d: use a newer version of it", version, schemaVersion)
	case app != 0 || version != 0:
		return fmt.Errorf("the file is an SQLite database of another program (application id %#x, version %d)", app, version)
	default:
		err = makeTables(ctx, tx)
	}
	if err != nil {
		return err
	}
	if err := execAll(ctx, tx,
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return err
	}
	return tx.Commit()
}

func makeTables(ctx context.Context, tx *sql.Tx) error {
	var there int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&there); err != nil {
		return err
	}
	if there > 0 {
		return fmt.Errorf("the file is an SQLite database of another program (%d tables)", there)
	}
	return execAll(ctx, tx, tables, indexes, views)
}

func execAll(ctx context.Context, tx *sql.Tx, statements ...string) error {
	for _, stmt := range statements {
		if _, err := tx.ExecContext(ctx, stmt); err != nil {
			return err
		}
	}
	return nil
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
