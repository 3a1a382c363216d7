package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
)

// WorkerOptions are the options of a worker.
type WorkerOptions struct {
	// Describer and Reasoner make the describer or reasoner that a job's Spec defines; its ID
	// must be the job's Writer. Each is called once for a Spec. store is the ledger, for
	// reasoners that store conclusions in it. Where one is nil, jobs of that stage fail.
	Describer func(ctx context.Context, spec json.RawMessage, store texts.Store) (texts.Describer, error)
	Reasoner  func(ctx context.Context, spec json.RawMessage, store texts.Store) (texts.Reasoner, error)

	// DescribeServers returns which models the worker's servers have, for coordinators; see
	// [ReportedServers]. nil: the worker does not report them.
	DescribeServers func(context.Context) (mllm.ServerInfo, error)

	Concurrency int           // questions in flight, over all chunks; 0 = 1
	Backoff     time.Duration // as in [texts.Options]
	Grace       time.Duration // as in [texts.Options]
	// Lease is how long after its last heartbeat a worker is considered dead and its chunks
	// are freed; 0 = 15 s.
	Lease time.Duration
	// Slice is how long a worker works on a chunk before it hands it back and takes it again,
	// so that a slow model does not exceed River's time limit for a job; 0 = 6 h.
	Slice time.Duration
	// UntilEmpty makes the worker return when the queue is empty and no other worker runs a
	// job either.
	UntilEmpty bool
	Log        *slog.Logger       // nil = slog.Default()
	now        func() time.Time   // this machine's clock; a test sets it wrong
	Progress   func(texts.Report) // called after each chunk with the sums so far, never concurrently
}

func (o WorkerOptions) withDefaults() WorkerOptions {
	o.Concurrency = max(o.Concurrency, 1)
	o.Lease = cmp.Or(o.Lease, 15*time.Second)
	o.Slice = cmp.Or(o.Slice, 6*time.Hour)
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.now == nil {
		o.now = time.Now
	}
	return o
}

// rescueMargin is more than clocks are apart: River rescues by the clock of one of the workers,
// and must not take a chunk that another still works on. Leases free those of dead workers
// long before.
const rescueMargin = 30 * 24 * time.Hour

// hardLimit bounds the time of one question at the end of a chunk's slice: River cancels a
// job that takes longer than slice, grace and hardLimit together.
const hardLimit = 30 * time.Minute

// RunWorker works on chunks until ctx is cancelled. Then it finishes the questions in
// flight, hands the rest of its chunks back and returns nil. If the budget of its models is
// used up, it returns that error of package mllm. The report sums what the worker did.
func RunWorker(ctx context.Context, address string, opt WorkerOptions) (texts.Report, error) {
	opt = opt.withDefaults()
	store, err := postgres.Open(ctx, address)
	if err != nil {
		return texts.Report{}, err
	}
	defer store.Close()
	if err := prepare(ctx, store.Pool(), opt.Log); err != nil {
		return texts.Report{}, err
	}
	w := newWorker(store, opt)
	stopping, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w.stopping, w.stop = stopping, stop

	ahead, err := w.clock.compare(ctx, store.Pool())
	if err != nil {
		return w.sum, err
	}
	if ahead.Abs() > tellClock {
		opt.Log.Warn("this machine's clock and the database's differ; the database's counts", "database ahead by", ahead.Round(time.Second))
	}
	client, err := w.client()
	if err != nil {
		return w.sum, fmt.Errorf("open job queue: %w", err)
	}
	if err := w.heartbeat(ctx); err != nil { // before the first lease
		return w.sum, err
	}
	// River is stopped explicitly below: cancelling ctx must not cut off questions in flight.
	uncancelled := context.WithoutCancel(ctx)
	if err := client.Start(uncancelled); err != nil {
		return w.sum, fmt.Errorf("open job queue: %w", err)
	}
	var background sync.WaitGroup
	quit := make(chan struct{})
	background.Go(func() { w.runHeartbeats(uncancelled, quit) })
	if opt.DescribeServers != nil {
		publishing, stopPublishing := context.WithCancel(uncancelled)
		defer stopPublishing()
		background.Go(func() { w.publish(publishing, quit) })
		context.AfterFunc(stopping, stopPublishing)
	}
	<-stopping.Done()
	end, cancel := context.WithTimeout(uncancelled, max(opt.Grace, 30*time.Second)+30*time.Second) // a client may have a grace of its own
	defer cancel()
	if err := client.Stop(end); err != nil {
		opt.Log.Warn("chunks do not end, their leases will run out", "error", err)
		hard, cancel := context.WithTimeout(uncancelled, 10*time.Second)
		defer cancel()
		if err := client.StopAndCancel(hard); err != nil {
			opt.Log.Warn("chunks do not end even when cancelled", "error", err)
		}
	}
	close(quit)
	background.Wait()
	w.deregister(uncancelled)
	if err := context.Cause(stopping); err != nil && !errors.Is(err, errEmpty) && ctx.Err() == nil {
		return w.sum, err
	}
	return w.sum, nil
}

// tellClock is the difference between two clocks that somebody should mend.
const tellClock = 5 * time.Second

// errEmpty stops a worker with UntilEmpty when the queue is empty.
var errEmpty = errors.New("the queue is empty")

// worker is one worker process.
type worker struct {
	river.WorkerDefaults[chunkArgs]
	id    string
	host  string
	store *postgres.Store
	opt   WorkerOptions
	log   *slog.Logger
	clock *databaseClock
	slots chan struct{} // holds an element for each question in flight

	stopping context.Context
	stop     context.CancelCauseFunc

	mu      sync.Mutex
	leases  map[leaseID]*lease
	writers map[string]*factory
	sum     texts.Report
	note    string
	noted   time.Time
}

func newWorker(store *postgres.Store, opt WorkerOptions) *worker {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var tag [4]byte
	rand.Read(tag[:]) // never fails; it distinguishes processes, and no result depends on it
	return &worker{
		id: fmt.Sprintf("%.60s-%d-%s", host, os.Getpid(), hex.EncodeToString(tag[:])), host: host,
		store: store, opt: opt, log: opt.Log, clock: &databaseClock{local: opt.now}, slots: make(chan struct{}, opt.Concurrency),
		leases: map[leaseID]*lease{}, writers: map[string]*factory{},
		sum: texts.Report{Classes: map[string]int{}, Failures: []texts.Failure{}},
	}
}

// client configures River. Leases are this package's own (see lease.go). River's rescue of
// stuck jobs counts from the beginning of a job, so it only catches what leases miss.
func (w *worker) client() (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, w); err != nil {
		return nil, err
	}
	limit := w.opt.Slice + max(w.opt.Grace, 0) + hardLimit
	return river.NewClient(riverpgxv5.New(w.store.Pool()), &river.Config{
		ID: w.id, Schema: pg.Schema, Logger: w.log, Workers: workers,
		// More chunks than are needed for Concurrency questions, so that some are asked while
		// others are fetched or finished.
		Queues:               map[string]river.QueueConfig{queueName: {MaxWorkers: 2*((w.opt.Concurrency+chunkSize-1)/chunkSize) + 1}},
		FetchCooldown:        20 * time.Millisecond,
		FetchPollInterval:    time.Second,
		JobTimeout:           limit,
		RescueStuckJobsAfter: limit + rescueMargin,
		// River calls its clock a test's. It is the only way to have it write times of the database's.
		Test: river.TestConfig{Time: w.clock},
	})
}

// factory makes one describer or reasoner, and keeps it.
type factory struct {
	mu    sync.Mutex
	w     textWriter
	made  bool
	err   error // of the last try
	tried time.Time
}

// retryFactoryAfter is how long a failure to make a describer or reasoner is not tried
// again.
const retryFactoryAfter = 5 * time.Second

// writer returns the describer or reasoner for a chunk.
func (w *worker) writer(ctx context.Context, p *payload) (textWriter, error) {
	key := p.Stage + "\n" + string(p.Spec)
	w.mu.Lock()
	f := w.writers[key]
	if f == nil {
		f = &factory{}
		w.writers[key] = f
	}
	w.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.made && time.Since(f.tried) >= retryFactoryAfter {
		f.w, f.err = w.make(ctx, p)
		f.made, f.tried = f.err == nil, time.Now()
	}
	if f.err != nil {
		return textWriter{}, f.err
	}
	if id := f.w.id(); id != p.Writer {
		return textWriter{}, fmt.Errorf("this worker's model is not the one requested: it is %s, requested is %s", id, p.Writer)
	}
	return f.w, nil
}

func (w *worker) make(ctx context.Context, p *payload) (made textWriter, err error) {
	switch {
	case p.Stage == texts.StageDescribe && w.opt.Describer != nil:
		made.describer, err = w.opt.Describer(ctx, p.Spec, w.store)
	case p.Stage == texts.StageReason && w.opt.Reasoner != nil:
		made.reasoner, err = w.opt.Reasoner(ctx, p.Spec, w.store)
	default:
		return made, fmt.Errorf("this worker does not work on stage %q", p.Stage)
	}
	return made, err
}
