package group

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func one(int) int { return 1 }

// echo commits numbers: each comes back.
func echo(calls []int) []Result[int] {
	results := make([]Result[int], len(calls))
	for i, c := range calls {
		results[i].Value = c
	}
	return results
}

// Calls that come while a commit is under way share the next one, up to the most.
func TestCallsShareCommits(t *testing.T) {
	begun, goOn := make(chan int, 10), make(chan struct{})
	c := New(func(calls []int) []Result[int] {
		begun <- len(calls)
		<-goOn
		return echo(calls)
	}, 5, one)
	var wg sync.WaitGroup
	call := func(v int) {
		wg.Go(func() {
			if got, err := c.Do(t.Context(), v); got != v || err != nil {
				t.Errorf("%d came back as %d, %v", v, got, err)
			}
		})
	}
	call(0)
	sizes := []int{<-begun}
	for v := range 7 {
		call(v + 1)
	}
	for waits(c) < 7 {
	}
	close(goOn)
	sizes = append(sizes, <-begun, <-begun)
	wg.Wait()
	c.Close()
	if !slices.Equal(sizes, []int{1, 5, 2}) {
		t.Errorf("commits of %v calls", sizes)
	}
}

func waits[T, R any](c *Committer[T, R]) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting)
}

// A call that alone is more than the most is committed alone.
func TestLargeCall(t *testing.T) {
	c := New(echo, 5, func(v int) int { return v })
	defer c.Close()
	if got, err := c.Do(t.Context(), 100); got != 100 || err != nil {
		t.Error(got, err)
	}
}

// A caller who gives up before its turn is left out; one whose commit is under way is told so.
func TestGivingUp(t *testing.T) {
	begun, goOn := make(chan struct{}, 10), make(chan struct{})
	var met atomic.Int64
	c := New(func(calls []int) []Result[int] {
		begun <- struct{}{}
		<-goOn
		for _, v := range calls {
			met.Add(int64(v))
		}
		return echo(calls)
	}, 5, one)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	give := func(v int) {
		wg.Go(func() {
			if _, err := c.Do(ctx, v); !errors.Is(err, context.Canceled) {
				t.Errorf("%d: %v", v, err)
			}
		})
	}
	give(1)
	<-begun
	give(10)
	for waits(c) < 1 {
	}
	cancel()
	wg.Wait()
	if n := waits(c); n != 0 {
		t.Errorf("%d calls wait for nobody", n)
	}
	close(goOn)
	c.Close()
	if met.Load() != 1 {
		t.Errorf("committed %d", met.Load())
	}
}

// Close waits for what has come and refuses what comes.
func TestClose(t *testing.T) {
	const calls = 50
	var committed atomic.Int64
	c := New(func(calls []int) []Result[int] {
		committed.Add(int64(len(calls)))
		return echo(calls)
	}, 3, one)
	var wg sync.WaitGroup
	var fine atomic.Int64
	for v := range calls {
		wg.Go(func() {
			switch _, err := c.Do(t.Context(), v); {
			case err == nil:
				fine.Add(1)
			case !errors.Is(err, ErrClosed):
				t.Error(err)
			}
		})
	}
	c.Close()
	if _, err := c.Do(t.Context(), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	wg.Wait()
	if committed.Load() != fine.Load() {
		t.Errorf("%d committed, %d told so", committed.Load(), fine.Load())
	}
	c.Close() // again
}

// An error of one call is that call's alone.
func TestErrorsStayApart(t *testing.T) {
	bad := errors.New("odd")
	c := New(func(calls []int) []Result[int] {
		results := echo(calls)
		for i, v := range calls {
			if v%2 == 1 {
				results[i].Err = bad
			}
		}
		return results
	}, 100, one)
	defer c.Close()
	var wg sync.WaitGroup
	for v := range 40 {
		wg.Go(func() {
			if got, err := c.Do(t.Context(), v); got != v || (v%2 == 1) != errors.Is(err, bad) {
				t.Errorf("%d: %d, %v", v, got, err)
			}
		})
	}
	wg.Wait()
}
