package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/secret"
)

// leaseID identifies a lease. The attempt is part of it because a worker may lose a job and
// take it again while its first lease has not ended yet.
type leaseID struct {
	job     int64
	attempt int32
}

// lease is a worker's claim on a chunk. It lasts as long as the worker's heartbeats name the
// job.
type lease struct {
	leaseID
	lost   bool // another worker took the job; heartbeats no longer name it
	cancel context.CancelCauseFunc
	undo   func() bool
	ended  time.Time     // zero while the worker works on the chunk
	over   chan struct{} // closed when the job was lost and no other worker runs it any more
}

// errLost ends the work on a chunk that another worker has taken, because this worker sent
// no heartbeat for too long.
var errLost = errors.New("the lease was lost")

// take begins a lease. The returned context also ends when the worker is stopped.
func (w *worker) take(ctx context.Context, job int64, attempt int) (context.Context, *lease) {
	ctx, cancel := context.WithCancelCause(ctx)
	l := &lease{leaseID: leaseID{job, int32(attempt)}, cancel: cancel, over: make(chan struct{})}
	l.undo = context.AfterFunc(w.stopping, func() { cancel(context.Cause(w.stopping)) })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leases[l.leaseID] = l
	return ctx, l
}

// release ends a lease. Heartbeats name the job until River has recorded its end too.
func (w *worker) release(l *lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l.ended = time.Now()
	l.undo()
	l.cancel(nil)
}

// awaitOther waits until no other worker runs a lost job any more: River would take the end
// of this worker's run for the end of the other's.
func (w *worker) awaitOther(l *lease) {
	select {
	case <-l.over:
	case <-w.stopping.Done():
	}
}

// heartbeatsPerLease is the number of heartbeats in the duration of a lease.
const heartbeatsPerLease = 5

// runHeartbeats sends heartbeats, and frees the chunks of workers that send none any more.
func (w *worker) runHeartbeats(ctx context.Context, quit <-chan struct{}) {
	tick := time.NewTicker(w.opt.Lease / heartbeatsPerLease)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-quit:
			return
		case <-tick.C:
		}
		if err := w.heartbeat(ctx); err != nil {
			w.log.Warn("heartbeat failed", "error", err)
			continue
		}
		if _, err := w.clock.compare(ctx, w.store.Pool()); err != nil { // a clock may be set while the worker runs
			w.log.Warn("comparing clocks failed", "error", err)
		}
		if n%(heartbeatsPerLease/2) == 0 {
			w.freeDeadLeases(ctx)
		}
		if w.opt.UntilEmpty && w.queueEmpty(ctx) {
			w.stop(errEmpty)
		}
	}
}

// heartbeat records that this worker is alive and which jobs it holds, and cancels the work
// on chunks that it has lost.
func (w *worker) heartbeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(w.opt.Lease, 2*time.Second))
	defer cancel()
	holds, named := w.currentLeases()
	jobs, attempts := make([]int64, len(holds)), make([]int32, len(holds))
	for i, h := range holds {
		jobs[i], attempts[i] = h.job, h.attempt
	}
	w.mu.Lock()
	answered, failed, note := w.sum.Answered, w.sum.Quarantined, secret.Redact(w.note)
	w.mu.Unlock()
	var b pgx.Batch
	b.Queue(`INSERT INTO mllmrec.worker (id, host, pid, lease, jobs, answered, failed, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET seen = now(), jobs = excluded.jobs, answered = excluded.answered, failed = excluded.failed, note = excluded.note`,
		w.id, w.host, os.Getpid(), w.opt.Lease, named, answered, failed, note)
	// A job that is not running any more was recorded as ended; a job that runs with another
	// attempt number was lost.
	b.Queue(`SELECT held.job, held.attempt, j.state = 'running' FROM unnest($1::bigint[], $2::int[]) AS held (job, attempt)
		JOIN mllmrec.river_job j ON j.id = held.job WHERE j.state <> 'running' OR j.attempt <> held.attempt`, jobs, attempts)
	results := w.store.Pool().SendBatch(ctx, &b)
	defer results.Close()
	if _, err := results.Exec(); err != nil {
		return fmt.Errorf("send heartbeat: %w", err)
	}
	rows, err := results.Query()
	if err != nil {
		return fmt.Errorf("send heartbeat: %w", err)
	}
	var h leaseID
	var elsewhere bool
	_, err = pgx.ForEachRow(rows, []any{&h.job, &h.attempt, &elsewhere}, func() error {
		w.leaseGone(h, elsewhere)
		return nil
	})
	if err != nil {
		return fmt.Errorf("send heartbeat: %w", err)
	}
	return nil
}

// currentLeases lists all leases, and the jobs that the heartbeat names. It drops leases
// that ended more than the duration of a lease ago: if River has not recorded their end by
// then, it never will, and another worker must take the chunk. Lost leases are not named:
// if the job's new worker dies, the job must be freed.
func (w *worker) currentLeases() (holds []leaseID, named []int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	named = []int64{}
	for h, l := range w.leases {
		if !l.ended.IsZero() && time.Since(l.ended) > w.opt.Lease {
			delete(w.leases, h)
			continue
		}
		holds = append(holds, h)
		if !l.lost {
			named = append(named, h.job)
		}
	}
	return holds, named
}

// leaseGone handles a lease whose job this worker does not hold under it any more. elsewhere
// says that the job still runs, at another worker or under a later lease of this one.
func (w *worker) leaseGone(h leaseID, elsewhere bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.leases[h]
	switch {
	case l == nil:
	case !l.ended.IsZero():
		delete(w.leases, h)
	default:
		l.lost = true
		l.cancel(errLost)
		if !elsewhere {
			select {
			case <-l.over:
			default:
				close(l.over)
			}
		}
	}
}

// freeDeadLeases frees the chunks of workers that send no heartbeats. Leases are counted from
// the start of the database at the earliest, since no worker could send one before.
func (w *worker) freeDeadLeases(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, max(w.opt.Lease, 2*time.Second))
	defer cancel()
	tag, err := w.store.Pool().Exec(ctx, `
		WITH patience AS (
			SELECT greatest($2::interval, (SELECT max(lease) FROM mllmrec.worker WHERE seen > now() - lease)) AS lease
		), dead AS (
			SELECT j.id FROM mllmrec.river_job j, patience p
			WHERE j.kind = $1 AND j.state = 'running' AND j.attempted_at < now() - p.lease AND pg_postmaster_start_time() < now() - p.lease
				AND NOT EXISTS (SELECT FROM mllmrec.worker w WHERE w.seen > now() - w.lease AND j.id = ANY (w.jobs))
			FOR UPDATE OF j SKIP LOCKED
		)
		UPDATE mllmrec.river_job j SET
			state = (CASE WHEN j.metadata ? 'cancel_attempted_at' THEN 'cancelled' WHEN j.attempt >= j.max_attempts THEN 'discarded' ELSE 'available' END)::mllmrec.river_job_state,
			finalized_at = CASE WHEN j.metadata ? 'cancel_attempted_at' OR j.attempt >= j.max_attempts THEN now() END,
			scheduled_at = now(),
			errors = array_append(j.errors, jsonb_build_object('at', now(), 'attempt', j.attempt, 'error', 'the worker went away', 'trace', ''))
		FROM dead WHERE j.id = dead.id`, jobKind, w.opt.Lease)
	if err != nil {
		w.log.Warn("looking for dead workers failed", "error", err)
		return
	}
	if n := tag.RowsAffected(); n > 0 {
		w.log.Info("freed the chunks of dead workers", "chunks", n)
	}
	if _, err := w.store.Pool().Exec(ctx, "DELETE FROM mllmrec.worker WHERE seen < now() - greatest(20 * lease, interval '1 hour')"); err != nil {
		w.log.Warn("removing dead workers from the list failed", "error", err)
	}
}

// queueEmpty reports whether the queue has no unfinished job.
func (w *worker) queueEmpty(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, w.opt.Lease)
	defer cancel()
	var any bool
	err := w.store.Pool().QueryRow(ctx, "SELECT EXISTS (SELECT FROM mllmrec.river_job WHERE kind = $1 AND state::text = ANY ($2))", jobKind, unfinishedStates).Scan(&any)
	return err == nil && !any
}

// deregister removes the worker from the list of workers. A worker that used up its budget
// stays listed, with that as its note.
func (w *worker) deregister(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if mllm.ClassOf(context.Cause(w.stopping)) == mllm.OverBudget {
		_, err := w.store.Pool().Exec(ctx, "UPDATE mllmrec.worker SET jobs = '{}', seen = now() - 2 * lease, note = $2 WHERE id = $1", w.id, secret.Redact(context.Cause(w.stopping).Error()))
		if err == nil {
			return
		}
	}
	if _, err := w.store.Pool().Exec(ctx, "DELETE FROM mllmrec.worker WHERE id = $1", w.id); err != nil {
		w.log.Warn("removing this worker from the list failed", "error", err)
	}
}
