package queue

import "time"

// SetHold sets how long a worker that cannot reach its model keeps a chunk.
func SetHold(d time.Duration) { pauseAfterFailure = d }
