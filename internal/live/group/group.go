// Package group lets calls that come at the same time share one commit, since waiting for a
// disk takes as long for one as for a thousand.
package group

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Result is what a commit says of one of its calls.
type Result[R any] struct {
	Value R
	Err   error
}

// Committer collects calls while a commit is under way and commits them together after it.
type Committer[T, R any] struct {
	commit func(calls []T) []Result[R]
	most   int
	size   func(T) int

	mu      sync.Mutex
	waiting []*call[T, R]
	closed  bool
	came    *sync.Cond    // something waits, or the committer was closed
	ended   chan struct{} // closed when the last commit is done
}

type call[T, R any] struct {
	value T
	done  chan struct{} // closed when res is there
	res   Result[R]
}

// ErrClosed says that the committer has been closed.
var ErrClosed = errors.New("the store is closed")

// New makes a committer. commit gets calls of at most so much size together, but always one, and
// returns as many results. It is never called twice at the same time.
func New[T, R any](commit func(calls []T) []Result[R], most int, size func(T) int) *Committer[T, R] {
	c := &Committer[T, R]{commit: commit, most: most, size: size, ended: make(chan struct{})}
	c.came = sync.NewCond(&c.mu)
	go c.run()
	return c
}

// Do has value committed, with others. If ctx ends before its turn has come, it is left out; if
// ctx ends while it is being committed, Do returns the error of ctx, and value may be stored or
// not.
func (c *Committer[T, R]) Do(ctx context.Context, value T) (R, error) {
	one := &call[T, R]{value: value, done: make(chan struct{})}
	if err := c.join(ctx, one); err != nil {
		return one.res.Value, err
	}
	select {
	case <-one.done:
		return one.res.Value, one.res.Err
	case <-ctx.Done():
		c.leave(one)
		var none R
		return none, ctx.Err()
	}
}

func (c *Committer[T, R]) join(ctx context.Context, one *call[T, R]) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.waiting = append(c.waiting, one)
	c.came.Signal()
	return nil
}

// leave takes a call out unless its commit has begun.
func (c *Committer[T, R]) leave(one *call[T, R]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.waiting, one); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
}

// run commits until the committer is closed and nothing waits any more.
func (c *Committer[T, R]) run() {
	defer close(c.ended)
	for calls := c.next(); calls != nil; calls = c.next() {
		values := make([]T, len(calls))
		for i, one := range calls {
			values[i] = one.value
		}
		for i, res := range c.commit(values) {
			calls[i].res = res
			close(calls[i].done)
		}
	}
}

// next waits for calls and takes as many as go together; nil when there will be none.
func (c *Committer[T, R]) next() []*call[T, R] {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) == 0 {
		if c.closed {
			return nil
		}
		c.came.Wait()
	}
	n, total := 1, c.size(c.waiting[0].value)
	for n < len(c.waiting) {
		if total += c.size(c.waiting[n].value); total > c.most {
			break
		}
		n++
	}
	calls := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	return calls
}

// Close refuses further calls and waits until those that have come are committed.
func (c *Committer[T, R]) Close() {
	c.mu.Lock()
	c.closed = true
	c.came.Signal()
	c.mu.Unlock()
	<-c.ended
}
