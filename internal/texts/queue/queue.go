// Package queue spreads the reasoning stage (Eq. 1, 3–4) over many machines with one
// PostgreSQL between them. A coordinator, which holds the workspace, finds the questions
// that have no stored answer, cuts them into chunks and queues these as jobs of River.
// Workers, which hold nothing but a model, lease chunks, ask, and store each answer at
// once under the key that the coordinator expects. When all chunks are settled, the
// engine of package reason assembles the texts from the store, as it does alone.
//
// A worker may be killed at any moment: its leases end when its heartbeat stops, another
// worker takes the chunk, looks up what is stored, and asks for the rest only. The
// database may be restarted at any moment: everybody waits for it.
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

	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
)

// queueName is River's queue and jobKind the kind of the jobs in it.
const (
	queueName = "mllmrec"
	jobKind   = "mllmrec-chunk"
)

// patience is how long an operation of the coordinator's waits for a database that is
// away.
const retryFor = 10 * time.Minute

// Fleet is the coordinator's side: it queues questions and waits for them to be settled.
// It is safe for concurrent use.
type Coordinator struct {
	store *postgres.Store
	pool  *pgxpool.Pool
	river *river.Client[pgx.Tx]

	mu    sync.Mutex
	sent  map[digest]bool // blobs known to be in the database
	since time.Time       // when sent was begun
}

// New makes or upgrades the tables of the queue beside those of the ledger.
func New(ctx context.Context, store *postgres.Store, log *slog.Logger) (*Coordinator, error) {
	if log == nil {
		log = slog.Default()
	}
	pool := store.Pool()
	if err := prepare(ctx, pool, log); err != nil {
		return nil, err
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: postgres.Schema, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("open job queue: %w", err)
	}
	return &Coordinator{store: store, pool: pool, river: client, sent: map[digest]bool{}, since: time.Now()}, nil
}

// prepare makes or upgrades the tables, one process at a time.
func prepare(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	err := postgres.Retry(ctx, retryFor, func(ctx context.Context) error {
		if err := postgres.Migrate(ctx, pool, "fleet", migrations); err != nil {
			return err
		}
		migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: postgres.Schema, Logger: log})
		if err != nil {
			return err
		}
		if v, err := migrator.Validate(ctx, nil); err == nil && v.OK {
			return nil
		}
		return postgres.WithMigrationLock(ctx, pool, func(ctx context.Context, _ pgx.Tx) error {
			_, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("open job queue: %w", err)
	}
	return nil
}

// steps are the versions of this package's own tables; River's are its own affair.
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
