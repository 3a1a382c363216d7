package cli

import (
	"context"
	"fmt"
	"time"
)

// interruptPause is how long a command may take to stop before it says that it does.
const interruptPause = 300 * time.Millisecond

// tellOfInterrupt says, when ctx is cancelled and the command has not ended soon after,
// that it is stopping and what a second interrupt would do: questions in flight may take
// half a minute. The returned function is to be called when the command has ended.
func (a *app) tellOfInterrupt(ctx context.Context) (ended func()) {
	done, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-ctx.Done():
		case <-done:
			return
		}
		pause := time.NewTimer(interruptPause)
		defer pause.Stop()
		select {
		case <-pause.C:
			if !a.quiet && !a.json {
				fmt.Fprintln(a.stderr, "\nmllmrec: stopping: what is in flight is finished and kept; interrupt again to stop at once, losing only that")
			}
		case <-done:
		}
	}()
	return func() {
		close(done)
		<-told
	}
}
