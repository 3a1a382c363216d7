package queue_test

import (
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
)

// BenchmarkThroughput has one worker with 64 questions in flight and a model that
// answers in 50 ms: 1,280 answers a second would be ideal.
func BenchmarkThroughput(b *testing.B) {
	server := pgtest.Start(b)
	d, catalogue := shop(6000)
	m := newModel(b)
	m.delay = func(asking) time.Duration { return 50 * time.Millisecond }
	c := &caller{URL: m.URL, Model: "m"}
	for b.Loop() {
		address := server.Database(b)
		f := openCoordinator(b, address)
		opt := workerOptions("w")
		opt.Concurrency = 64
		startWorker(b, address, opt)
		start := time.Now()
		var queued time.Duration
		_, report, err := f.ReasonUsers(b.Context(), d.TrainHistories(), d.UserIDs, catalogue, c, texts.ReasonOptions{Options: quick}, queue.JobOptions{Spec: c.spec(), Progress: func(queue.Progress) {
			if queued == 0 {
				queued = time.Since(start)
			}
		}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(queued.Seconds(), "queueing-s")
		b.ReportMetric(float64(report.Answered)/time.Since(start).Seconds(), "answers/s")
	}
}
