package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// Progress is the state of a batch while the coordinator waits for it.
type Progress struct {
	Questions int // in the batch
	Settled   int // in chunks that are over
	Chunks    map[string]int
	Workers   int    // that are alive
	Note      string // what keeps a worker from working; empty if nothing does
	Report    texts.Report
	Elapsed   time.Duration
}

// Result is the outcome of a batch.
type Result struct {
	Report texts.Report // summed over the chunks that were settled
	// GivenUp holds the last error of each chunk that failed too often or was cancelled.
	GivenUp []string
}

const pollEvery = 500 * time.Millisecond

// pollSize is how many jobs one query looks up.
const pollSize = 20000

// Wait returns when all jobs of a batch are finished. Cancelling ctx ends the waiting only:
// workers continue, and a later Enqueue of the same questions returns the same jobs. To
// take jobs back use [Withdraw]. progress may be nil.
func (c *Coordinator) Wait(ctx context.Context, b *Batch, progress func(Progress)) (Result, error) {
	started := time.Now()
	open := maps.Clone(b.jobs)
	res := Result{Report: texts.Report{Classes: map[string]int{}, Failures: []texts.Failure{}}}
	p := Progress{Questions: b.Questions}
	for {
		p.Chunks = map[string]int{}
		for ids := range slices.Chunk(slices.Sorted(maps.Keys(open)), pollSize) {
			if err := c.poll(ctx, ids, open, &res, &p); err != nil {
				return res, fmt.Errorf("wait for workers: %w", err)
			}
		}
		if progress != nil {
			if s, err := Status(ctx, c.pool); err == nil {
				p.Workers, p.Note = s.alive()
			}
			p.Report, p.Elapsed = res.Report, time.Since(started)
			p.Report.Classes = maps.Clone(p.Report.Classes)
			progress(p)
		}
		if len(open) == 0 {
			return res, c.prune(ctx)
		}
		select {
		case <-ctx.Done():
			return res, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// poll looks jobs up, adds the reports of finished ones to res and removes them from open.
// A job that River no longer has was finished long ago.
func (c *Coordinator) poll(ctx context.Context, ids []int64, open map[int64]int, res *Result, p *Progress) error {
	type row struct {
		id      int64
		state   string
		failure string
		report  []byte
	}
	var jobs []row
	err := pg.Retry(ctx, retryFor, func(ctx context.Context) error {
		rows, err := c.pool.Query(ctx, `SELECT ask.id, coalesce(j.state::text, 'gone'),
			coalesce(CASE WHEN j.state IN ('discarded', 'cancelled') THEN j.errors[array_upper(j.errors, 1)] ->> 'error' END, ''),
			CASE WHEN j.finalized_at IS NOT NULL THEN (SELECT c.report FROM mllmrec.chunk c WHERE c.job = ask.id) END
			FROM unnest($1::bigint[]) AS ask (id) LEFT JOIN mllmrec.river_job j ON j.id = ask.id`, ids)
		if err != nil {
			return err
		}
		jobs, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (j row, err error) {
			return j, r.Scan(&j.id, &j.state, &j.failure, &j.report)
		})
		return err
	})
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if slices.Contains(unfinishedStates, j.state) {
			p.Chunks[j.state]++
			continue
		}
		p.Settled += open[j.id]
		delete(open, j.id)
		switch j.state {
		case "discarded", "cancelled":
			if j.failure == "" {
				j.failure = "it was " + j.state
			}
			res.GivenUp = append(res.GivenUp, j.failure)
		}
		var runs []texts.Report // several, if the chunk was handed back and taken again
		if len(j.report) > 0 && json.Unmarshal(j.report, &runs) == nil {
			for _, r := range runs {
				addReports(&res.Report, r)
			}
		}
	}
	return nil
}

// maxFailures bounds the failures listed.
const maxFailures = 1000

// addReports adds r to sum.
func addReports(sum *texts.Report, r texts.Report) {
	sum.Total += r.Total
	sum.Stored += r.Stored
	sum.Answered += r.Answered
	sum.Quarantined += r.Quarantined
	sum.Asked += r.Asked
	sum.PromptTokens += r.PromptTokens
	sum.AnswerTokens += r.AnswerTokens
	for class, n := range r.Classes {
		sum.Classes[class] += n
	}
	sum.Failures = append(sum.Failures, r.Failures[:min(len(r.Failures), maxFailures-len(sum.Failures))]...)
}
