package ledger

import (
	"context"
	"database/sql"

	"github.com/mllmrec/mllmrec/internal/database/sqlitefile"
)

// format is that of a ledger's file. "mllr" marks it.
var format = sqlitefile.Format{
	Noun: "ledger", Kept: "answers", Remedy: "Ask for shorter answers.",
	Application: 0x6d6c6c72, Version: 2,
	Make: func(ctx context.Context, tx *sql.Tx) error {
		return sqlitefile.ExecAll(ctx, tx, tables, indexes, views)
	},
	Upgrade: []func(context.Context, *sql.Tx) error{upgradeFrom1},
}

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
