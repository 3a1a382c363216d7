package cli

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/ledgertest"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
)

// sharedShop is a workspace beside others in one database.
type sharedShop struct {
	t       *testing.T
	address string
	ws      string
	said    strings.Builder // all output of all commands
}

// call runs a command line to its end.
func (s *sharedShop) call(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	code, stdout, stderr = call(s.t, args...)
	s.said.WriteString(stdout + stderr)
	return code, stdout, stderr
}

// ended is what became of a command line.
type ended struct {
	code           int
	stdout, stderr string
}

// start runs a command line until it ends or stop is called.
func (s *sharedShop) start(args ...string) (stop func(), done <-chan ended) {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.t.Cleanup(cancel)
	over := make(chan ended, 1)
	go func() {
		var out, errs strings.Builder
		code := run(ctx, args, &out, &errs)
		over <- ended{code, out.String(), errs.String()}
	}()
	return cancel, over
}

// status returns what status --json says once it is as wanted.
func (s *sharedShop) status(wanted func(statusResult) bool, args ...string) statusResult {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		code, stdout, stderr := s.call(append([]string{"status", s.ws, "--json"}, args...)...)
		if code != 0 {
			s.t.Fatalf("exit %d: %s", code, stderr)
		}
		var res statusResult
		if err := json.Unmarshal([]byte(stdout), &res); err != nil {
			s.t.Fatal(err)
		}
		if wanted(res) {
			return res
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("status is not what is awaited: %s", stdout)
		}
	}
}

// TestCoordinatorOfWorkers goes the way of a user with many machines: start a
// coordinator, look, stop it, take the questions back, start again with a worker.
func TestCoordinatorOfWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database")
	}
	const users, early = 40, 10
	address := pgtest.Start(t).Database(t)
	release := make(chan struct{})
	var asked atomic.Int64
	server := mllmtest.New(t, mllmtest.Options{Answer: func(r mllmtest.Record) string {
		if strings.Contains(r.Prompt, "Unique") && asked.Add(1) > early {
			<-release
		}
		return mllmtest.Honest(r)
	}})
	calm := mllmtest.New(t, mllmtest.Options{})
	s := &sharedShop{t: t, address: address, ws: shopOfUsers(t, t.TempDir(), users)}

	// Another workspace has answers of the same model to users of the same names.
	other := shopOfUsers(t, t.TempDir(), users-15)
	if code, _, stderr := s.call("reason", other, "--base-url", calm.URL, "--store", address, "-q"); code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}

	coordinate := []string{"reason", s.ws, "--base-url", calm.URL, "--store", address, "--workers", "-q"}
	stop, done := s.start(coordinate...)
	queued := s.status(func(r statusResult) bool { return r.Queue != nil && r.Queue.Questions == users }, "--store", address)
	if r := queued.Reason; r.Total != users || r.Done != 0 || r.NeedsStore {
		t.Errorf("queued, reason is %+v", r)
	}
	if left := queued.Queue.Backlog; len(left) != 1 || left[0] != (queue.Backlog{Stage: texts.StageReason, Owner: queued.Queue.Owner, Waiting: 3, Questions: users}) || len(queued.Queue.Workers) != 0 {
		t.Errorf("the queue is %+v", queued.Queue)
	}
	if _, text, _ := s.call("status", s.ws, "--store", address); !strings.Contains(text, "this workspace") || !strings.Contains(text, "workers: none") {
		t.Errorf("status says %s", text)
	}
	if _, text, _ := s.call("status", other, "--store", address); !strings.Contains(text, "another workspace") {
		t.Errorf("status of the other says %s", text)
	}
	if r := s.status(func(statusResult) bool { return true }).Reason; !r.NeedsStore || r.Total != users || r.Done != 0 {
		t.Errorf("without --store, reason is %+v", r)
	}
	if _, text, _ := s.call("status", s.ws); !strings.Contains(text, "reason ? of 40") || !strings.Contains(text, "--store postgres://…") {
		t.Errorf("without --store, status says %s", text)
	}

	stop()
	end := <-done
	s.said.WriteString(end.stdout + end.stderr)
	for _, want := range []string{"workers go on", "same command again", "mllmrec worker withdraw " + s.ws + " --stage reason"} {
		if end.code != exitInterrupted || !strings.Contains(end.stderr, want) {
			t.Errorf("exit %d, no %q in: %s", end.code, want, end.stderr)
		}
	}

	if code, text, stderr := s.call("worker", "withdraw", other, "--store", address); code != 0 || !strings.Contains(text, "took back 0 chunks with 0 questions") {
		t.Errorf("exit %d: %s%s", code, text, stderr)
	}
	if code, text, stderr := s.call("worker", "withdraw", s.ws, "--store", address, "--stage", "describe"); code != 0 || !strings.Contains(text, "took back 0 chunks") {
		t.Errorf("exit %d: %s%s", code, text, stderr)
	}
	if code, _, stderr := s.call("worker", "withdraw", s.ws, "--store", address, "--stage", "train"); code != exitUser || !strings.Contains(stderr, "Use describe or reason") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	var back queue.Withdrawn
	code, text, stderr := s.call("worker", "withdraw", s.ws, "--store", address, "--stage", "reason", "--json")
	if err := json.Unmarshal([]byte(text), &back); err != nil || code != 0 || back != (queue.Withdrawn{Chunks: 3, Questions: users}) {
		t.Errorf("exit %d: %s%s", code, text, stderr)
	}

	stopWorker, workerDone := s.start("worker", "--store", address, "--base-url", server.URL, "--concurrency", "24", "-q")
	_, done = s.start(coordinate...)
	halfway := s.status(func(r statusResult) bool { return r.Reason.Done == early }, "--store", address)
	if w := halfway.Queue.Workers; len(w) != 1 || !w[0].Alive {
		t.Errorf("the workers are %+v", w)
	}
	if _, text, _ := s.call("status", s.ws, "--store", address); !strings.Contains(text, "reason 10 of 40, 0 failed") || !strings.Contains(text, "alive") {
		t.Errorf("halfway, status says %s", text)
	}
	close(release)
	if end := <-done; end.code != 0 {
		t.Errorf("exit %d: %s", end.code, end.stderr)
	}
	if r := s.status(func(statusResult) bool { return true }).Reason; r.Done != users || r.NeedsStore {
		t.Errorf("in the end, reason is %+v", r)
	}
	stopWorker()
	if end := <-workerDone; end.code != 0 || !strings.Contains(end.stdout, "40 answers") {
		t.Errorf("the worker: exit %d: %s%s", end.code, end.stdout, end.stderr)
	}
	s.passwordIsNowhere()
}

// passwordIsNowhere looks for the address's password in what was said and written.
func (s *sharedShop) passwordIsNowhere() {
	s.t.Helper()
	u, err := url.Parse(s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	secret, _ := u.User.Password()
	if secret == "" {
		return
	}
	if strings.Contains(s.said.String(), secret) {
		s.t.Error("a command printed the password")
	}
	err = filepath.WalkDir(s.ws, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), secret) {
			s.t.Errorf("%s holds the password", path)
		}
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
}

// TestSharedDescriptionsAreToldApart: descriptions carry no split, so it is the items
// that say whose they are.
func TestSharedDescriptionsAreToldApart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database")
	}
	s := &sharedShop{t: t, address: pgtest.Start(t).Database(t), ws: importShop(t, t.TempDir(), 5)}
	if r := s.status(func(statusResult) bool { return true }, "--store", s.address); r.Describe.Done != 0 || r.Describe.Total != 7 || r.Queue.Questions != 0 {
		t.Errorf("of an empty database: %+v, %+v", r.Describe, r.Queue)
	}
	store, err := postgres.Open(t.Context(), s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var gs []texts.Generation
	for _, item := range []string{"i0", "i1", "i3", "elsewhere", "i99"} {
		g := ledgertest.Full(item)
		g.Stage, g.Subject, g.SplitHash, g.Fold = texts.StageDescribe, item, "", texts.FullFold
		if item == "i3" {
			g.Status = texts.StatusQuarantined
		}
		gs = append(gs, g)
	}
	if err := store.Put(t.Context(), gs); err != nil {
		t.Fatal(err)
	}
	if r := s.status(func(statusResult) bool { return true }, "--store", s.address).Describe; r.Done != 2 || r.Quarantined != 1 {
		t.Errorf("%+v", r)
	}
	if code, _, stderr := s.call("status", s.ws, "--store", "mysql://u:hunter2@h/db"); code != exitUser || strings.Contains(stderr, "hunter2") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
