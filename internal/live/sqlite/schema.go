package sqlite

import (
	"context"
	"database/sql"

	"github.com/mllmrec/mllmrec/internal/database/sqlitefile"
)

// format is that of the file. "mlls" marks it.
var format = sqlitefile.Format{
	Noun: "live state", Kept: "events and changes", Remedy: "Send a shorter one.",
	Application: 0x6d6c6c73, Version: 1,
	Make: func(ctx context.Context, tx *sql.Tx) error { return sqlitefile.ExecAll(ctx, tx, tables) },
}

// tables creates the tables. Events are never changed or deleted. Counts go with them, so that a
// page that shows them reads a few rows of a million. The newest version of each record is in
// records, so that one index finds what changed; earlier ones are in history.
const tables = `
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('changes', 0); -- the number of the last change
CREATE TABLE events (
	seq      INTEGER PRIMARY KEY,
	key      TEXT NOT NULL, -- of idempotency; '' where there is none
	user     TEXT NOT NULL,
	item     TEXT NOT NULL,
	type     TEXT NOT NULL,
	time     INTEGER,          -- microseconds since 1970, UTC; NULL: the client did not say
	weight   REAL,             -- NULL: the client did not say
	arm      TEXT NOT NULL,
	request  TEXT NOT NULL,
	received INTEGER NOT NULL  -- microseconds since 1970, UTC
);
CREATE UNIQUE INDEX events_key ON events (key) WHERE key <> '';
CREATE TABLE event_counts (
	arm  TEXT NOT NULL,
	type TEXT NOT NULL,
	n    INTEGER NOT NULL,
	PRIMARY KEY (arm, type)
) WITHOUT ROWID;
CREATE TABLE records (
	kind    TEXT NOT NULL,
	id      TEXT NOT NULL,
	version INTEGER NOT NULL,
	seq     INTEGER NOT NULL,
	changed INTEGER NOT NULL, -- microseconds since 1970, UTC
	body    TEXT NOT NULL,    -- JSON
	PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX records_seq ON records (seq);
CREATE TABLE history (
	kind    TEXT NOT NULL,
	id      TEXT NOT NULL,
	version INTEGER NOT NULL,
	seq     INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	body    TEXT NOT NULL,
	PRIMARY KEY (kind, id, version)
);
`
