package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/internal/database/pg"
)

// State is the state of the queue at one moment.
type State struct {
	// Jobs counts chunks by River's state: available, running, retryable, scheduled,
	// completed, cancelled, discarded. River removes finished chunks after a day,
	// discarded ones after a week.
	Jobs      map[string]int `json:"jobs"`
	Backlog   []Backlog      `json:"left"`      // unfinished chunks, by stage and owner
	Questions int            `json:"questions"` // in all of Backlog
	Workers   []WorkerState  `json:"workers"`
}

// Backlog counts the unfinished chunks of one stage and owner.
type Backlog struct {
	Stage     string `json:"stage"`
	Owner     string `json:"owner"`   // see [Job]
	Waiting   int    `json:"waiting"` // chunks that no worker has begun, or that were handed back
	Running   int    `json:"running"` // chunks
	Questions int    `json:"questions"`
}

// WorkerState is what a worker reported with its last heartbeat.
type WorkerState struct {
	ID       string    `json:"id"`
	Host     string    `json:"host"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Seen     time.Time `json:"seen"`
	Alive    bool      `json:"alive"`  // seen within its lease
	Chunks   int       `json:"chunks"` // leased
	Answered int64     `json:"answered"`
	Failed   int64     `json:"failed"` // questions quarantined
	Note     string    `json:"note"`   // what keeps it from working; empty if nothing does
}

func (s *State) alive() (n int, note string) {
	for _, w := range s.Workers {
		if w.Alive {
			n++
			if w.Note != "" {
				note = fmt.Sprintf("worker %s: %s", w.ID, w.Note)
			}
		}
	}
	return n, note
}

// Status returns the state of the queue. A database without a queue has an empty state.
func Status(ctx context.Context, pool *pgxpool.Pool) (*State, error) {
	s := &State{Jobs: map[string]int{}, Backlog: []Backlog{}, Workers: []WorkerState{}}
	err := pg.Retry(ctx, retryFor, func(ctx context.Context) error {
		if there, err := hasQueue(ctx, pool); err != nil || !there {
			return err
		}
		clear(s.Jobs)
		rows, err := pool.Query(ctx, "SELECT state::text, count(*) FROM mllmrec.river_job WHERE kind = $1 GROUP BY state", jobKind)
		if err != nil {
			return err
		}
		var state string
		var n int
		if _, err := pgx.ForEachRow(rows, []any{&state, &n}, func() error {
			s.Jobs[state] = n
			return nil
		}); err != nil {
			return err
		}
		if err := s.readBacklog(ctx, pool); err != nil {
			return err
		}
		rows, err = pool.Query(ctx, `SELECT id, host, pid, started, seen, seen > now() - lease, (SELECT count(*) FROM mllmrec.river_job j WHERE j.id = ANY (jobs) AND j.state = 'running'), answered, failed, note
			FROM mllmrec.worker ORDER BY started, id`)
		if err != nil {
			return err
		}
		s.Workers, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (w WorkerState, err error) {
			err = r.Scan(&w.ID, &w.Host, &w.PID, &w.Started, &w.Seen, &w.Alive, &w.Chunks, &w.Answered, &w.Failed, &w.Note)
			return w, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("status of the job queue: %w", err)
	}
	return s, nil
}

func (s *State) readBacklog(ctx context.Context, pool *pgxpool.Pool) error {
	rows, err := pool.Query(ctx, `SELECT args ->> 'stage', coalesce(args ->> 'owner', ''), count(*) FILTER (WHERE state <> 'running'),
		count(*) FILTER (WHERE state = 'running'), sum((args ->> 'questions')::int)
		FROM mllmrec.river_job WHERE kind = $1 AND state::text = ANY ($2) GROUP BY 1, 2 ORDER BY 1, 2`, jobKind, unfinishedStates)
	if err != nil {
		return err
	}
	s.Questions = 0
	s.Backlog, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (l Backlog, err error) {
		err = r.Scan(&l.Stage, &l.Owner, &l.Waiting, &l.Running, &l.Questions)
		s.Questions += l.Questions
		return l, err
	})
	return err
}
