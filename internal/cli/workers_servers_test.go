package cli

import (
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
)

// TestCoordinatorWithoutServer learns from workers what the model is.
func TestCoordinatorWithoutServer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database")
	}
	database := pgtest.Start(t)
	refuse := func(t *testing.T, s *sharedShop, says []string, args ...string) {
		t.Helper()
		code, _, stderr := s.call(append([]string{"reason", s.ws, "--store", s.address, "--workers", "-q"}, args...)...)
		for _, want := range says {
			if code != exitUser || !strings.Contains(stderr, want) {
				t.Errorf("exit %d, no %q in: %s", code, want, stderr)
			}
		}
	}
	serve := func(t *testing.T, s *sharedShop, kind string, opt mllmtest.Options) *mllmtest.Server {
		t.Helper()
		server := mllmtest.New(t, opt)
		stop, done := s.start("worker", "--store", s.address, "--mllm", kind, "--base-url", server.URL, "-q")
		t.Cleanup(func() { stop(); <-done })
		return server
	}
	workers := func(s *sharedShop, n int) {
		s.status(func(r statusResult) bool { return len(r.Queue.Workers) == n }, "--store", s.address)
	}
	for _, kind := range []string{"ollama", "openai"} {
		t.Run(kind, func(t *testing.T) {
			s := &sharedShop{t: t, address: database.Database(t), ws: shopOfUsers(t, t.TempDir(), 20)}
			author := []string{"--mllm", kind, "--model", "gemma3:27b"}
			if kind == "openai" { // Ollama has a default address, where one may run
				refuse(t, s, []string{"no worker has reported", "Start a worker", "--base-url"}, author...)
			}
			server := serve(t, s, kind, mllmtest.Options{ContextLength: 8192})
			workers(s, 1)
			run := append([]string{"reason", s.ws, "--store", s.address, "-q"}, author...)
			if code, _, stderr := s.call(append(run, "--workers")...); code != 0 || server.Total() != 20 {
				t.Errorf("exit %d, %d requests: %s", code, server.Total(), stderr)
			}
			// Who reaches the server finds that it asks the same questions.
			run[len(run)-len(author)-1] = "--base-url=" + server.URL
			if code, _, stderr := s.call(run...); code != 0 || !strings.Contains(stderr, "fresh, skipped") || server.Total() != 20 {
				t.Errorf("exit %d, %d requests: %s", code, server.Total(), stderr)
			}
		})
	}
	t.Run("not that model", func(t *testing.T) {
		s := &sharedShop{t: t, address: database.Database(t), ws: shopOfUsers(t, t.TempDir(), 3)}
		serve(t, s, "ollama", mllmtest.Options{Model: "llava:7b"})
		workers(s, 1)
		refuse(t, s, []string{`none of the 1 workers has the model "gemma3:27b"; they have: llava:7b`, "--base-url"})
		serve(t, s, "ollama", mllmtest.Options{})
		serve(t, s, "ollama", mllmtest.Options{Digest: strings.Repeat("fedcba9876543210", 4)})
		workers(s, 3)
		refuse(t, s, []string{"different weights", "worker "})
	})
	t.Run("a server that is away", func(t *testing.T) {
		s := &sharedShop{t: t, address: database.Database(t), ws: shopOfUsers(t, t.TempDir(), 3)}
		refuse(t, s, []string{"neither a worker nor a server tells", "leave out --base-url"}, "--base-url", "http://127.0.0.1:1")
		refuse(t, s, []string{"--api-key-env has no effect with --workers"}, "--mllm", "openai", "--model", "m", "--api-key-env", "HOME")
	})
}
