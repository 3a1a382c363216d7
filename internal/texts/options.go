package texts

import (
	"context"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// Options say how questions are asked. The zero value asks one at a time, stores each
// answer at once, and tries three times.
type Options struct {
	Domain      string // what the shop sells: "baby products"
	Concurrency int    // questions in flight; 0 = 1
	// CommitEvery collects answers for that long and stores them together. It is for
	// offline answers, which cost nothing to make again; paid answers must be stored at
	// once, which 0 does.
	CommitEvery time.Duration
	Attempts    int           // tries of one question in this run, for failures that may pass; 0 = 3
	Backoff     time.Duration // before the second try, doubled for each further one, up to 30 s; 0 = 500 ms
	// Grace is how long questions in flight may go on after the run is cancelled; 0 =
	// 30 s. Negative: they are cancelled at once, for clients that have a grace period of
	// their own, as mllm.Pool does.
	Grace time.Duration
	Limit int // ask about at most so many subjects; the others stay pending. 0 = all, below 0 = none
	// EndRefused ends the run where the server refuses the first questions, all of them, with an HTTP
	// error: it would refuse the others too, and every text would be a fallback.
	EndRefused bool
	Progress   func(Progress) // called now and then, never concurrently
	// Ready, if given, is called before each try and waits while answers cannot be stored. An
	// error ends the asking.
	Ready func(ctx context.Context) error
}

const maxBackoff = 30 * time.Second

func (o Options) withDefaults() Options {
	o.Concurrency = max(o.Concurrency, 1)
	if o.Attempts <= 0 {
		o.Attempts = 3
	}
	if o.Backoff <= 0 {
		o.Backoff = 500 * time.Millisecond
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	return o
}

// ClassOther is the class of failures that are not an mllm.Error.
const ClassOther = "other"

// endsRun reports whether a failure ends the run: every further question would fail in the
// same way, or must not be asked.
func endsRun(c mllm.Class) bool {
	switch c {
	case mllm.Auth, mllm.NotFound, mllm.WrongModel, mllm.Unavailable, mllm.OverBudget:
		return true
	}
	return false
}

// endRefused is how many questions a server may refuse before any is answered; of few
// questions all, if they are more than two.
func endRefused(questions int) int64 {
	const most, least = 8, 3
	return int64(max(min(questions, most), least))
}

// worthRetrying reports whether a failed question is asked again in this run.
func worthRetrying(c mllm.Class) bool { return c.Transient() || c.Answer() }
