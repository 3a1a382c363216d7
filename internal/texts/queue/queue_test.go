package queue_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
)

func TestCoordinatorAndWorkers(t *testing.T) {
	server := pgtest.Start(t)
	queue.SetPause(200 * time.Millisecond)
	t.Cleanup(func() { queue.SetPause(5 * time.Second) })
	for name, run := range map[string]func(*testing.T, string){
		"descriptions are those of one process":    describes,
		"two coordinators at once":                 twoCoordinators,
		"a worker that stops hands back":           handsBack,
		"a poisoned chunk blocks nobody":           poison,
		"a model that is away costs no attempt":    away,
		"a worker whose budget is used up stops":   budget,
		"a worker that was silent loses its lease": lostLease,
		"who took a lost chunk dies, too":          lostTwice,
		"withdrawn jobs are not begun":             withdrawn,
		"workers tell what they serve":             serves,
		"limit":                                    limited,
		"a long chunk is worked on in slices":      sliced,
		"status of a database without a queue":     noQueue,
		"a worker's clock is ahead":                wrongClock(30*time.Second, mllm.Unavailable),
		"a worker's clock is two hours ahead":      wrongClock(2*time.Hour, mllm.Auth),
		"a worker's clock is two hours behind":     wrongClock(-2*time.Hour, mllm.Unavailable),
		"a worker's clock lags behind":             wrongClock(-30*time.Second, mllm.Auth),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, server.Database(t))
		})
	}
}

// pictures serves fake pictures; some cannot be read.
type pictures struct{}

func (pictures) Load(_ context.Context, ref string) (mllm.Image, error) {
	if ref == "broken" {
		return mllm.Image{}, errors.New("it is broken")
	}
	data := []byte("picture of " + ref)
	sum := sha256.Sum256(data)
	return mllm.Image{Data: data, MIME: "image/jpeg", SHA256: hex.EncodeToString(sum[:]), Width: 3, Height: len(ref)}, nil
}

func sqlite(t *testing.T) texts.Store {
	s, err := ledger.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "generations.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func describes(t *testing.T, address string) {
	var items []dataset.Item
	for i := range 120 {
		it := dataset.Item{ID: fmt.Sprint("u", i), Title: fmt.Sprint("thing ", i), Image: fmt.Sprint("shared ", i/2)}
		switch i % 10 {
		case 3:
			it.Image = ""
		case 4:
			it.Image = "broken"
		}
		items = append(items, it)
	}
	m := newModel(t)
	c := &caller{URL: m.URL, Model: "m"}
	opt := texts.DescribeOptions{Options: quick}
	file := sqlite(t)
	want, alone, err := texts.DescribeItems(t.Context(), items, pictures{}, c, file, opt)
	if err != nil {
		t.Fatal(err)
	}
	before := m.total.Load()
	f := openCoordinator(t, address)
	startWorker(t, address, workerOptions("w"))
	got, report, err := f.DescribeItems(t.Context(), items, pictures{}, c, opt, queue.JobOptions{Spec: c.spec(), ChunkSize: 7})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(read(t, want), read(t, got)); diff != "" {
		t.Errorf("texts: %s", diff)
	}
	if diff := cmp.Diff(contents(t, file, texts.StageDescribe), contents(t, f.Store(), texts.StageDescribe)); diff != "" {
		t.Errorf("ledger: %s", diff)
	}
	byName := cmpopts.SortSlices(func(a, b texts.Failure) bool { return a.Subject < b.Subject })
	if diff := cmp.Diff(alone, report, cmpopts.IgnoreFields(texts.Report{}, "Seconds"), byName); diff != "" {
		t.Errorf("report: %s", diff)
	}
	if n := m.total.Load(); n != 2*before {
		t.Errorf("%d requests after %d", n-before, before)
	}
	// A second run asks again for what failed, and for nothing else.
	_, report, err = f.DescribeItems(t.Context(), items, pictures{}, c, opt, queue.JobOptions{Spec: c.spec()})
	if err != nil || report.Answered != 0 || report.Stored != alone.Answered || report.Asked != 1 || report.Quarantined != 1 {
		t.Errorf("second run: %+v, %v", report, err)
	}
}

// Overlapping orders, cut differently, ask each question once.
func twoCoordinators(t *testing.T, address string) {
	d, catalogue := shop(90)
	m := newModel(t)
	c := &caller{URL: m.URL, Model: "m"}
	var wg sync.WaitGroup
	answers := make([]any, 3)
	for i := range answers {
		f := openCoordinator(t, address)
		wg.Go(func() {
			got, _, err := f.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, c, texts.ReasonOptions{Options: quick}, queue.JobOptions{Spec: c.spec(), ChunkSize: 5 + i})
			if err == nil {
				answers[i], err = got.Collect(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	startWorker(t, address, workerOptions("a"))
	startWorker(t, address, workerOptions("b"))
	wg.Wait()
	if diff := cmp.Diff(answers[0], answers[1]) + cmp.Diff(answers[0], answers[2]); diff != "" {
		t.Error(diff)
	}
	// u0, u37, u74 fail once.
	if n := m.total.Load(); n != 93 {
		t.Errorf("%d requests for 90 users", n)
	}
}

func handsBack(t *testing.T, address string) {
	d, catalogue := shop(40)
	m := newModel(t)
	m.delay = func(asking) time.Duration { return 300 * time.Millisecond }
	c := &caller{URL: m.URL, Model: "m"}
	f := openCoordinator(t, address)
	stop := startWorker(t, address, workerOptions("first"))
	done := coordinate(t, f, d, catalogue, c)
	until(t, func() bool { return m.askedBy("first") >= 2 })
	report, err := stop()
	if err != nil || report.Answered == 0 {
		t.Errorf("the worker stopped with %+v, %v", report, err)
	}
	s := status(t, f)
	if len(s.Workers) != 0 || s.Jobs["running"] != 0 || s.Jobs["available"] == 0 {
		t.Errorf("after the worker stopped: %+v", s)
	}
	if n := m.askedBy("first"); n > 8 {
		t.Errorf("%d asked, though only four were in flight", n)
	}
	m.delay = nil
	startWorker(t, address, workerOptions("second"))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for s, n := range m.asked {
		if n > 1 && s != "u0/-1" && s != "u37/-1" {
			t.Errorf("%s was asked %d times", s, n)
		}
	}
	var attempts int
	if err := f.Store().Pool().QueryRow(t.Context(), "SELECT max(attempt) FROM mllmrec.river_job").Scan(&attempts); err != nil || attempts != 1 {
		t.Errorf("a chunk handed back counts %d attempts, %v", attempts, err)
	}
}

func poison(t *testing.T, address string) {
	d, catalogue := shop(30)
	m := newModel(t)
	c := &caller{URL: m.URL, Model: "m"}
	f := openCoordinator(t, address)
	opt := texts.ReasonOptions{Options: quick}
	var questions []texts.Question
	if err := texts.UnansweredPreferences(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, c, f.Store(), opt, func(q texts.Question) error {
		questions = append(questions, q)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var b queue.Batch
	job := queue.Job{Stage: texts.StageReason, Domain: quick.Domain, Writer: c.ID(), Spec: c.spec()}
	enqueue := func(qs []texts.Question) {
		if err := f.Enqueue(t.Context(), &b, job, qs); err != nil {
			t.Fatal(err)
		}
	}
	enqueue(questions[:5])
	job.Writer = "a model that nobody has"
	enqueue(questions[5:10])
	job.Writer, job.Domain = c.ID(), "another domain, so that keys do not fit"
	enqueue(questions[10:15])
	job.Domain = quick.Domain
	enqueue(questions[15:20])
	execute(t, f, "UPDATE mllmrec.chunk SET payload = 'junk' WHERE job = (SELECT max(id) FROM mllmrec.river_job)")
	enqueue(questions[20:])
	execute(t, f, "UPDATE mllmrec.river_job SET max_attempts = 2")
	startWorker(t, address, workerOptions("w"))
	res, err := f.Wait(t.Context(), &b, nil)
	if err != nil || res.Report.Answered != 15 || len(res.GivenUp) != 3 {
		t.Errorf("got %+v, %v", res, err)
	}
	told := strings.Join(res.GivenUp, "\n")
	for _, want := range []string{"not the one requested", "key does not fit", "read chunk"} {
		if !strings.Contains(told, want) {
			t.Errorf("nothing is told of %q: %s", want, told)
		}
	}
	// What was given up may be ordered anew.
	_, report, err := f.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, c, opt, queue.JobOptions{Spec: c.spec()})
	if err != nil || report.Stored != 15 || report.Answered != 15 {
		t.Errorf("ordered anew: %+v, %v", report, err)
	}
}

// failing is a reasoner that fails n times in a way that is not the question's fault.
type failing struct {
	*caller
	mu    *sync.Mutex
	n     *int
	class mllm.Class
}

func (r failing) Reason(ctx context.Context, q texts.ReasonRequest) (texts.Answer, error) {
	r.mu.Lock()
	fails := *r.n > 0
	*r.n--
	r.mu.Unlock()
	if fails {
		return texts.Answer{}, &mllm.Error{Class: r.class, Err: errors.New("by order")}
	}
	return r.caller.Reason(ctx, q)
}

func failingOptions(name string, class mllm.Class, n int) queue.WorkerOptions {
	opt := workerOptions(name)
	mu := &sync.Mutex{}
	opt.Reasoner = func(_ context.Context, spec json.RawMessage, _ texts.Store) (texts.Reasoner, error) {
		c := &caller{Worker: name}
		return failing{c, mu, &n, class}, json.Unmarshal(spec, c)
	}
	return opt
}

func away(t *testing.T, address string) {
	d, catalogue := shop(30)
	m := newModel(t)
	c := &caller{URL: m.URL, Model: "m"}
	f := openCoordinator(t, address)
	startWorker(t, address, shortLease(failingOptions("w", mllm.Unavailable, 12), time.Second))
	noted := false
	_, report, err := f.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, c, texts.ReasonOptions{Options: quick}, queue.JobOptions{Spec: c.spec(), Progress: func(p queue.Progress) {
		noted = noted || strings.Contains(p.Note, "by order")
	}})
	if err != nil || report.Answered != 30 || report.Quarantined != 0 {
		t.Errorf("got %+v, %v", report, err)
	}
	if !noted {
		t.Error("nothing was told of the worker's trouble")
	}
	var attempts int
	if err := f.Store().Pool().QueryRow(t.Context(), "SELECT max(attempt) FROM mllmrec.river_job").Scan(&attempts); err != nil || attempts != 1 {
		t.Errorf("attempts: %d, %v", attempts, err)
	}
}

// wrongClock has a worker hand chunks back, or fail at them, whose clock is not the database's.
// The chunks are taken again as soon as with a right one.
func wrongClock(ahead time.Duration, class mllm.Class) func(*testing.T, string) {
	return func(t *testing.T, address string) {
		d, catalogue := shop(30)
		m := newModel(t)
		c := &caller{URL: m.URL, Model: "m"}
		f := openCoordinator(t, address)
		startWorker(t, address, queue.WithClock(failingOptions("w", class, 2), ahead))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, report, err := f.ReasonUsers(ctx, d.TrainHistories(), d.UserIDs, catalogue, c, texts.ReasonOptions{Options: quick}, queue.JobOptions{Spec: c.spec()})
		if err != nil || report.Answered != 30 {
			t.Errorf("got %+v, %v", report, err)
		}
		var late time.Duration
		if err := f.Store().Pool().QueryRow(t.Context(), "SELECT greatest(max(scheduled_at) - now(), interval '0') FROM mllmrec.river_job").Scan(&late); err != nil || late > 10*time.Second {
			t.Errorf("a chunk was put off by %v, %v", late, err)
		}
	}
}

func budget(t *testing.T, address string) {
	d, catalogue := shop(30)
	m := newModel(t)
	c := &caller{URL: m.URL, Model: "m"}
	f := openCoordinator(t, address)
	done := coordinate(t, f, d, catalogue, c)
	_, err := queue.RunWorker(t.Context(), address, failingOptions("poor", mllm.OverBudget, 1))
	if mllm.ClassOf(err) != mllm.OverBudget {
		t.Errorf("the worker ended with %v", err)
	}
	startWorker(t, address, workerOptions("rich"))
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A worker that was silent for so long that another took its chunk stops asking about
// it, and does not book that chunk's end.
func lostLease(t *testing.T, address string) {
	d, catalogue := shop(16)
	m := newModel(t)
	m.delay = func(asking) time.Duration { return 400 * time.Millisecond }
	c := &caller{URL: m.URL, Model: "m"}
	f := openCoordinator(t, address)
	startWorker(t, address, shortLease(workerOptions("silent"), 1500*time.Millisecond))
	done := coordinate(t, f, d, catalogue, c)
	until(t, func() bool { return m.askedBy("silent") > 0 })
	execute(t, f, `INSERT INTO mllmrec.worker (id, host, pid, lease, jobs, answered, failed, note)
		SELECT 'another', 'elsewhere', 1, interval '1 hour', array_agg(id), 0, 0, '' FROM mllmrec.river_job WHERE state = 'running'`)
	execute(t, f, "UPDATE mllmrec.river_job SET attempt = attempt + 1, attempted_by = array_append(attempted_by, 'another') WHERE state = 'running'")
	time.Sleep(time.Second)
	asked := m.askedBy("silent")
	time.Sleep(time.Second)
	if n := m.askedBy("silent"); n != asked || n > 12 {
		t.Errorf("the worker went on asking: %d, then %d", asked, n)
	}
	if s := status(t, f); s.Jobs["running"] != 1 {
		t.Errorf("the job was touched: %+v", s)
	}
	execute(t, f, "UPDATE mllmrec.river_job SET state = 'available' WHERE state = 'running'")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The worker that lost a chunk does not speak for the one that took it and died.
func lostTwice(t *testing.T, address string) {
	d, catalogue := shop(16)
	m := newModel(t)
	m.delay = func(asking) time.Duration { return 200 * time.Millisecond }
	c := &caller{URL: m.URL, Model: "m"}
	f := openCoordinator(t, address)
	startWorker(t, address, shortLease(workerOptions("silent"), time.Second))
	done := coordinate(t, f, d, catalogue, c)
	until(t, func() bool { return m.askedBy("silent") > 0 })
	execute(t, f, "UPDATE mllmrec.river_job SET attempt = attempt + 1, attempted_by = array_append(attempted_by, 'dead') WHERE state = 'running'")
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Errorf("nobody takes the chunk of the dead: %+v", status(t, f))
	}
}

func withdrawn(t *testing.T, address string) {
	d, catalogue := shop(40)
	m := newModel(t)
	c := &caller{URL: m.URL, Model: "m"}
	f := openCoordinator(t, address)
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := f.ReasonUsers(ctx, d.TrainHistories(), d.UserIDs, catalogue, c, texts.ReasonOptions{Options: quick}, queue.JobOptions{Spec: c.spec(), Owner: "me", Progress: func(p queue.Progress) {
		if p.Chunks["available"] == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	pool := f.Store().Pool()
	if s := status(t, f); !cmp.Equal(s.Backlog, []queue.Backlog{{Stage: texts.StageReason, Owner: "me", Waiting: 3, Questions: 40}}) || s.Questions != 40 {
		t.Errorf("left is %+v", s)
	}
	for _, other := range [][2]string{{texts.StageDescribe, ""}, {"", "you"}, {texts.StageReason, "you"}} {
		if w, err := queue.Withdraw(t.Context(), pool, other[0], other[1]); w != (queue.Withdrawn{}) || err != nil {
			t.Errorf("of stage %q for %q: %+v, %v", other[0], other[1], w, err)
		}
	}
	execute(t, f, "UPDATE mllmrec.river_job SET state = 'running' WHERE id = (SELECT min(id) FROM mllmrec.river_job)")
	if w, err := queue.Withdraw(t.Context(), pool, texts.StageReason, "me"); w != (queue.Withdrawn{Chunks: 2, Questions: 24, Running: 1}) || err != nil {
		t.Errorf("withdrawn: %+v, %v", w, err)
	}
	execute(t, f, "UPDATE mllmrec.river_job SET state = 'available' WHERE state = 'running'")
	if w, err := queue.Withdraw(t.Context(), pool, "", ""); w != (queue.Withdrawn{Chunks: 1, Questions: 16}) || err != nil {
		t.Errorf("withdrawn: %+v, %v", w, err)
	}
	opt := shortLease(workerOptions("w"), time.Second)
	opt.UntilEmpty = true
	if _, err := queue.RunWorker(t.Context(), address, opt); err != nil || m.total.Load() != 0 {
		t.Errorf("%d were asked, %v", m.total.Load(), err)
	}
}

func limited(t *testing.T, address string) {
	d, catalogue := shop(40)
	m := newModel(t)
	c := &caller{URL: m.URL, Model: "m"}
	f := openCoordinator(t, address)
	startWorker(t, address, workerOptions("w"))
	opt := texts.ReasonOptions{Options: quick}
	opt.Limit = 10
	texts, report, err := f.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, c, opt, queue.JobOptions{Spec: c.spec()})
	if err != nil || report.Answered != 10 || report.Pending != 30 || report.Quarantined != 0 || len(report.Failures) != 0 || texts.Len() != 40 {
		t.Errorf("got %+v, %v", report, err)
	}
	if !slices.Contains([]int64{10, 11}, m.total.Load()) { // u0 fails once
		t.Errorf("%d requests", m.total.Load())
	}
}

func sliced(t *testing.T, address string) {
	d, catalogue := shop(16)
	m := newModel(t)
	m.delay = func(asking) time.Duration { return 100 * time.Millisecond }
	c := &caller{URL: m.URL, Model: "m"}
	f := openCoordinator(t, address)
	opt := workerOptions("w")
	opt.Concurrency, opt.Slice = 1, 350*time.Millisecond
	startWorker(t, address, opt)
	_, report, err := f.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, c, texts.ReasonOptions{Options: quick}, queue.JobOptions{Spec: c.spec()})
	if err != nil || report.Answered != 16 || report.Stored != 0 || report.Asked != 17 {
		t.Errorf("got %+v, %v", report, err)
	}
	for s, n := range m.asked {
		if n > 1 && s != "u0/-1" {
			t.Errorf("%s was asked %d times", s, n)
		}
	}
	var snoozes, attempt int
	if err := f.Store().Pool().QueryRow(t.Context(), "SELECT (metadata ->> 'snoozes')::int, attempt FROM mllmrec.river_job").Scan(&snoozes, &attempt); err != nil || snoozes < 2 || attempt != 1 {
		t.Errorf("%d times handed back, attempt %d, %v", snoozes, attempt, err)
	}
}

func noQueue(t *testing.T, address string) {
	f := openCoordinator(t, address)
	execute(t, f, "DROP SCHEMA mllmrec CASCADE")
	s, err := queue.Status(t.Context(), f.Store().Pool())
	if err != nil || len(s.Jobs) != 0 || len(s.Workers) != 0 {
		t.Errorf("got %+v, %v", s, err)
	}
}

func until(t *testing.T, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ready(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to that")
		}
	}
}

func status(t *testing.T, f *queue.Coordinator) *queue.State {
	t.Helper()
	s, err := queue.Status(t.Context(), f.Store().Pool())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func execute(t *testing.T, f *queue.Coordinator, query string) {
	t.Helper()
	if _, err := f.Store().Pool().Exec(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}
