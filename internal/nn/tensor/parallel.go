package tensor

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Parallel calls fn for consecutive chunks [lo,hi) that cover [0,n), each of grain
// elements but the last. The chunks depend on n and grain only, never on the number
// of processors; fn must not care which goroutine runs it or in which order.
func Parallel(n, grain int, fn func(lo, hi int)) {
	if n <= 0 {
		return
	}
	grain = max(grain, 1)
	chunks := ceilDiv(n, grain)
	if chunks == 1 || runtime.GOMAXPROCS(0) == 1 {
		for lo := 0; lo < n; lo += grain {
			fn(lo, min(lo+grain, n))
		}
		return
	}
	l := loops.Get().(*loop)
	l.n, l.grain, l.chunks, l.fn = n, grain, int64(chunks), fn
	l.next.Store(0)
	l.crew.work(chunks, l.body)
	l.fn = nil
	loops.Put(l)
}

// loop is one call of Parallel.
type loop struct {
	n, grain int
	chunks   int64
	fn       func(lo, hi int)
	next     atomic.Int64
	body     func() // run, bound once
	crew     crew
}

var loops = sync.Pool{New: func() any {
	l := new(loop)
	l.body = l.run
	return l
}}

// run takes chunks until none is left.
func (l *loop) run() {
	for c := l.next.Add(1) - 1; c < l.chunks; c = l.next.Add(1) - 1 {
		lo := int(c) * l.grain
		l.fn(lo, min(lo+l.grain, l.n))
	}
}
