package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// assembly stands for the store and the model while package texts makes the texts after the
// workers have finished. It stores nothing and asks nothing. A question that failed at a
// worker fails again with the error that the worker stored.
type assembly struct {
	texts.Store
	givenUp string // why questions have neither answer nor error; empty: they were beyond the limit

	queuedKeys map[uint64]bool // see collector

	mu       sync.Mutex
	answered int // number of queued questions that have an answer
	failed   map[subject]texts.Generation
}

type subject struct {
	name string
	fold int
}

func (c *collector) assembly() *assembly {
	a := &assembly{Store: c.coordinator.store, queuedKeys: c.queuedKeys, failed: map[subject]texts.Generation{}}
	switch n := len(c.result.GivenUp); {
	case n > 0:
		a.givenUp = fmt.Sprintf("%d chunks were given up, the last one because: %s", n, c.result.GivenUp[n-1])
	case c.opt.Limit == 0:
		a.givenUp = "the workers left no answer"
	}
	return a
}

// options returns the options of the run that makes the texts.
func (a *assembly) options(opt texts.Options) texts.Options {
	opt.Concurrency, opt.Attempts, opt.Limit, opt.Progress = 1, 1, 0, nil
	return opt
}

// Statuses implements texts.Store.
func (a *assembly) Statuses(ctx context.Context, keys []string) (map[string]texts.AnswerStatus, error) {
	found, err := a.Store.Statuses(ctx, keys)
	if err != nil {
		return nil, err
	}
	return found, a.noteFailures(ctx, a.tally(found))
}

// tally counts the answers and returns the keys of the failures.
func (a *assembly) tally(found map[string]texts.AnswerStatus) (failed []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, s := range found {
		if s.Status != texts.StatusOK {
			failed = append(failed, key)
			s.Attempt-- // the run adds one for the replayed failure
			found[key] = s
		} else if h := hashKey(key); a.queuedKeys[h] {
			a.answered++
			delete(a.queuedKeys, h) // count it once: an item is looked up by its picture's stamp and by its picture
		}
	}
	return failed
}

// noteFailures reads the errors that workers stored for questions that failed.
func (a *assembly) noteFailures(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	failed, err := a.Get(ctx, keys)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range failed {
		a.failed[subject{g.Subject, g.Fold}] = g
	}
	return err
}

// Put implements texts.Store.
func (a *assembly) Put(context.Context, []texts.Generation) error { return nil }

// classNotAsked is the class of questions beyond the limit.
const classNotAsked = "not-asked"

func (a *assembly) fail(s subject) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	g, known := a.failed[s]
	switch {
	case !known && a.givenUp == "":
		return failure("", classNotAsked)
	case !known:
		return failure(a.givenUp, classGivenUp)
	}
	return failure(g.Error, g.Class)
}

// failure makes an error with the text and class of a stored one.
func failure(text, class string) error {
	if class == texts.ClassOther {
		return errors.New(text)
	}
	return &storedFailure{text, &mllm.Error{Class: mllm.Class(class), Err: errors.New(text)}}
}

type storedFailure struct {
	text string
	err  *mllm.Error
}

func (f *storedFailure) Error() string { return f.text }
func (f *storedFailure) Unwrap() error { return f.err }

// replayDescriber answers nothing: it fails as the worker's question did.
type replayDescriber struct {
	texts.Describer
	a *assembly
}

func (d replayDescriber) Describe(_ context.Context, r texts.DescribeRequest) (texts.Answer, error) {
	return texts.Answer{}, d.a.fail(subject{r.Item.ID, texts.FullFold})
}

// replayReasoner answers nothing: it fails as the worker's question did.
type replayReasoner struct {
	texts.Reasoner
	a *assembly
}

func (w replayReasoner) Reason(_ context.Context, r texts.ReasonRequest) (texts.Answer, error) {
	return texts.Answer{}, w.a.fail(subject{r.User, r.Fold})
}

// RequestID implements texts.RequestIdentifier, so that keys are those of the reasoner.
func (w replayReasoner) RequestID(r texts.ReasonRequest) string {
	return textWriter{reasoner: w.Reasoner}.idFor(r)
}

// FirstShown implements texts.PartialReader.
func (w replayReasoner) FirstShown(r texts.ReasonRequest) int {
	if p, ok := w.Reasoner.(texts.HistoryTruncator); ok {
		return p.FirstShown(r)
	}
	return 0
}

// merge makes the report of the whole run. Which questions have an answer comes from the
// report of the run that made the texts, what was asked and used up from the workers' sums.
func (c *collector) merge(a *assembly, assembled texts.Report) texts.Report {
	r, did := assembled, c.result.Report
	r.Seconds = time.Since(c.started).Seconds()
	r.Answered = a.answered
	r.Stored -= r.Answered
	r.Asked, r.PromptTokens, r.AnswerTokens = did.Asked, did.PromptTokens, did.AnswerTokens
	missed := r.Classes[classNotAsked]
	r.Quarantined -= missed
	r.Pending += missed
	r.Classes = map[string]int{}
	for class, n := range did.Classes {
		r.Classes[class] += n
	}
	for class, n := range assembled.Classes {
		if strings.HasPrefix(class, "image") || class == classGivenUp {
			r.Classes[class] += n
		}
	}
	r.Failures = []texts.Failure{}
	for _, f := range assembled.Failures {
		if f.Class != classNotAsked {
			r.Failures = append(r.Failures, f)
		}
	}
	return r
}
