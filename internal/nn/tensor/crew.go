package tensor

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Waking a sleeping thread takes about as long as a small kernel runs. A goroutine
// that has helped with one kernel therefore looks out for the next for this long
// before it ends; a training step calls one kernel after the other.
const lingerTime = 50 * time.Microsecond

var (
	lingering atomic.Int64            // goroutines that look out for work, not yet claimed
	handoff   = make(chan func(), 64) // work for claimed goroutines
)

// crew runs one function on several goroutines. It may be used again after work returns.
type crew struct {
	body    func()
	pending atomic.Int64
	done    sync.WaitGroup
	help    func() // bound once
}

// work calls body on the calling goroutine and on others, as many in all as there are
// processors but at most limit, and returns when all calls have returned.
func (c *crew) work(limit int, body func()) {
	helpers := min(runtime.GOMAXPROCS(0), limit) - 1
	if helpers <= 0 {
		body()
		return
	}
	if c.help == nil {
		c.help = c.assist
	}
	c.body = body
	c.pending.Store(int64(helpers))
	c.done.Add(helpers)
	for range helpers {
		engage(c.help)
	}
	body()
	waitBriefly(func() bool { return c.pending.Load() == 0 })
	c.done.Wait()
	c.body = nil
}

func (c *crew) assist() {
	c.body()
	c.pending.Add(-1)
	c.done.Done()
}

// engage has f called by a lingering goroutine or, when there is none, by a new one.
func engage(f func()) {
	if claim() {
		handoff <- f
		return
	}
	go func() {
		for f != nil {
			f()
			f = linger()
		}
	}()
}

// claim takes one goroutine off the lingering ones.
func claim() bool {
	for {
		n := lingering.Load()
		if n == 0 {
			return false
		}
		if lingering.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// linger returns the next work for this goroutine, or nil when it should end.
func linger() func() {
	lingering.Add(1)
	var f func()
	waitBriefly(func() bool {
		select {
		case f = <-handoff:
			return true
		default:
			return false
		}
	})
	if f == nil && !claim() {
		f = <-handoff // claimed just now: the work is on its way
	}
	return f
}

// waitBriefly polls until ready or until lingerTime has passed, giving way to other goroutines.
func waitBriefly(ready func() bool) {
	for start := time.Now(); !ready() && time.Since(start) < lingerTime; {
		runtime.Gosched()
	}
}
