//go:build slow

package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// process is the program in a process of its own.
type process struct {
	cmd  *exec.Cmd
	said strings.Builder
	done chan error // what Wait said, once
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command("mllmrec", args...), done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	p.cmd.Process.Kill() //nolint:errcheck // it may be done already
	err := <-p.done
	p.done <- err
}

// wait returns what became of the process.
func (p *process) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.done:
		p.done <- err
		return err
	case <-time.After(2 * time.Minute):
		t.Fatalf("%v does not end", p.cmd.Args[1:])
		return nil
	}
}

// watchedModel is a model server that notes who is asked about though the answer is
// stored.
type watchedModel struct {
	*mllmtest.Server
	mu    sync.Mutex
	again []string
}

func watchModel(t *testing.T, store *postgres.Store, delay func() time.Duration) *watchedModel {
	m := &watchedModel{}
	m.Server = mllmtest.New(t, mllmtest.Options{Answer: func(r mllmtest.Record) string {
		user := "u" + uniqueItem.FindStringSubmatch(r.Prompt)[1]
		found, err := store.Find(context.Background(), texts.StageReason, user)
		if err != nil {
			t.Errorf("look up %s: %v", user, err)
		}
		if len(found) > 0 && found[0].Status == texts.StatusOK {
			m.mu.Lock()
			m.again = append(m.again, user)
			m.mu.Unlock()
		}
		time.Sleep(delay())
		return mllmtest.Honest(r)
	}})
	return m
}

// userTexts reads the preferences in use.
func userTexts(t *testing.T, dir string) []workspace.UserText {
	t.Helper()
	ws, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := ws.UserTexts(currentOf(ws, workspace.KindUserTexts))
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// TestKilledWorkersLoseNothing has two workers and a coordinator as processes. One worker
// is killed again and again, the coordinator once, and the database is restarted. In the
// end ledger and texts are those of an undisturbed run of one process without a database,
// and no stored answer was asked for again.
func TestKilledWorkersLoseNothing(t *testing.T) {
	const users, kills, flight = 2000, 20, 4
	calm := mllmtest.New(t, mllmtest.Options{})
	whole, shared := shopOfUsers(t, t.TempDir(), users), shopOfUsers(t, t.TempDir(), users)
	if code, _, stderr := call(t, "reason", whole, "--base-url", calm.URL, "--concurrency", "16", "-q"); code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}

	database := pgtest.StartOwn(t)
	address := database.Database(t)
	store, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	killing := make(chan struct{})
	quick := func() time.Duration { return 15 * time.Millisecond }
	steadyModel := watchModel(t, store, func() time.Duration {
		select {
		case <-killing:
			return 2 * time.Millisecond
		default:
			return 250 * time.Millisecond // leaves the other something to be killed over
		}
	})
	model := watchModel(t, store, quick)
	worker := func(url string) *process {
		return startProcess(t, "worker", "--store", address, "--base-url", url, "--concurrency", fmt.Sprint(flight), "-q")
	}
	coordinate := func() *process {
		return startProcess(t, "reason", shared, "--base-url", calm.URL, "--store", address, "--workers", "-q")
	}

	started := time.Now()
	coordinator := coordinate()
	steady := worker(steadyModel.URL)
	rng := rand.New(rand.NewPCG(11, 0))
	for k := range kills {
		victim := worker(model.URL)
		before := model.Total()
		at := before + 1 + rng.IntN(users/2/kills)
		for deadline := time.Now().Add(time.Minute); model.Total() < at; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("kill %d: %d requests of %d: %s", k, model.Total()-before, at-before, victim.said.String())
			}
		}
		victim.kill()
		switch k {
		case kills / 4:
			if coordinator.kill(); coordinator.cmd.ProcessState.Exited() {
				t.Fatalf("the coordinator ended before it was killed: %s", coordinator.said.String())
			}
			coordinator = coordinate()
		case kills / 2:
			database.Restart(t)
		}
	}
	close(killing)
	if err := coordinator.wait(t); err != nil {
		t.Fatalf("the coordinator: %v: %s", err, coordinator.said.String())
	}
	took := time.Since(started)
	steady.cmd.Process.Signal(os.Interrupt) //nolint:errcheck // waited for below
	if err := steady.wait(t); err != nil || !strings.Contains(steady.said.String(), "answers, 0 quarantined") {
		t.Errorf("the steady worker: %v: %s", err, steady.said.String())
	}

	got := map[string]texts.Generation{}
	err = store.Each(t.Context(), texts.StageReason, func(g texts.Generation) error {
		g.Created, g.Seconds = time.Time{}, 0
		got[g.Subject] = g
		return nil
	})
	if diff := cmp.Diff(stored(t, whole), got); err != nil || diff != "" {
		t.Errorf("the ledger differs from that of an undisturbed run: %v\n%.2000s", err, diff)
	}
	if diff := cmp.Diff(userTexts(t, whole), userTexts(t, shared)); diff != "" {
		t.Errorf("the texts differ from those of an undisturbed run:\n%.2000s", diff)
	}
	for _, m := range []*watchedModel{steadyModel, model} {
		if len(m.again) > 0 {
			t.Errorf("%d stored answers were asked for again: %.200v", len(m.again), m.again)
		}
	}
	// What was in flight at a kill is asked again, and as many answers may have waited for
	// the database.
	asked := steadyModel.Total() + model.Total()
	if most := users + kills*flight*2 + 2*flight; asked > most || asked < users {
		t.Errorf("%d requests for %d users, at most %d are explained by the kills", asked, users, most)
	}
	if code, stdout, stderr := call(t, "status", shared, "--store", address, "--json"); code != 0 || !strings.Contains(stdout, fmt.Sprintf(`"done": %d`, users)) || !strings.Contains(stdout, `"questions": 0`) {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	t.Logf("%d kills of a worker, one of the coordinator, a restart of the database: %d requests for %d answers in %.0f s", kills, asked, users, took.Seconds())
}
