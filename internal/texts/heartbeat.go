package texts

import "time"

// beatEvery is how often a run tells of itself while nothing is settled: whoever watches
// must be able to tell one that waits for a dead server from one that hangs.
const heartbeatEvery = 2 * time.Second

// heartbeat tells of the run now and then until stop is called.
func (r *run) heartbeat() (stop func()) {
	if r.opt.Progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(heartbeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.reportProgress(false)
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
