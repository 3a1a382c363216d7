package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// Work implements river.Worker: it asks the questions of one chunk.
func (w *worker) Work(ctx context.Context, job *river.Job[chunkArgs]) error {
	ctx, l := w.take(ctx, job.ID, job.Attempt)
	defer w.release(l)
	report, err := w.settle(ctx, job.Args)
	if err == nil {
		return w.finish(ctx, job, report)
	}
	w.addReport(report)
	w.keepPartialReport(ctx, job.Args.Chunk, report)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errLost):
		w.log.Warn("lease lost", "job", job.ID)
		w.awaitOther(l)
		return nil // River does not change a job that is no longer running
	case errors.Is(cause, river.ErrJobCancelledRemotely):
		return cause
	case w.stopping.Err() != nil, errors.Is(err, errSlice):
		return river.JobSnooze(0)
	}
	return w.failed(ctx, job, err)
}

// settle asks the questions of a chunk that have no stored answer.
func (w *worker) settle(ctx context.Context, args chunkArgs) (texts.Report, error) {
	p, blobs, err := w.load(ctx, args.Chunk)
	if err != nil {
		return texts.Report{}, err
	}
	model, err := w.writer(ctx, p)
	if err != nil {
		return texts.Report{}, &unfitWorker{err}
	}
	questions, err := p.questions(model, blobs)
	if err != nil {
		return texts.Report{}, &unfitWorker{err}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, w.opt.Slice, errSlice)
	defer cancel()
	var d texts.Describer
	var r texts.Reasoner
	if model.describer != nil {
		d = slotDescriber{model.describer, requestSlots{w.slots, ctx.Done()}}
	} else {
		r = slotReasoner{model.reasoner, requestSlots{w.slots, ctx.Done()}}
	}
	report, err := texts.Ask(ctx, p.Stage, questions, d, r, w.store, texts.Options{
		Concurrency: min(w.opt.Concurrency, len(questions)), Attempts: p.Attempts, Backoff: w.opt.Backoff, Grace: w.opt.Grace,
	})
	if err != nil && errors.Is(context.Cause(ctx), errSlice) {
		err = errSlice
	}
	return report, err
}

// errSlice ends the work on a chunk, which is then handed back and taken again.
var errSlice = errors.New("the chunk's slice of time is over")

// unfitWorker is the failure of a worker that cannot do a job which another worker may do.
type unfitWorker struct{ error }

func (c *unfitWorker) Unwrap() error { return c.error }

// load reads a chunk and the items and pictures that it refers to.
func (w *worker) load(ctx context.Context, chunk string) (*payload, map[digest][]byte, error) {
	var data []byte
	err := pg.Retry(ctx, retryFor, func(ctx context.Context) error {
		return w.store.Pool().QueryRow(ctx, "SELECT payload FROM mllmrec.chunk WHERE id = $1", chunk).Scan(&data)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read chunk: %w", err)
	}
	p, err := decodePayload(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read chunk: %w", err)
	}
	blobs := map[digest][]byte{}
	var sums [][]byte
	want := func(d digest) {
		if _, met := blobs[d]; !met {
			blobs[d] = nil
			sums = append(sums, append([]byte(nil), d[:]...))
		}
	}
	for _, q := range p.Questions {
		for _, d := range q.Items {
			want(d)
		}
		if q.Image != nil {
			want(q.Image.SHA256)
		}
	}
	found := 0
	err = pg.Retry(ctx, retryFor, func(ctx context.Context) error {
		rows, err := w.store.Pool().Query(ctx, "SELECT sha256, data FROM mllmrec.blob WHERE sha256 = ANY ($1)", sums)
		if err != nil {
			return err
		}
		found = 0
		var sum, blob []byte
		_, err = pgx.ForEachRow(rows, []any{&sum, &blob}, func() error {
			blobs[digest(sum)] = append([]byte(nil), blob...)
			found++
			return nil
		})
		return err
	})
	if err == nil && found < len(sums) {
		err = fmt.Errorf("%d of %d items and pictures are missing", len(sums)-found, len(sums))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read chunk's items and pictures: %w", err)
	}
	return p, blobs, nil
}

// finish stores a chunk's report and removes its questions from the queue.
func (w *worker) finish(ctx context.Context, job *river.Job[chunkArgs], report texts.Report) error {
	w.addReport(report)
	raw, err := json.Marshal(report)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	err = pg.Retry(ctx, retryFor, func(ctx context.Context) error {
		var b pgx.Batch
		b.Queue(appendReport, job.Args.Chunk, raw)
		b.Queue("DELETE FROM mllmrec.question WHERE job = $1", job.ID)
		return w.store.Pool().SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return fmt.Errorf("record the end of a chunk: %w", err)
	}
	w.setNote("")
	return nil
}

const appendReport = "UPDATE mllmrec.chunk SET report = coalesce(report, '[]') || $2::jsonb WHERE id = $1"

// keepPartialReport stores the report of a chunk that is not finished, so that the
// coordinator's sums are complete. If the database cannot be reached the report is lost:
// the sums are for information only.
func (w *worker) keepPartialReport(ctx context.Context, chunk string, report texts.Report) {
	raw, err := json.Marshal(report)
	if err != nil || report.Asked == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := w.store.Pool().Exec(ctx, appendReport, chunk, raw); err != nil {
		w.log.Warn("a report was lost", "error", err)
	}
}

// failed decides what is done with a chunk that could not be settled. If the model cannot be
// reached, the worker keeps the chunk for a while before it hands it back, so that it does
// not fail the whole queue chunk by chunk; such failures do not count as attempts. All
// others count: after maxAttempts a chunk is given up.
func (w *worker) failed(ctx context.Context, job *river.Job[chunkArgs], err error) error {
	w.log.Warn("chunk failed", "job", job.ID, "attempt", job.Attempt, "error", err)
	w.setNote(secret.Redact(err.Error()))
	var c *unfitWorker
	switch class := mllm.ClassOf(err); {
	case class == mllm.OverBudget:
		w.stop(err)
		return river.JobSnooze(0)
	case class == mllm.Unavailable, errors.As(err, &c) && class.Transient():
		w.pause(ctx)
		return river.JobSnooze(0)
	case class == mllm.Auth, class == mllm.NotFound, class == mllm.WrongModel, c != nil:
		w.pause(ctx)
	}
	return errors.New(secret.Redact(err.Error())) // River stores it with the job
}

// NextRetry implements river.Worker. The waits are short enough that River needs no elected
// leader among the workers to end them.
func (w *worker) NextRetry(job *river.Job[chunkArgs]) time.Time {
	return w.clock.Now().Add(min(time.Duration(job.Attempt)*500*time.Millisecond, time.Minute))
}

// pauseAfterFailure is how long a worker that cannot reach its model keeps a chunk.
var pauseAfterFailure = 5 * time.Second // a test shortens it

func (w *worker) pause(ctx context.Context) {
	_ = mllm.Sleep(ctx, pauseAfterFailure) // the caller hands the chunk back either way
}

// addReport adds a chunk's report to the worker's sums.
func (w *worker) addReport(r texts.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	addReports(&w.sum, r)
	if w.opt.Progress != nil {
		w.opt.Progress(w.sum)
	}
}

// setNote records what keeps the worker from working. An empty note, after a success, takes
// effect only after a while.
func (w *worker) setNote(note string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if note != "" || time.Since(w.noted) > pauseAfterFailure {
		w.note, w.noted = note, time.Now()
	}
}

// requestSlots bounds the requests in flight over all chunks of a worker.
type requestSlots struct {
	free    chan struct{}
	stopped <-chan struct{} // closed when the worker must not begin further questions of the chunk
}

// acquire waits for a free slot. It fails once the chunk is stopped: questions in flight
// continue then, but no further one is asked.
func (g requestSlots) acquire(ctx context.Context) error {
	select {
	case <-g.stopped:
	default:
		select {
		case g.free <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-g.stopped:
		}
	}
	// Package texts tells a stop from a failure by its own context, which ends a moment
	// after stopped was closed.
	time.Sleep(10 * time.Millisecond)
	return context.Canceled
}

func (g requestSlots) release() { <-g.free }

type slotDescriber struct {
	texts.Describer
	requestSlots
}

func (g slotDescriber) Describe(ctx context.Context, r texts.DescribeRequest) (texts.Answer, error) {
	if err := g.acquire(ctx); err != nil {
		return texts.Answer{}, err
	}
	defer g.release()
	return g.Describer.Describe(ctx, r)
}

type slotReasoner struct {
	texts.Reasoner
	requestSlots
}

func (g slotReasoner) Reason(ctx context.Context, r texts.ReasonRequest) (texts.Answer, error) {
	if err := g.acquire(ctx); err != nil {
		return texts.Answer{}, err
	}
	defer g.release()
	return g.Reasoner.Reason(ctx, r)
}
