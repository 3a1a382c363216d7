//go:build slow

package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
)

// While the database is away for longer than a lease, nobody loses a lease, and
// everything goes on when it is back: no question is asked twice, though each worker had
// answers to store.
func TestDatabaseAway(t *testing.T) {
	d, catalogue := shop(300)
	server := pgtest.StartOwn(t)
	address := server.Database(t)
	f := openCoordinator(t, address)
	m := newModel(t)
	m.delay = func(asking) time.Duration { return 40 * time.Millisecond }
	c := &caller{URL: m.URL, Model: "m"}
	startWorker(t, address, shortLease(workerOptions("a"), 2*time.Second))
	startWorker(t, address, shortLease(workerOptions("b"), 2*time.Second))
	done := make(chan error, 1)
	var report texts.Report
	go func() {
		var err error
		_, report, err = f.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, c, texts.ReasonOptions{Options: quick}, queue.JobOptions{Spec: c.spec()})
		done <- err
	}()
	until(t, func() bool { return m.total.Load() > 60 })
	server.Stop(t)
	time.Sleep(3 * time.Second)
	server.Resume(t)
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("the run does not end: %+v", status(t, f))
	}
	for s, n := range m.asked {
		var u int
		fmt.Sscanf(s, "u%d", &u)
		if n > 2 || n == 2 && u%37 != 0 {
			t.Errorf("%s was asked %d times", s, n)
		}
	}
	if report.Answered != 298 || report.Quarantined != 2 {
		t.Errorf("%+v", report)
	}
}
