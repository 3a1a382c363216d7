package texts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// question is what is asked about one subject, and the key that its answer is stored under.
type question struct {
	at       int        // the subject's place in the run
	about    Generation // key, stage, subject, fold and provenance
	ask      func(ctx context.Context, attempt int) (Answer, error)
	unusable int // unusable answers so far; only these change the next attempt (see DescribeRequest.Attempt)

	describe *DescribeRequest // the request: one of the two is set
	reason   *ReasonRequest

	pictureNote *Generation // note about the picture, to be stored with the answer; may be nil
}

// outcome is a question after its last try in this run.
type outcome struct {
	q       *question
	g       Generation
	keep    bool // g is to be stored
	stopped bool // cancelled before it was answered
}

// run asks the questions of one stage. Three parts work concurrently: a feeder prepares
// questions block by block and settles those that have a stored answer, workers ask the
// others, and a committer stores the answers and then settles their questions. A question
// is settled when the report and the index say what became of it.
type run struct {
	stage   string
	store   Store
	opt     Options
	started time.Time
	index   *answerIndex

	mu       sync.Mutex // guards report and reported
	report   Report
	reported time.Time

	stop context.CancelCauseFunc

	answers atomic.Bool  // there was one
	refused atomic.Int64 // questions that the server refused
}

// blockSize is how many subjects are looked up in the store at a time.
const blockSize = 256

func newRun(stage string, n int, store Store, opt Options, stop context.CancelCauseFunc) *run {
	return &run{stage: stage, store: store, opt: opt.withDefaults(), started: time.Now(), stop: stop, index: newAnswerIndex(n),
		report: Report{Total: n, Pending: n, Classes: map[string]int{}, Failures: []Failure{}}}
}

// preparer makes the question about subject i. It returns nil if it settled the subject
// itself, because there is nothing to ask. It is called concurrently for different subjects.
type preparer func(ctx context.Context, r *run, i int) (*question, error)

// runQuestions asks about n subjects and returns where their answers are.
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
	stopHeartbeat := r.heartbeat()
	r.commit(outcomes)
	feeder.Wait()
	stopHeartbeat()

	r.report.Seconds = time.Since(r.started).Seconds()
	r.reportProgress(true)
	if err := context.Cause(ctx); err != nil {
		return nil, r.report, fmt.Errorf("%s: stopped after %d of %d: %w", stage, r.report.Done(), n, err)
	}
	return r.index, r.report, parent.Err()
}

// feed sends the questions without a stored answer to the workers.
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

// unansweredBlock prepares the questions about subjects lo to hi, settles those that have a
// stored answer, and returns the others.
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
		if known { // what failed attempts took is added to what the next ones take
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

// prepareBlock prepares the questions about subjects lo to hi, several concurrently, since
// their pictures may have to be downloaded.
func (r *run) prepareBlock(ctx context.Context, lo, hi int, prepare preparer) ([]*question, error) {
	all := make([]*question, hi-lo)
	next := make(chan int)
	group, ctx := errgroup.WithContext(ctx) // the first error ends all: the others would repeat it
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

// settle notes where the text of a subject comes from and counts it in the report.
func (r *run) settle(at int, how textSource, book func(*Report)) {
	r.index.source[at] = how
	r.updateReport(func(rep *Report) {
		book(rep)
		rep.Pending--
	})
}

// updateReport changes the report and reports the progress.
func (r *run) updateReport(change func(*Report)) {
	r.mu.Lock()
	change(&r.report)
	r.mu.Unlock()
	r.reportProgress(false)
}

// progressEvery is the least time between two calls of Progress.
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

// work asks questions until there are no more.
func (r *run) work(ctx context.Context, asks <-chan *question, outcomes chan<- outcome) {
	for q := range asks {
		if ctx.Err() != nil {
			return
		}
		outcomes <- r.try(ctx, q)
	}
}

// try asks one question until it is answered, has failed finally in this run, or the run
// stops.
func (r *run) try(ctx context.Context, q *question) outcome {
	callCtx, release := r.withGrace(ctx)
	defer release()
	g := q.about
	for try := 1; ; try++ {
		if r.opt.Ready != nil && r.opt.Ready(ctx) != nil {
			return outcome{q: q, stopped: true}
		}
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
			r.answers.Store(true)
			g.Status, g.Text, g.Class, g.Error = StatusOK, a.Text, "", ""
			return outcome{q: q, g: g, keep: true}
		case class == mllm.Cancelled && ctx.Err() != nil:
			return outcome{q: q, stopped: true}
		case endsRun(class):
			r.stop(err)
			return outcome{q: q, stopped: true}
		}
		g.Status, g.Class, g.Error = StatusQuarantined, className(class), secret.Redact(err.Error())
		if try >= r.opt.Attempts || !worthRetrying(class) {
			r.endWhereAllAreRefused(err)
			return outcome{q: q, g: g, keep: true}
		}
		if !r.wait(ctx, try, err) {
			return outcome{q: q, stopped: true}
		}
	}
}

// endWhereAllAreRefused ends the run with the server's words if it has refused enough questions and
// answered none.
func (r *run) endWhereAllAreRefused(err error) {
	var e *mllm.Error
	if !r.opt.EndRefused || !errors.As(err, &e) || e.Class != mllm.Refused || e.Status < 400 || r.answers.Load() {
		return
	}
	if r.refused.Add(1) == endRefused(r.report.Total) {
		r.stop(usererr.Wrap(fmt.Errorf("the server refuses every question: %w", err), "Mend what its words name, or ask another server. What it refused is asked again then."))
	}
}

// ask calls the describer or reasoner. A panic there counts as a failure of this question.
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

// withGrace returns a context for a question in flight, which ends only a grace period
// after ctx.
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

// wait pauses before the next try, at least as long as the server asked for. It returns
// false if the run stopped meanwhile.
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

// addAttempt copies model, prompt and parameters of an attempt into g, and adds its tokens,
// seconds and requests to those of the attempts before.
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
