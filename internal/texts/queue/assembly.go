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

// assembly is the store, and the writer, as the engine sees them while it assembles
// texts after the workers: nothing is stored, nothing is asked, and what failed fails
// again in the words that the worker left.
type assembly struct {
	texts.Store
	givenUp string // why questions have neither answer nor failure; empty: they were beyond the limit

	queuedKeys map[uint64]bool // as in the collector

	mu       sync.Mutex
	answered int // of asked
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

// options are those of the assembling run.
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
			s.Attempt-- // the engine counts the try that absent makes
			found[key] = s
		} else if h := hashKey(key); a.queuedKeys[h] {
			a.answered++
			delete(a.queuedKeys, h) // an item is looked up once by its picture's stamp, once by its picture
		}
	}
	return failed
}

// noteFailures keeps what the workers left of questions that failed.
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

// classNotAsked marks questions beyond the limit.
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

// failure is an error with words and class of one that was stored.
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

type replayDescriber struct {
	texts.Describer
	a *assembly
}

func (d replayDescriber) Describe(_ context.Context, r texts.DescribeRequest) (texts.Answer, error) {
	return texts.Answer{}, d.a.fail(subject{r.Item.ID, texts.FullFold})
}

type replayReasoner struct {
	texts.Reasoner
	a *assembly
}

func (w replayReasoner) Reason(_ context.Context, r texts.ReasonRequest) (texts.Answer, error) {
	return texts.Answer{}, w.a.fail(subject{r.User, r.Fold})
}

// RequestID implements texts.PreciseID: keys must be those of the reasoner behind.
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

// merge makes of the report on assembling, which found or missed answers, and the sums
// of the workers', which tell what was asked, one as of a run.
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
