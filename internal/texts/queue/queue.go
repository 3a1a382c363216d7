// Package queue spreads the questions of package texts over workers on many machines, which
// share a queue in one PostgreSQL database. A [Coordinator], which has the workspace, finds
// the questions without a stored answer (Eq. 1, 3–4), cuts them into chunks and queues these
// as jobs of River. Workers ([RunWorker]), which need only a model server, lease chunks, ask
// the questions, and store each answer at once under the key that the coordinator expects.
// When all chunks are settled, package texts makes the texts from the stored answers, as in
// a run without workers.
//
// A worker may be killed at any moment. Its leases end when its heartbeats stop; another
// worker takes each chunk, looks up what is stored, and asks the remaining questions. The
// database may be restarted at any moment: coordinator and workers wait for it.
//
// The package is longer than 2,000 lines because coordinator and workers share the tables,
// the format of chunks and the leases: two packages would export all of that to each other.
package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
)

// queueName is River's queue and jobKind the kind of the jobs in it.
const (
	queueName = "mllmrec"
	jobKind   = "mllmrec-chunk"
)

// retryFor is how long an operation is retried while the database cannot be reached.
const retryFor = 10 * time.Minute

// Coordinator queues questions and waits until workers have settled them. It is safe for
// concurrent use.
type Coordinator struct {
	store *postgres.Store
	pool  *pgxpool.Pool
	river *river.Client[pgx.Tx]

	mu    sync.Mutex
	sent  map[digest]bool // blobs that are in the database
	since time.Time       // when sent was last emptied
}

// New returns a coordinator. It makes or upgrades the tables of the queue beside those of
// the ledger.
func New(ctx context.Context, store *postgres.Store, log *slog.Logger) (*Coordinator, error) {
	if log == nil {
		log = slog.Default()
	}
	pool := store.Pool()
	if err := prepare(ctx, pool, log); err != nil {
		return nil, err
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: pg.Schema, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("open job queue: %w", err)
	}
	return &Coordinator{store: store, pool: pool, river: client, sent: map[digest]bool{}, since: time.Now()}, nil
}

// component is the name under which the database records the version of the queue's tables.
// Databases in use hold it, so it must not change.
const component = "fleet"

// prepare makes or upgrades the tables. Processes that do so at the same time wait for each
// other.
func prepare(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	err := pg.Retry(ctx, retryFor, func(ctx context.Context) error {
		if err := pg.Migrate(ctx, pool, component, migrations); err != nil {
			return err
		}
		migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: pg.Schema, Logger: log})
		if err != nil {
			return err
		}
		if v, err := migrator.Validate(ctx, nil); err == nil && v.OK {
			return nil
		}
		return pg.WithMigrationLock(ctx, pool, func(ctx context.Context, _ pgx.Tx) error {
			_, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("open job queue: %w", err)
	}
	return nil
}

// migrations lead from each version of this package's tables to the next. River migrates
// its own tables.
var migrations = []string{`
-- What chunks are made of, stored once however many chunks use it: items, pictures.
CREATE TABLE mllmrec.blob (
	sha256 bytea PRIMARY KEY,
	data   bytea NOT NULL,
	used   timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE mllmrec.blob ALTER COLUMN data SET STORAGE EXTERNAL; -- pictures do not shrink
CREATE TABLE mllmrec.chunk (
	id      text PRIMARY KEY, -- SHA-256 of what it asks
	job     bigint,
	payload bytea NOT NULL,
	created timestamptz NOT NULL DEFAULT now(),
	report  jsonb -- an array: of each run that handed it back, and of the one that settled it
);
CREATE INDEX chunk_job ON mllmrec.chunk (job);
-- Questions that a job in the queue is about: none is queued twice.
CREATE TABLE mllmrec.question (
	key text COLLATE "C" PRIMARY KEY,
	job bigint NOT NULL
);
CREATE INDEX question_job ON mllmrec.question (job);
CREATE TABLE mllmrec.worker (
	id       text PRIMARY KEY,
	host     text NOT NULL,
	pid      int NOT NULL,
	started  timestamptz NOT NULL DEFAULT now(),
	seen     timestamptz NOT NULL DEFAULT now(),
	lease    interval NOT NULL,
	jobs     bigint[] NOT NULL, -- leased
	answered bigint NOT NULL,
	failed   bigint NOT NULL,
	note     text NOT NULL -- what keeps it from working; empty if nothing does
);
`, `
ALTER TABLE mllmrec.worker ADD COLUMN serves jsonb; -- what models it has; null before its servers have told
`}
