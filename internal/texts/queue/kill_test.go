package queue_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

const (
	envChild = "MLLMREC_WORKER_TEST_WORKER" // the address of the database: be a worker
	envName  = "MLLMREC_WORKER_TEST_NAME"
)

func TestMain(m *testing.M) {
	address := os.Getenv(envChild)
	if address == "" {
		flag.Parse()
		if err := flag.Set("test.parallel", "8"); err != nil { // they wait for leases to end more than they compute
			panic(err)
		}
		os.Exit(m.Run())
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin) // ends with the parent
		cancel()
	}()
	if _, err := queue.RunWorker(ctx, address, shortLease(workerOptions(os.Getenv(envName)), 2500*time.Millisecond)); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a worker in a process of its own.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan error
}

func startChild(t testing.TB, address, name string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+address, envName+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd, in, make(chan error, 1)}
	go func() { c.done <- cmd.Wait() }()
	t.Cleanup(c.kill)
	return c
}

func (c *child) kill() {
	c.cmd.Process.Kill()
	c.stdin.Close()
	select {
	case err := <-c.done:
		c.done <- err
	case <-time.After(10 * time.Second):
	}
}

// Two workers share a stage. One is killed at random moments, the database is restarted
// in between. In the end the ledger and the texts are those of an undisturbed run by one
// process without a database, and no answer that was stored was asked for again.
func TestKilledWorkersAndRestartedDatabase(t *testing.T) {
	users, kills := 150, 4
	if slow {
		users, kills = 1000, 20
	}
	const folds = 2 // up to three questions a user, of which some need no blind text
	d, catalogue := shop(users)
	h := d.TrainHistories()
	opt := texts.ReasonOptions{Options: quick, Folds: folds, FoldMinItems: 4}

	calm := newModel(t)
	file, err := ledger.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "generations.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	want, calmReport, err := texts.ReasonUsers(t.Context(), h, d.UserIDs, catalogue, &caller{URL: calm.URL, Model: "m"}, file, opt)
	if err != nil {
		t.Fatal(err)
	}

	server := pgtest.StartOwn(t)
	address := server.Database(t)
	f := openCoordinator(t, address)
	m := newModel(t)
	me := &caller{URL: m.URL, Model: "m"}
	m.stored = func(a asking) bool {
		found, err := f.Store().Find(context.Background(), texts.StageReason, a.User)
		if err != nil {
			t.Errorf("look up %s: %v", a.subject(), err)
		}
		for _, g := range found {
			if g.Fold == a.Fold && g.Status == texts.StatusOK {
				return true
			}
		}
		return false
	}
	killing := make(chan struct{})
	m.delay = func(a asking) time.Duration {
		select {
		case <-killing:
			return 2 * time.Millisecond
		default:
		}
		if a.Worker == "steady" {
			return 250 * time.Millisecond // leaves the other something to be killed over
		}
		return 20 * time.Millisecond
	}

	type outcome struct {
		texts  []workspace.UserText
		report texts.Report
		err    error
	}
	ended := make(chan outcome, 1)
	started := time.Now()
	go func() {
		texts, report, err := f.ReasonUsers(t.Context(), h, d.UserIDs, catalogue, me, opt, queue.JobOptions{Spec: me.spec()})
		got := outcome{report: report, err: err}
		if err == nil {
			got.texts, got.err = texts.Collect(t.Context())
		}
		ended <- got
	}()
	steady := startChild(t, address, "steady")
	rng := rand.New(rand.NewPCG(7, 0))
	for k := range kills {
		name := fmt.Sprint("victim", k)
		victim := startChild(t, address, name)
		at := 1 + rng.IntN(users/kills)
		for deadline := time.Now().Add(30 * time.Second); m.askedBy(name) < at; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("kill %d: the worker asked %d questions of %d", k, m.askedBy(name), at)
			}
		}
		victim.kill()
		if k == kills/2 {
			server.Restart(t)
		}
	}
	close(killing)
	var got outcome
	select {
	case got = <-ended:
	case err := <-steady.done:
		t.Fatalf("the steady worker ended: %v", err)
	case <-time.After(90 * time.Second):
		s, _ := queue.Status(t.Context(), f.Store().Pool())
		t.Fatalf("the run does not end: %+v", s)
	}
	if got.err != nil {
		t.Fatal(got.err)
	}
	if diff := cmp.Diff(contents(t, file, texts.StageReason), contents(t, f.Store(), texts.StageReason)); diff != "" {
		t.Errorf("the ledger differs from an undisturbed run's: %s", diff)
	}
	if diff := cmp.Diff(read(t, want), got.texts); diff != "" {
		t.Errorf("the texts differ from an undisturbed run's: %s", diff)
	}
	if len(m.violations) > 0 {
		t.Errorf("%d stored answers were asked for again: %.200v", len(m.violations), m.violations)
	}
	// What was in flight at a kill is asked again, and tries that failed before it.
	if most := calm.total.Load() + int64(kills*4*2+8); m.total.Load() > most {
		t.Errorf("%d requests, at most %d are needed", m.total.Load(), most)
	}
	if got.report.Answered != calmReport.Answered || got.report.Quarantined != calmReport.Quarantined || got.report.Pending != 0 || got.report.Total != calmReport.Total {
		t.Errorf("reported %+v, alone %+v", got.report, calmReport)
	}
	t.Logf("%d questions, %d kills, a restart: %d requests (%d undisturbed) in %.1f s", got.report.Total, kills, m.total.Load(), calm.total.Load(), time.Since(started).Seconds())
	steady.stdin.Close()
	if err := <-steady.done; err != nil {
		t.Errorf("the steady worker did not stop well: %v", err)
	}
	steady.done <- nil
}
