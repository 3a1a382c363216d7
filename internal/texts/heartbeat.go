package texts

import "time"

// heartbeatEvery is how often a run reports its progress while no question is settled, so
// that the user can tell a run that waits for a server from one that hangs.
const heartbeatEvery = 2 * time.Second

// heartbeat reports the run's progress at intervals until stop is called.
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
