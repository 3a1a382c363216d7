package queue

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// chunkSize is the default number of questions in a job: few enough that another worker
// soon redoes the chunk of a killed one, many enough that the queue is no bottleneck.
const chunkSize = 16

// maxAttempts is how often a chunk is begun before it is given up, because every worker
// that took it died or failed. Questions that fail by themselves do not count.
const maxAttempts = 25

// enqueueLock is the advisory lock that a coordinator holds while it queues.
const enqueueLock = 0x6d6c6c6d72656332 // "mllmrec2"

// unfinishedStates are the states of jobs that are not over.
var unfinishedStates = []string{"available", "pending", "running", "retryable", "scheduled"}

// Batch is a set of jobs to wait for.
type Batch struct {
	jobs map[int64]int // questions of each job
	// Questions is how many questions were handed to Enqueue; Queued how many of them
	// were not in the queue yet.
	Questions, Queued int
}

// Enqueue cuts questions into chunks, queues them, and adds the jobs to b. If a job in the
// queue already has the question, whoever queued it, the question is not queued again and
// that job is added to b. So enqueuing twice is harmless.
func (c *Coordinator) Enqueue(ctx context.Context, b *Batch, job Job, questions []texts.Question) error {
	if job.ChunkSize <= 0 {
		job.ChunkSize = chunkSize
	}
	if b.jobs == nil {
		b.jobs = map[int64]int{}
	}
	blobs := map[digest][]byte{}
	packed := make([]storedQuestion, len(questions))
	keys := make([]string, len(questions))
	for i, q := range questions {
		var err error
		if packed[i], err = pack(job.Stage, q, blobs); err != nil {
			return fmt.Errorf("queue questions: %w", err)
		}
		keys[i] = q.About.Key
	}
	if err := c.send(ctx, blobs); err != nil {
		return fmt.Errorf("queue questions: store items and pictures: %w", err)
	}
	var jobs map[int64]int
	queued := 0
	// If a commit is repeated that did happen, its questions are found in the queue.
	err := pg.Retry(ctx, retryFor, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) (err error) {
			var fresh []storedQuestion
			if jobs, fresh, err = splitQueued(ctx, tx, keys, packed); err != nil || len(fresh) == 0 {
				return err
			}
			queued = len(fresh)
			return c.insert(ctx, tx, job, fresh, jobs)
		})
	})
	if err != nil {
		return fmt.Errorf("queue questions: %w", err)
	}
	for id, n := range jobs {
		b.jobs[id] += n
	}
	b.Questions += len(questions)
	b.Queued += queued
	return nil
}

// splitQueued returns the unfinished jobs that have some of the questions, with the number of
// these, and the questions that no job has.
func splitQueued(ctx context.Context, tx pgx.Tx, keys []string, packed []storedQuestion) (jobs map[int64]int, fresh []storedQuestion, err error) {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(enqueueLock)); err != nil {
		return nil, nil, err
	}
	_, err = tx.Exec(ctx, `DELETE FROM mllmrec.question q WHERE key = ANY ($1)
		AND NOT EXISTS (SELECT FROM mllmrec.river_job j WHERE j.id = q.job AND j.state::text = ANY ($2))`, keys, unfinishedStates)
	if err != nil {
		return nil, nil, err
	}
	rows, err := tx.Query(ctx, "SELECT key, job FROM mllmrec.question WHERE key = ANY ($1)", keys)
	if err != nil {
		return nil, nil, err
	}
	jobs, queued := map[int64]int{}, map[string]bool{}
	var key string
	var id int64
	if _, err := pgx.ForEachRow(rows, []any{&key, &id}, func() error {
		jobs[id]++
		queued[key] = true
		return nil
	}); err != nil {
		return nil, nil, err
	}
	for _, q := range packed {
		if !queued[q.Key] {
			queued[q.Key] = true
			fresh = append(fresh, q)
		}
	}
	return jobs, fresh, nil
}

// insert queues questions in chunks and adds the new jobs to jobs.
func (c *Coordinator) insert(ctx context.Context, tx pgx.Tx, job Job, fresh []storedQuestion, jobs map[int64]int) error {
	var params []river.InsertManyParams
	var chunks [][]storedQuestion
	var stored pgx.Batch
	for part := range slices.Chunk(fresh, job.ChunkSize) {
		p := payload{payloadFormat, job.Stage, job.Domain, job.Writer, job.Spec, job.Attempts, part}
		data, err := p.encode()
		if err != nil {
			return err
		}
		id := p.id()
		stored.Queue(`INSERT INTO mllmrec.chunk (id, payload) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, job = NULL, report = NULL, created = now()`, id, data)
		params = append(params, river.InsertManyParams{Args: chunkArgs{id, job.Stage, len(part), job.Owner}, InsertOpts: &river.InsertOpts{
			Queue: queueName, MaxAttempts: maxAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
				rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled}},
		}})
		chunks = append(chunks, part)
	}
	if err := tx.SendBatch(ctx, &stored).Close(); err != nil {
		return err
	}
	results, err := c.river.InsertManyTx(ctx, tx, params)
	if err != nil {
		return err
	}
	var linked pgx.Batch
	for i, r := range results {
		keys := make([]string, len(chunks[i]))
		for j, q := range chunks[i] {
			keys[j] = q.Key
		}
		jobs[r.Job.ID] += len(keys)
		linked.Queue("UPDATE mllmrec.chunk SET job = $2 WHERE id = $1", params[i].Args.(chunkArgs).Chunk, r.Job.ID)
		linked.Queue("INSERT INTO mllmrec.question (key, job) SELECT unnest($1::text[]), $2", keys, r.Job.ID)
	}
	return tx.SendBatch(ctx, &linked).Close()
}

// sentTrust is how long the coordinator relies on a blob that it sent being in the database;
// prune keeps blobs for longer.
const sentTrust = time.Hour

// sendBytes is the number of bytes after which a statement is sent.
const sendBytes = 8 << 20

// send stores those blobs that are not in the database yet.
func (c *Coordinator) send(ctx context.Context, blobs map[digest][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.since) > sentTrust {
		clear(c.sent)
		c.since = time.Now()
	}
	var sums [][]byte
	for d := range blobs {
		if !c.sent[d] {
			sums = append(sums, bytes.Clone(d[:]))
		}
	}
	slices.SortFunc(sums, bytes.Compare) // coordinators take row locks in the same order
	var there [][]byte
	err := pg.Retry(ctx, retryFor, func(ctx context.Context) error {
		rows, err := c.pool.Query(ctx, "UPDATE mllmrec.blob SET used = now() WHERE sha256 = ANY ($1) RETURNING sha256", sums)
		if err != nil {
			return err
		}
		there, err = pgx.CollectRows(rows, pgx.RowTo[[]byte])
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range there {
		c.sent[digest(s)] = true
	}
	var part, data [][]byte
	size := 0
	flush := func() error {
		err := pg.Retry(ctx, retryFor, func(ctx context.Context) error {
			_, err := c.pool.Exec(ctx, "INSERT INTO mllmrec.blob (sha256, data) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT (sha256) DO UPDATE SET used = now()", part, data)
			return err
		})
		for _, s := range part {
			c.sent[digest(s)] = err == nil
		}
		part, data, size = nil, nil, 0
		return err
	}
	for _, s := range sums {
		d := digest(s)
		if c.sent[d] {
			continue
		}
		part, data = append(part, s), append(data, blobs[d])
		if size += len(blobs[d]); size >= sendBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(part) == 0 {
		return nil
	}
	return flush()
}

// prune removes chunks, questions and blobs that no unfinished job needs. A blob that such a
// job needs was marked as used at most sentTrust before the job was made.
func (c *Coordinator) prune(ctx context.Context) error {
	for _, query := range []string{
		`DELETE FROM mllmrec.chunk c WHERE created < now() - interval '1 hour'
			AND NOT EXISTS (SELECT FROM mllmrec.river_job j WHERE j.id = c.job AND j.state::text = ANY ($1))`,
		`DELETE FROM mllmrec.question q
			WHERE NOT EXISTS (SELECT FROM mllmrec.river_job j WHERE j.id = q.job AND j.state::text = ANY ($1))`,
		`DELETE FROM mllmrec.blob WHERE used < now() - interval '2 days'
			AND used < (SELECT coalesce(min(created_at), now()) - interval '2 hours' FROM mllmrec.river_job WHERE kind = '` + jobKind + `' AND state::text = ANY ($1))`,
	} {
		err := pg.Retry(ctx, retryFor, func(ctx context.Context) error {
			_, err := c.pool.Exec(ctx, query, unfinishedStates)
			return err
		})
		if err != nil {
			return fmt.Errorf("tidy the job queue: %w", err)
		}
	}
	return nil
}
