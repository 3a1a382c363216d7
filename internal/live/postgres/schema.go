package postgres

// component names the tables among those of the schema mllmrec.
const component = "live"

// migrations lead from each version of the tables to the next. One that has been released is never
// changed. What the tables hold is as in package sqlite. The one row of live_state is locked by
// who writes: so numbers are visible in their order, and a reader who goes on after the last one
// that it saw misses none.
var migrations = []string{`
CREATE TABLE mllmrec.live_state (
	one     boolean PRIMARY KEY DEFAULT true CHECK (one),
	shop    text NOT NULL DEFAULT '',
	changes bigint NOT NULL DEFAULT 0
);
INSERT INTO mllmrec.live_state DEFAULT VALUES;
CREATE TABLE mllmrec.live_events_last (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	seq bigint NOT NULL DEFAULT 0
);
INSERT INTO mllmrec.live_events_last DEFAULT VALUES;
CREATE TABLE mllmrec.live_event (
	seq      bigint PRIMARY KEY,
	key      text COLLATE "C" NOT NULL,
	"user"   text COLLATE "C" NOT NULL,
	item     text COLLATE "C" NOT NULL,
	type     text COLLATE "C" NOT NULL,
	time     timestamptz,
	weight   double precision,
	arm      text COLLATE "C" NOT NULL,
	request  text COLLATE "C" NOT NULL,
	received timestamptz NOT NULL
);
CREATE UNIQUE INDEX live_event_key ON mllmrec.live_event (key) WHERE key <> '';
CREATE TABLE mllmrec.live_event_count (
	arm  text COLLATE "C" NOT NULL,
	type text COLLATE "C" NOT NULL,
	n    bigint NOT NULL,
	PRIMARY KEY (arm, type)
);
CREATE TABLE mllmrec.live_record (
	kind    text COLLATE "C" NOT NULL,
	id      text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	seq     bigint NOT NULL UNIQUE,
	changed timestamptz NOT NULL,
	body    json NOT NULL,
	PRIMARY KEY (kind, id)
);
CREATE TABLE mllmrec.live_history (
	kind    text COLLATE "C" NOT NULL,
	id      text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	seq     bigint NOT NULL,
	changed timestamptz NOT NULL,
	body    json NOT NULL,
	PRIMARY KEY (kind, id, version)
);
`}
