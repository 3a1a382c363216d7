//go:build unix

package cli

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// A configuration may hold a password; whoever shows what it names does not show it.
func TestSecretsInConfigurations(t *testing.T) {
	a := newAviary(t)
	ws := a.shop()
	store := "postgres://u:" + escaped(dbPassword) + "@" + gossipingDatabase(t) + "/x?sslmode=disable&connect_timeout=2"
	config := filepath.Join(ws, configName)
	if err := os.WriteFile(config, []byte("all: {store: '"+store+"', base-url: ['http://u:"+escaped(dbPassword)+"@h/v1']}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"reason", ws, "--mllm", "offline", "--force"}, {"trust", ws}, {"trust", ws, "--json"}, {"trust", ws, "--yes"}, {"reason", ws, "--mllm", "offline", "--force"}, {"status", ws}, {"trust", ws, "--revoke"}} {
		if said := a.run("", args...); said == "" {
			t.Errorf("%v says nothing", args)
		}
	}
	os.Remove(config)
	a.lookThrough(a.dir)
}

// A writer that is killed leaves a note without secrets that only its owner reads; so does
// what the next writer says of it.
func TestSecretsOfAKilledWriter(t *testing.T) {
	a := newAviary(t)
	ws := a.shop()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	password := escaped(dbPassword)
	store := "postgres://u:" + password + "@" + silent.Addr().String() + "/x?sslmode=disable&sslpassword=" + password
	note := filepath.Join(ws, "workspace.lock.json")
	if err := os.Remove(filepath.Join(ws, "workspace.lock")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan string, 1)
	go func() {
		said, _ := a.start("", 3*time.Second, "reason", ws, "--mllm", "offline", "--store", store, "--force")
		ended <- said
	}()
	second := ""
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(note); err == nil {
			second = a.run("", "reason", ws, "--mllm", "offline", "--force")
			break
		}
	}
	if !strings.Contains(second, "is being written by process") || !strings.Contains(second, "--store postgres://u:[redacted]@127.0.0.1") {
		t.Errorf("the second writer hears: %s", second)
	}
	a.look("what the killed writer said", <-ended)
	info, err := os.Stat(note)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the note: %v, %v", info, err)
	}
	a.run("", "reason", ws, "--mllm", "offline", "--force") // after the dead
	for _, name := range []string{"workspace.lock", workspace.GenerationsFile} {
		if info, err := os.Stat(filepath.Join(ws, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	a.lookThrough(a.dir)
}

// Many workers and their coordinator over a database: nothing in any table of it, in files
// or in what they say holds a secret.
func TestSecretsOfWorkers(t *testing.T) {
	if !slow {
		t.Skip("waits for servers and workers for ten seconds and more: 'make test-slow' runs it")
	}
	if testing.Short() {
		t.Skip("starts a database")
	}
	a := newAviary(t)
	base := a.shop()
	address := pgtest.Start(t).Database(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if _, has := u.User.Password(); os.Getenv(pgtest.EnvAddress) == "" || !has {
		u.User = url.UserPassword(u.User.Username(), dbPassword) // the test's own server trusts any
	}
	modes := []string{"answer", "fields", "401", "500", "models", "no HTTP"}
	if !slow {
		modes = []string{"answer", "401"}
	}
	for _, mode := range modes {
		server := gossipAt(t, mode)
		ws := copied(t, base)
		author := []string{"--mllm", "openai", "--mllm-model", "gemma3:27b", "--api-key-env", "CANARY_CHAT"}
		done := make(chan string, 1)
		go func() {
			said, _ := a.start("", 6*time.Second, "worker", "--store", u.String(), "--base-url", server, "--mllm", "openai", "--api-key-env", "CANARY_CHAT", "--concurrency", "2")
			done <- said
		}()
		said, _ := a.start("", 5*time.Second, append(append([]string{"reason", ws, "--store", u.String(), "--base-url", server}, author...), "--workers")...)
		a.look("the coordinator's output", said)
		said, _ = a.start("", 5*time.Second, "reason", ws, "--store", u.String(), "--mllm", "openai", "--mllm-model", "gemma3:27b", "--workers")
		a.look("the coordinator's output", said)
		a.run("", "status", ws, "--store", u.String())
		a.run("", "worker", "withdraw", ws, "--store", u.String())
		a.look("the worker's output", <-done)
		a.lookThrough(filepath.Dir(ws))
		a.lookIntoTexts(ws)
	}
	a.lookThrough(a.dir)
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) //nolint:errcheck // only read
	rows, err := conn.Query(t.Context(), "SELECT tablename FROM pg_tables WHERE schemaname = 'mllmrec'")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 3 {
		t.Fatalf("tables %v: %v", tables, err)
	}
	seen := 0
	for _, table := range tables {
		rows, err := conn.Query(t.Context(), "SELECT t::text FROM mllmrec."+pgx.Identifier{table}.Sanitize()+" t")
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		seen += len(lines)
		a.look("table "+table, strings.Join(lines, "\n"))
	}
	if seen == 0 {
		t.Error("the database is empty")
	}
}
