package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/ledgertest"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func open(t testing.TB, address string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	server := pgtest.Start(t)
	for name, run := range map[string]func(*testing.T, *pgtest.Server){
		"conformance": conformance, "open at once": openAtOnce, "newer schema is refused": newerSchemaIsRefused,
		"what PostgreSQL cannot hold": whatPostgresCannotHold, "put settles within a call": putSettlesWithinACall,
		"each over pages": eachOverPages, "counts of one workspace": countsOfOneWorkspace, "counts without a ledger": countsWithoutLedger,
	} {
		t.Run(name, func(t *testing.T) { run(t, server) })
	}
}

// TestOutage needs a server that may be stopped.
func TestOutage(t *testing.T) {
	server := pgtest.StartOwn(t)
	t.Run("restart", func(t *testing.T) { restart(t, server) })
	t.Run("away", func(t *testing.T) { away(t, server) })
}

func conformance(t *testing.T, server *pgtest.Server) {
	var address string
	ledgertest.Run(t, func(t *testing.T) texts.Store {
		address = server.Database(t)
		return open(t, address)
	}, func(t *testing.T) texts.Store { return open(t, address) })
}

// All of many processes that meet an empty database get a working ledger.
func openAtOnce(t *testing.T, server *pgtest.Server) {
	address := server.Database(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), address)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Put(t.Context(), []texts.Generation{ledgertest.Full(fmt.Sprint(i))}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func newerSchemaIsRefused(t *testing.T, server *pgtest.Server) {
	address := server.Database(t)
	s := open(t, address)
	if _, err := s.Pool().Exec(t.Context(), "INSERT INTO mllmrec.migration VALUES ('ledger', 1000)"); err != nil {
		t.Fatal(err)
	}
	_, err := postgres.Open(t.Context(), address)
	if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), "version 1000") {
		t.Errorf("got %v", err)
	}
}

func whatPostgresCannotHold(t *testing.T, server *pgtest.Server) {
	s := open(t, server.Database(t))
	g := ledgertest.Full("k")
	g.Text, g.Subject = "a\x00b\xff", "s\x00"
	if err := s.Put(t.Context(), []texts.Generation{g}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Find(t.Context(), g.Stage, g.Subject)
	if err != nil || len(got) != 1 || got[0].Text != "a\uFFFDb\uFFFD" {
		t.Errorf("got %v, %v", got, err)
	}
}

// One call of Put with several generations of a key leaves what calls in turn would.
func putSettlesWithinACall(t *testing.T, server *pgtest.Server) {
	s := open(t, server.Database(t))
	failed, answer, other := ledgertest.Full("k"), ledgertest.Full("k"), ledgertest.Full("k")
	failed.Status, answer.Text, other.Text = texts.StatusQuarantined, "first", "second"
	if err := s.Put(t.Context(), []texts.Generation{failed, answer, other, failed}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), []string{"k"})
	if err != nil || got["k"].Text != "first" || got["k"].Status != texts.StatusOK {
		t.Errorf("got %+v, %v", got["k"], err)
	}
}

// Each goes on over pages, in order, with long runs of one subject across their edges.
func eachOverPages(t *testing.T, server *pgtest.Server) {
	s := open(t, server.Database(t))
	const n = 10003
	var gs []texts.Generation
	for i := range n {
		g := ledgertest.Full(fmt.Sprintf("k%d", i*7919%n))
		g.Subject, g.Fold, g.Created = fmt.Sprintf("u%d", i%2), i%3, time.UnixMicro(int64(i/100)).UTC()
		gs = append(gs, g)
	}
	if err := s.Put(t.Context(), gs); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	last := texts.Generation{}
	err := s.Each(t.Context(), texts.StageReason, func(g texts.Generation) error {
		if g.Subject < last.Subject || g.Subject == last.Subject && (g.Fold < last.Fold || g.Fold == last.Fold && g.Created.Before(last.Created)) {
			t.Fatalf("%s/%d/%s after %s/%d/%s", g.Subject, g.Fold, g.Created, last.Subject, last.Fold, last.Created)
		}
		seen[g.Key], last = true, g
		return nil
	})
	if err != nil || len(seen) != n {
		t.Errorf("%d of %d, %v", len(seen), n, err)
	}
}

// What other stages, models, splits and items have in the same ledger is not counted.
func countsOfOneWorkspace(t *testing.T, server *pgtest.Server) {
	s := open(t, server.Database(t))
	var gs []texts.Generation
	add := func(n int, change func(*texts.Generation)) {
		for range n {
			g := ledgertest.Full(fmt.Sprint("k", len(gs)))
			g.Subject = fmt.Sprint("s", len(gs))
			change(&g)
			gs = append(gs, g)
		}
	}
	add(5, func(*texts.Generation) {})
	add(2, func(g *texts.Generation) { g.Status = texts.StatusQuarantined })
	add(10, func(g *texts.Generation) { g.SplitHash = "another" })
	add(20, func(g *texts.Generation) { g.Model = "another" })
	add(40, func(g *texts.Generation) { g.Stage, g.SplitHash = texts.StageDescribe, "" }) // s37 to s76
	if err := s.Put(t.Context(), gs); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sel  postgres.Selection
		want postgres.Tally
	}{
		"a model's preferences": {postgres.Selection{Stage: texts.StageReason, Model: "gemma3:27b", SplitHash: "s"}, postgres.Tally{OK: 5, Quarantined: 2}},
		"any model's":           {postgres.Selection{Stage: texts.StageReason, SplitHash: "s"}, postgres.Tally{OK: 25, Quarantined: 2}},
		"some users'":           {postgres.Selection{Stage: texts.StageReason, SplitHash: "s", Subjects: []string{"s0", "s6", "s7", "s37"}}, postgres.Tally{OK: 1, Quarantined: 1}},
		"items'":                {postgres.Selection{Stage: texts.StageDescribe, Model: "gemma3:27b", Subjects: []string{"s0", "s37", "s76", "none"}}, postgres.Tally{OK: 2}},
		"no items'":             {postgres.Selection{Stage: texts.StageDescribe, Subjects: []string{}}, postgres.Tally{}},
	} {
		if got, err := postgres.Count(t.Context(), s.Pool(), c.sel); err != nil || got != c.want {
			t.Errorf("%s: %+v, want %+v, %v", name, got, c.want, err)
		}
	}
}

// Whoever only looks makes no tables.
func countsWithoutLedger(t *testing.T, server *pgtest.Server) {
	pool, err := pg.Connect(t.Context(), server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if got, err := postgres.Count(t.Context(), pool, postgres.Selection{Stage: texts.StageReason}); err != nil || got != (postgres.Tally{}) {
		t.Errorf("%+v, %v", got, err)
	}
	var made bool
	if err := pool.QueryRow(t.Context(), "SELECT to_regnamespace('mllmrec') IS NOT NULL").Scan(&made); err != nil || made {
		t.Errorf("a schema was made: %v, %v", made, err)
	}
}

// Two stores write and read while the server is restarted under them: every Put that
// returned is there, once.
func restart(t *testing.T, server *pgtest.Server) {
	address := server.Database(t)
	a, b := open(t, address), open(t, address)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var stored []string
	for w, s := range []*postgres.Store{a, b, a, b} {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				g := ledgertest.Full(fmt.Sprintf("%d-%d", w, i))
				if err := s.Put(ctx, []texts.Generation{g, ledgertest.Full("shared")}); err != nil {
					t.Errorf("Put: %v", err)
					return
				}
				if got, err := s.Get(ctx, []string{g.Key}); err != nil || len(got) != 1 {
					t.Errorf("Get: %d, %v", len(got), err)
					return
				}
				mu.Lock()
				stored = append(stored, g.Key)
				mu.Unlock()
			}
		})
	}
	for range 2 {
		time.Sleep(200 * time.Millisecond)
		server.Restart(t)
	}
	time.Sleep(200 * time.Millisecond)
	close(stop)
	wg.Wait()
	got, err := a.Get(ctx, stored)
	if err != nil || len(got) != len(stored) || len(stored) < 20 {
		t.Errorf("%d of %d generations are there, %v", len(got), len(stored), err)
	}
}

// A caller that gives up is not held while the database is away.
func away(t *testing.T, server *pgtest.Server) {
	s := open(t, server.Database(t))
	server.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := s.Put(ctx, []texts.Generation{ledgertest.Full("k")})
	if err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("got %v after %s", err, time.Since(start))
	}
	server.Resume(t)
	if err := s.Put(t.Context(), []texts.Generation{ledgertest.Full("k")}); err != nil {
		t.Error(err)
	}
}

func TestNoErrorTellsThePassword(t *testing.T) {
	const secret = "hunter2"
	for _, address := range []string{
		"postgres://u:" + secret + "@127.0.0.1:1/db",
		"postgres://u:" + secret + "@no-such-host.invalid/db",
		"postgres://u:" + secret + "/x@127.0.0.1/db",
		"postgres://u:" + secret + "@127.0.0.1:port/db",
		"postgres://u:" + secret + "@127.0.0.1/db?sslmode=perhaps",
		"postgres://u:%zz" + secret + "@127.0.0.1/db",
		"mysql://u:" + secret + "@127.0.0.1/db",
		"user=u password=" + secret + " host=127.0.0.1",
	} {
		_, err := postgres.Open(t.Context(), address)
		if err == nil {
			t.Errorf("%s was opened", address)
			continue
		}
		if _, ok := usererr.Hint(err); !ok {
			t.Errorf("no user's mistake: %v", err)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", e, e, e.Error()), secret[:4]) {
				t.Errorf("the password is told: %v", e)
			}
		}
	}
}
