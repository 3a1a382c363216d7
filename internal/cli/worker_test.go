package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
)

// TestWorkersAnswerForACoordinator has a worker answer what another process asks.
func TestWorkersAnswerForACoordinator(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database")
	}
	address := pgtest.Start(t).Database(t)
	server := mllmtest.New(t, mllmtest.Options{})
	const users = 40
	ws := shopOfUsers(t, t.TempDir(), users)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	worker := make(chan string, 1)
	go func() {
		var out strings.Builder
		run(ctx, []string{"worker", "--store", address, "--base-url", server.URL, "--concurrency", "8", "-q"}, &out, &out)
		worker <- out.String()
	}()
	var out strings.Builder
	if code := run(t.Context(), []string{"reason", ws, "--base-url", server.URL, "--store", address, "--workers", "-q"}, &out, &out); code != 0 {
		t.Fatalf("exit %d: %s", code, out.String())
	}
	stop()
	if said := <-worker; !strings.Contains(said, "40 answers, 0 quarantined") {
		t.Errorf("the worker says %q", said)
	}
	if server.Total() != users {
		t.Errorf("%d requests for %d users", server.Total(), users)
	}
	out.Reset()
	if code := run(t.Context(), []string{"status", ws, "--json"}, &out, &out); code != 0 || !strings.Contains(out.String(), `"done": 40`) {
		t.Errorf("exit %d: %s", code, out.String())
	}
	out.Reset()
	if code := run(t.Context(), []string{"reason", ws, "--base-url", server.URL, "--workers"}, &out, &out); code != 2 || !strings.Contains(out.String(), "--workers has no effect without --store") {
		t.Errorf("--workers without a database: exit %d: %s", code, out.String())
	}
}
