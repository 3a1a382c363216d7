package texts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// question is one subject's: what to ask, and under which key.
type question struct {
	at       int        // the subject's place in the run
	about    Generation // key, stage, subject, fold and provenance
	ask      func(ctx context.Context, attempt int) (Answer, error)
	unusable int // unusable answers so far: only these make the next attempt differ

	describe *DescribeRequest // what is asked: one of the two
	reason   *ReasonRequest

	pictureNote *Generation // to be stored with the answer
}

// outcome is a question after its last try in this run.
type outcome struct {
	q       *question
	g       Generation
	keep    bool // g is to be stored
	stopped bool // cancelled before it was answered
}

// run asks questions. Three parts work side by side: a feeder makes questions block by
// block and settles those whose answers are stored, workers ask the others, and a
// committer stores answers and only then settles them.
type run struct {
	stage   string
	store   Store
	opt     Options
	started time.Time
	index   *answerIndex

	mu       sync.Mutex // guards report, told
	report   Report
	reported time.Time

	stop context.CancelCauseFunc
}

// blockSize is how many subjects are looked up in the store at a time.
const blockSize = 256

func newRun(stage string, n int, store Store, opt Options, stop context.CancelCauseFunc) *run {
	return &run{stage: stage, store: store, opt: opt.withDefaults(), started: time.Now(), stop: stop, index: newAnswerIndex(n),
		report: Report{Total: n, Pending: n, Classes: map[string]int{}, Failures: []Failure{}}}
}

// preparer returns the i-th subject's question, or nil if it settled that itself. It is
// called concurrently for different subjects.
type preparer func(ctx context.Context, r *run, i int) (*question, error)

// runQuestions settles n subjects.
func runQuestions(ctx context.Context, stage string, n int, store Store, opt Options, prepare preparer) (*answerIndex, Report, error) {
	parent := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := newRun(stage, n, store, opt, stop)
	asks := make(chan *question, blockSize)
	outcomes := make(chan outcome, 2*blockSize)
	var feeder sync.WaitGroup
	feeder.Go(func() {
		defer close(asks)
		if err := r.feed(ctx, n, prepare, asks); err != nil {
			stop(err)
		}
	})
	go func() {
		defer close(outcomes)
		var workers sync.WaitGroup
		for range r.opt.Concurrency {
			workers.Go(func() { r.work(ctx, asks, outcomes) })
		}
		workers.Wait()
	}()
	still := r.heartbeat()
	r.commit(outcomes)
	feeder.Wait()
	still()

	r.report.Seconds = time.Since(r.started).Seconds()
	r.reportProgress(true)
	if err := context.Cause(ctx); err != nil {
		return nil, r.report, fmt.Errorf("%s: stopped after %d of %d: %w", stage, r.report.Done(), n, err)
	}
	return r.index, r.report, parent.Err()
}

// feed sends the questions that have no stored answer to the workers.
func (r *run) feed(ctx context.Context, n int, prepare preparer, asks chan<- *question) error {
	sent := 0
	for lo := 0; lo < n; lo += blockSize {
		open, err := r.unansweredBlock(ctx, lo, min(lo+blockSize, n), prepare)
		if err != nil {
			return err
		}
		for _, q := range open {
			if r.opt.Limit != 0 && sent >= r.opt.Limit {
				continue
			}
			sent++
			select {
			case asks <- q:
			case <-ctx.Done():
				return nil
			}
		}
	}
	return nil
}

// open makes the questions of subjects lo to hi, settles those that are answered, and
// returns the others.
func (r *run) unansweredBlock(ctx context.Context, lo, hi int, prepare preparer) ([]*question, error) {
	block, err := r.prepareBlock(ctx, lo, hi, prepare)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(block))
	for i, q := range block {
		keys[i] = q.about.Key
		if err := r.index.setKey(q.at, q.about.Key); err != nil {
			return nil, err
		}
	}
	stored, err := r.store.Statuses(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("look up stored answers: %w", err)
	}
	open := block[:0]
	for _, q := range block {
		g, known := stored[q.about.Key]
		if known && g.Status == StatusOK {
			r.settle(q.at, storedAnswer, func(rep *Report) { rep.Stored++ })
			continue
		}
		if known { // what failed attempts took stays on the bill
			q.about.Attempt, q.about.Seconds = g.Attempt, g.Seconds
			if mllm.Class(g.Class).Answer() {
				q.unusable = g.Attempt
			}
			q.about.PromptTokens, q.about.AnswerTokens = g.PromptTokens, g.AnswerTokens
		}
		open = append(open, q)
	}
	return open, nil
}

// prepareBlock makes the questions of subjects lo to hi, several at a time: pictures
// may have to be fetched for them.
func (r *run) prepareBlock(ctx context.Context, lo, hi int, prepare preparer) ([]*question, error) {
	all := make([]*question, hi-lo)
	next := make(chan int)
	group, ctx := errgroup.WithContext(ctx) // the first error ends it: the others would only repeat it
	for range max(r.opt.Concurrency, 4) {
		group.Go(func() error {
			for i := range next {
				q, err := prepare(ctx, r, i)
				if err != nil {
					return err
				}
				if q != nil {
					q.at = i
				}
				all[i-lo] = q
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(next)
		for i := lo; i < hi; i++ {
			select {
			case next <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	block := all[:0]
	for _, q := range all {
		if q != nil {
			block = append(block, q)
		}
	}
	return block, nil
}

// settle notes how a subject was settled and books it.
func (r *run) settle(at int, how textSource, book func(*Report)) {
	r.index.source[at] = how
	r.updateReport(func(rep *Report) {
		book(rep)
		rep.Pending--
	})
}

// book changes the report and tells of it.
func (r *run) updateReport(change func(*Report)) {
	r.mu.Lock()
	change(&r.report)
	r.mu.Unlock()
	r.reportProgress(false)
}

// tellEvery is the least time between two calls of Progress.
const progressEvery = 100 * time.Millisecond

func (r *run) reportProgress(last bool) {
	if r.opt.Progress == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); last || now.Sub(r.reported) >= progressEvery {
		r.reported = now
		r.opt.Progress(r.report.progress(r.stage, r.started))
	}
}

// work asks until there is nothing more to ask.
func (r *run) work(ctx context.Context, asks <-chan *question, outcomes chan<- outcome) {
	for q := range asks {
		if ctx.Err() != nil {
			return
		}
		outcomes <- r.try(ctx, q)
	}
}

// try asks one question until it is answered, has failed for good in this run, or the
// run stops.
func (r *run) try(ctx context.Context, q *question) outcome {
	callCtx, release := r.withGrace(ctx)
	defer release()
	g := q.about
	for try := 1; ; try++ {
		g.Attempt++
		a, err := r.ask(callCtx, q, 1+q.unusable)
		addAttempt(&g, a)
		class := mllm.ClassOf(err)
		if class.Answer() {
			q.unusable++
		}
		r.updateReport(func(rep *Report) {
			rep.Asked++
			rep.PromptTokens += int64(a.PromptTokens)
			rep.AnswerTokens += int64(a.AnswerTokens)
			if err != nil && (class != mllm.Cancelled || ctx.Err() == nil) {
				rep.Classes[className(class)]++
			}
		})
		switch {
		case err == nil:
			g.Status, g.Text, g.Class, g.Error = StatusOK, a.Text, "", ""
			return outcome{q: q, g: g, keep: true}
		case class == mllm.Cancelled && ctx.Err() != nil:
			return outcome{q: q, stopped: true}
		case endsRun(class):
			r.stop(err)
			return outcome{q: q, stopped: true}
		}
		g.Status, g.Class, g.Error = StatusQuarantined, className(class), err.Error()
		if try >= r.opt.Attempts || !worthRetrying(class) {
			return outcome{q: q, g: g, keep: true}
		}
		if !r.wait(ctx, try, err) {
			return outcome{q: q, stopped: true}
		}
	}
}

// ask calls the describer or reasoner; one that panics has failed this question.
func (r *run) ask(ctx context.Context, q *question, attempt int) (a Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	start := time.Now()
	a, err = q.ask(ctx, attempt)
	if a.Seconds == 0 {
		a.Seconds = time.Since(start).Seconds()
	}
	if a.Text = strings.TrimSpace(a.Text); err == nil && a.Text == "" {
		err = &mllm.Error{Class: mllm.Empty, Model: a.Model, Err: errors.New("the answer is empty")}
	}
	return a, err
}

// inFlight returns the context of a question in flight: it outlives ctx by the grace.
func (r *run) withGrace(ctx context.Context) (context.Context, func()) {
	if r.opt.Grace < 0 {
		return ctx, func() {}
	}
	call, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var timer *time.Timer
	var mu sync.Mutex
	undo := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		timer = time.AfterFunc(r.opt.Grace, cancel)
	})
	return call, func() {
		undo()
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
		cancel()
	}
}

// wait pauses before the next try, as long as the server asked for; false if the run
// stopped meanwhile.
func (r *run) wait(ctx context.Context, try int, err error) bool {
	pause := mllm.Doubled(r.opt.Backoff, maxBackoff, try-1)
	var e *mllm.Error
	if errors.As(err, &e) && e.HasRetryAfter {
		pause = max(pause, e.RetryAfter)
	}
	return mllm.Sleep(ctx, pause) == nil
}

func className(c mllm.Class) string {
	if c == "" {
		return ClassOther
	}
	return string(c)
}

// fill copies into g what an attempt tells of itself; what it took is added up.
func addAttempt(g *Generation, a Answer) {
	if a.Model != "" {
		g.Model, g.ModelDigest = a.Model, a.ModelDigest
	}
	if a.PromptHash != "" {
		g.PromptHash = a.PromptHash
	}
	if a.ImageHash != "" {
		g.ImageHash = a.ImageHash
	}
	if a.Params != nil {
		if raw, err := json.Marshal(a.Params); err == nil {
			g.Params = string(raw)
		}
	}
	g.Finish = a.Finish
	g.PromptTokens += a.PromptTokens
	g.AnswerTokens += a.AnswerTokens
	g.Seconds += a.Seconds
	g.Attempt += max(a.Attempt, 1) - 1 // requests that the client sent for this one answer
}
