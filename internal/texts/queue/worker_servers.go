package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/mllm"
)

// WorkerServers is what a worker reports of its model servers, so that the coordinator need
// not reach any. It does not hold their addresses.
type WorkerServers struct {
	Worker   string           `json:"-"`
	Reported bool             `json:"-"` // false: the worker is alive, but its servers have not answered yet
	Kind     string           `json:"kind"`
	Models   []mllm.ModelInfo `json:"models"`
}

// ReportedServers returns what the live workers report of their servers, the longest-running
// worker first. A database without a queue has no workers.
func ReportedServers(ctx context.Context, pool *pgxpool.Pool) ([]WorkerServers, error) {
	var all []WorkerServers
	err := pg.Retry(ctx, retryFor, func(ctx context.Context) error {
		if there, err := hasQueue(ctx, pool); err != nil || !there {
			return err
		}
		rows, err := pool.Query(ctx, "SELECT id, serves FROM mllmrec.worker WHERE seen > now() - lease ORDER BY started, id")
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (s WorkerServers, err error) {
			var raw []byte
			if err := r.Scan(&s.Worker, &raw); err != nil || raw == nil {
				return s, err
			}
			s.Reported = true
			return s, json.Unmarshal(raw, &s)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what models the workers have: %w", err)
	}
	return all, nil
}

// How often a worker asks its servers what they have: a model may be pulled, or replaced.
const (
	publishEvery = 30 * time.Second
	publishRetry = 2 * time.Second // after a failure
)

// publish records, again and again, which models this worker's servers have.
func (w *worker) publish(ctx context.Context, quit <-chan struct{}) {
	for {
		next := publishEvery
		if err := w.publishOnce(ctx); err != nil {
			w.log.Warn("reporting the models failed", "error", err)
			next = publishRetry
		}
		t := time.NewTimer(next)
		select {
		case <-quit:
			t.Stop()
			return
		case <-t.C:
		}
	}
}

func (w *worker) publishOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, publishEvery)
	defer cancel()
	info, err := w.opt.DescribeServers(ctx)
	if err != nil && mllm.ClassOf(err) != mllm.NotFound { // some servers answer questions but list no models
		return err
	}
	raw, err := json.Marshal(WorkerServers{Kind: info.Kind, Models: info.Models})
	if err != nil {
		return err
	}
	_, err = w.store.Pool().Exec(ctx, "UPDATE mllmrec.worker SET serves = $2 WHERE id = $1", w.id, raw)
	return err
}
