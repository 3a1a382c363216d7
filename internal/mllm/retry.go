package mllm

import (
	"context"
	"time"
)

// Retry says how often a request to a model server is sent again, and after what pauses.
// The pool and the clients of embedding servers share it: each decides about a failure
// (see [Next]), Retry counts and waits.
type Retry struct {
	Attempts   int           // requests sent before the last failure is final
	Backoff    time.Duration // pause before the second attempt, doubled before each further one
	MaxBackoff time.Duration
	Jitter     func(time.Duration) time.Duration // varies a pause; nil leaves it as it is
}

// Next is what follows an attempt that failed.
type Next int

// What may follow an attempt that failed.
const (
	GiveUp       Next = iota // the failure is final
	AfterBackoff             // send again after the backoff
	AfterPause               // send again at once: whoever sends waits as long as the server asked
	// AfterRateLimit sends again at once, as AfterPause, and counts as a fifth of an
	// attempt: a server that limits requests works, and says when to come back.
	AfterRateLimit
	Elsewhere // send again at once, to another server: this attempt does not count
)

// fifths is the part of an attempt that an outcome counts for, in fifths.
func (n Next) fifths() int {
	switch n {
	case Elsewhere:
		return 0
	case AfterRateLimit:
		return 1
	}
	return 5
}

// Do calls send, with the number of the attempt from 1 on, until it succeeds, its failure
// is final, or the attempts are used up. It returns the last error of send, or that of
// ctx if ctx ends during a pause.
func (r Retry) Do(ctx context.Context, send func(number int) (Next, error)) error {
	used := 0
	for number := 1; ; number++ {
		next, err := send(number)
		if err == nil || next == GiveUp {
			return err
		}
		if used += next.fifths(); used >= 5*r.Attempts {
			return err
		}
		if next != AfterBackoff {
			continue
		}
		pause := Doubled(r.Backoff, r.MaxBackoff, number-1)
		if r.Jitter != nil {
			pause = r.Jitter(pause)
		}
		if err := Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// Doubled returns d doubled so many times, at most most.
func Doubled(d, most time.Duration, times int) time.Duration {
	for range times {
		if d >= most {
			break
		}
		d *= 2
	}
	return min(d, most)
}

// Sleep waits for d, or returns the error of ctx when that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
