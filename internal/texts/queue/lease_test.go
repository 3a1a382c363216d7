package queue

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// A worker takes a job again that it has lost, between the moment when a heartbeat lists
// what it holds and the moment when the database looks at that list.
func TestStaleHeartbeatSparesTheNewLease(t *testing.T) {
	w := newWorker(nil, WorkerOptions{}.withDefaults())
	w.stopping, w.stop = context.WithCancelCause(t.Context())
	defer w.stop(nil)
	lost := func(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errLost) }

	first, l1 := w.take(t.Context(), 7, 1)
	w.leaseGone(l1.leaseID, true)
	if !lost(first) {
		t.Fatal("the lost lease goes on")
	}
	if _, named := w.currentLeases(); len(named) != 0 {
		t.Errorf("a job that another has is still named: %v", named)
	}
	stale, _ := w.currentLeases()
	second, l2 := w.take(t.Context(), 7, 3)
	for _, h := range stale { // the job runs, at the attempt of the second lease
		w.leaseGone(h, true)
	}
	if second.Err() != nil {
		t.Error("the list of before cost the worker its new lease")
	}
	holds, named := w.currentLeases()
	if len(holds) != 2 || !slices.Equal(named, []int64{7}) {
		t.Errorf("holds %v, names %v", holds, named)
	}
	select {
	case <-l1.over:
		t.Error("the first run may end while the second is running")
	default:
	}
	w.release(l2)
	for _, h := range holds { // the job is over
		w.leaseGone(h, false)
	}
	select {
	case <-l1.over:
	default:
		t.Error("the first run waits for ever")
	}
	w.release(l1)
	w.leaseGone(l1.leaseID, false)
	if holds, _ := w.currentLeases(); len(holds) != 0 {
		t.Errorf("still held: %v", holds)
	}
}
