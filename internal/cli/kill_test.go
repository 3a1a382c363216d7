package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
)

// shopOfUsers imports a shop in which every user's train history is one item that nobody
// else has, so that prompts tell users apart, and describes it offline.
func shopOfUsers(t testing.TB, dir string, users int) string {
	t.Helper()
	ws := importShop(t, dir, users)
	var out strings.Builder
	if code := run(context.Background(), []string{"describe", ws, "--mllm", "offline", "-q"}, &out, &out); code != 0 {
		t.Fatalf("exit %d: %s", code, out.String())
	}
	return ws
}

// importShop does all of that but the describing.
func importShop(t testing.TB, dir string, users int) string {
	t.Helper()
	var inter, items strings.Builder
	inter.WriteString("user,item,time\n")
	items.WriteString("item,title\nvalid,Shared valid thing\ntest,Shared test thing\n")
	for u := range users {
		fmt.Fprintf(&inter, "u%d,i%d,1\nu%d,valid,2\nu%d,test,3\n", u, u, u, u)
		fmt.Fprintf(&items, "i%d,Unique number %d thing\n", u, u)
	}
	for name, text := range map[string]string{"inter.csv": inter.String(), "items.csv": items.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ws := filepath.Join(dir, "ws")
	args := []string{"import", "tables", "--interactions", filepath.Join(dir, "inter.csv"), "--items", filepath.Join(dir, "items.csv"), "--split", "leave-latest", "--k-core", "0", "--out", ws}
	var out strings.Builder
	if code := run(context.Background(), args, &out, &out); code != 0 {
		t.Fatalf("%v: exit %d: %s", args, code, out.String())
	}
	return ws
}

// preferencesIn reads the preferences of a ledger, whoever wrote them.
func preferencesIn(t testing.TB, ws string) (all []texts.Generation) {
	t.Helper()
	s, err := ledger.OpenSQLite(t.Context(), filepath.Join(ws, "generations.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Each(t.Context(), texts.StageReason, func(g texts.Generation) error { all = append(all, g); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// stored reads the preferences of a ledger by user, without what differs between runs.
func stored(t testing.TB, ws string) map[string]texts.Generation {
	t.Helper()
	s, err := ledger.OpenSQLite(t.Context(), filepath.Join(ws, "generations.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all := map[string]texts.Generation{}
	err = s.Each(t.Context(), texts.StageReason, func(g texts.Generation) error {
		if _, twice := all[g.Subject]; twice {
			t.Errorf("user %s has two answers", g.Subject)
		}
		g.Created, g.Seconds = time.Time{}, 0
		all[g.Subject] = g
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var uniqueItem = regexp.MustCompile(`Unique number (\d+) thing`)

// TestKilledRunsLoseNothing kills a run at random moments: in the end the ledger is that
// of an undisturbed run, and nothing that was stored was asked for again.
func TestKilledRunsLoseNothing(t *testing.T) {
	users, kills := 300, 3
	if slow {
		users, kills = 2000, 20
	}
	server := mllmtest.New(t, mllmtest.Options{Delay: 20 * time.Millisecond})
	undisturbed, disturbed := t.TempDir(), t.TempDir()
	whole, killed := shopOfUsers(t, undisturbed, users), shopOfUsers(t, disturbed, users)
	args := func(ws string) []string {
		return []string{"reason", ws, "--base-url", server.URL, "--concurrency", "16", "-q"}
	}
	var out strings.Builder
	if code := run(context.Background(), args(whole), &out, &out); code != 0 {
		t.Fatalf("exit %d: %s", code, out.String())
	}
	want := stored(t, whole)
	if len(want) != users {
		t.Fatalf("%d answers for %d users", len(want), users)
	}

	rng := rand.New(rand.NewPCG(1, 2))
	known := map[string]texts.Generation{} // stored before the present round
	asked := server.Total()
	hit := 0
	for round := range kills + 1 {
		cmd := exec.Command("mllmrec", args(killed)...)
		var stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stderr, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if round < kills {
			// From the first request on, so that the kill meets the work, not the start.
			for end := time.Now().Add(10 * time.Second); server.Total() == asked && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Duration(rng.IntN(int(1.6*20*float64(users)/16/float64(kills)))) * time.Millisecond)
			cmd.Process.Kill() //nolint:errcheck // it may be done already
		}
		if err := cmd.Wait(); err != nil {
			hit++
			if round == kills {
				t.Fatalf("the last run: %v: %s", err, stderr.String())
			}
		}
		for _, r := range server.Requests()[asked:] {
			user := "u" + uniqueItem.FindStringSubmatch(r.Prompt)[1]
			if _, ok := known[user]; ok {
				t.Fatalf("round %d: %s was asked about again", round, user)
			}
		}
		asked = server.Total()
		known = stored(t, killed)
	}
	t.Logf("%d of %d kills met a running process; %d requests for %d answers", hit, kills, asked-users, users)
	if hit < kills/2 {
		t.Errorf("only %d of %d kills met a running process", hit, kills)
	}
	if diff := cmp.Diff(want, known); diff != "" {
		t.Errorf("the ledger differs from that of an undisturbed run:\n%s", diff)
	}
	// At a kill, some are in flight, and as many answers may wait for the disk.
	if most := users + hit*2*16; asked-users > most {
		t.Errorf("%d requests, at most %d are explained by the kills", asked-users, most)
	}
}

// TestInterruptedRunKeepsWhatIsInFlight stops a run as Ctrl-C does: every request that
// was sent is answered and stored.
func TestInterruptedRunKeepsWhatIsInFlight(t *testing.T) {
	server := mllmtest.New(t, mllmtest.Options{Delay: 50 * time.Millisecond})
	ws := shopOfUsers(t, t.TempDir(), 300)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for server.Total() < 40 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		stop()
	}()
	var out strings.Builder
	if code := run(ctx, []string{"reason", ws, "--base-url", server.URL, "--concurrency", "16", "-q"}, &out, &out); code != exitInterrupted {
		t.Fatalf("exit %d: %s", code, out.String())
	}
	if n := len(stored(t, ws)); n != server.Total() || n >= 300 {
		t.Errorf("%d answers stored of %d requests", n, server.Total())
	}
}

// TestColdStartNamesTheWayOn asks for a preference by an author who is gone.
func TestColdStartNamesTheWayOn(t *testing.T) {
	server := mllmtest.New(t, mllmtest.Options{})
	ws := shopOfUsers(t, t.TempDir(), 20)
	var out strings.Builder
	if code := run(t.Context(), []string{"run", ws, "--base-url", server.URL, "--model", "mllmrec", "--set", "epochs=1", "-q"}, &out, &out); code != 0 {
		t.Fatalf("exit %d: %s", code, out.String())
	}
	server.Stop()
	out.Reset()
	if code := run(t.Context(), []string{"recommend", ws, "--history", "valid"}, &out, &out); code != exitUser || !strings.Contains(out.String(), "--mllm offline") {
		t.Errorf("exit %d: %s", code, out.String())
	}
	out.Reset()
	if code := run(t.Context(), []string{"recommend", ws, "--history", "valid", "--mllm", "offline"}, &out, &out); code != 0 {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
