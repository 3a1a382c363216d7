package queue

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/internal/database/pg"
)

// Withdrawn says how many chunks were taken back.
type Withdrawn struct {
	Chunks    int `json:"chunks"`
	Questions int `json:"questions"` // in those chunks
	Running   int `json:"running"`   // chunks that a worker has begun, which it will finish
}

// Withdraw cancels the chunks of a stage and owner that no worker has begun; an empty stage
// or owner stands for all. A coordinator that waits for such a chunk continues without it.
// A database without a queue has no chunks.
func Withdraw(ctx context.Context, pool *pgxpool.Pool, stage, owner string) (Withdrawn, error) {
	var w Withdrawn
	err := pg.Retry(ctx, retryFor, func(ctx context.Context) error {
		if there, err := hasQueue(ctx, pool); err != nil || !there {
			return err
		}
		const mine = "kind = $1 AND ($2 = '' OR args ->> 'stage' = $2) AND ($3 = '' OR args ->> 'owner' = $3)"
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			err := tx.QueryRow(ctx, `WITH back AS (
				UPDATE mllmrec.river_job SET state = 'cancelled', finalized_at = now()
				WHERE `+mine+` AND state IN ('available', 'pending', 'retryable', 'scheduled')
				RETURNING (args ->> 'questions')::int AS questions
			) SELECT count(*), coalesce(sum(questions), 0) FROM back`, jobKind, stage, owner).Scan(&w.Chunks, &w.Questions)
			if err != nil {
				return err
			}
			return tx.QueryRow(ctx, "SELECT count(*) FROM mllmrec.river_job WHERE "+mine+" AND state = 'running'", jobKind, stage, owner).Scan(&w.Running)
		})
	})
	if err != nil {
		return Withdrawn{}, fmt.Errorf("withdraw chunks: %w", err)
	}
	return w, nil
}

// hasQueue reports whether the database has the tables of a queue.
func hasQueue(ctx context.Context, pool *pgxpool.Pool) (there bool, err error) {
	err = pool.QueryRow(ctx, "SELECT to_regclass('mllmrec.worker') IS NOT NULL AND to_regclass('mllmrec.river_job') IS NOT NULL").Scan(&there)
	return there, err
}
