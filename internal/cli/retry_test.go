package cli

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// What the stages' commands have, a retry has too, or it decides an answer or is for looking
// ahead.
func TestRetryHasTheFlagsOfItsStage(t *testing.T) {
	a := &app{}
	decides := append([]string{"window", "long-history", "latest", "history", "folds", "folds-for", "estimate", "tokens-per-second", "sample", "page", "force", "item-texts", "sample-users", "run"}, retryKeeps...)
	for name, cmd := range map[string]*cobra.Command{workspace.StageDescribe: a.describeCmd(), workspace.StageReason: a.reasonCmd()} {
		known := a.retryCmd(name).Flags()
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if has := known.Lookup(f.Name) != nil; !f.Hidden && has == slices.Contains(decides, f.Name) {
				t.Errorf("%s has --%s; its retry: %v", name, f.Name, has)
			}
		})
	}
}

const sickUsers = 6

// sickShop is a workspace of twenty users, of which six have no good answer. The last
// run had options that a retry may change.
func sickShop(t *testing.T, options mllmtest.Options, args ...string) (ws string, server *mllmtest.Server, heal func()) {
	t.Helper()
	healed := &atomic.Bool{}
	options.Choose = func(r mllmtest.Record) (mllmtest.Fault, bool) {
		var u int
		if m := uniqueItem.FindStringSubmatch(r.Prompt); m != nil {
			fmt.Sscan(m[1], &u) //nolint:errcheck // digits
		}
		return mllmtest.Refusal, u < sickUsers && !healed.Load()
	}
	server = mllmtest.New(t, options)
	ws = shopOfUsers(t, t.TempDir(), 20)
	code, _, stderr := call(t, append([]string{"reason", ws, "--base-url", server.URL, "--attempts", "1", "-q"}, args...)...)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	return ws, server, func() { healed.Store(true) }
}

// since returns what the server was asked after the first n requests.
func since(s *mllmtest.Server, n int) []mllmtest.Record { return s.Requests()[n:] }

func TestRetryFlagsThatReachTheServer(t *testing.T) {
	t.Setenv("RETRY_KEY", "sk-retry-1")
	for name, c := range map[string]struct {
		args []string
		ok   func(asked []mllmtest.Record) bool
	}{
		"as it was": {nil, func(asked []mllmtest.Record) bool {
			return len(asked) == sickUsers && slices.ContainsFunc(asked, func(r mllmtest.Record) bool { return r.InFlight > 1 })
		}},
		"concurrency": {[]string{"--concurrency", "1"}, func(asked []mllmtest.Record) bool {
			return !slices.ContainsFunc(asked, func(r mllmtest.Record) bool { return r.InFlight > 1 })
		}},
		"limit":       {[]string{"--limit", "2"}, func(asked []mllmtest.Record) bool { return len(asked) == 2 }},
		"api-key-env": {[]string{"--api-key-env", "RETRY_KEY"}, func(asked []mllmtest.Record) bool { return asked[0].Authorization == "Bearer sk-retry-1" }},
		"keep-alive":  {[]string{"--keep-alive", "7m"}, func(asked []mllmtest.Record) bool { return asked[0].KeepAlive == "7m" }},
		"no keep-alive any more": {[]string{"--keep-alive", ""}, func(asked []mllmtest.Record) bool {
			return asked[0].KeepAlive == ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ws, server, heal := sickShop(t, mllmtest.Options{Delay: 20 * time.Millisecond}, "--keep-alive", "5m", "--concurrency", "6")
			heal()
			before := server.Total()
			code, _, stderr := call(t, append([]string{"reason", "retry", ws, "-q"}, c.args...)...)
			asked := since(server, before)
			if code != 0 || len(asked) == 0 || !c.ok(asked) {
				t.Errorf("exit %d: %s%+v", code, stderr, asked)
			}
			if name == "as it was" && asked[0].KeepAlive != "5m" {
				t.Errorf("the last run's --keep-alive was not kept: %+v", asked[0])
			}
		})
	}
	t.Run("base-url", func(t *testing.T) {
		ws, server, _ := sickShop(t, mllmtest.Options{})
		second := mllmtest.New(t, mllmtest.Options{})
		before := server.Total()
		if code, _, stderr := call(t, "reason", "retry", ws, "--base-url", second.URL, "-q"); code != 0 || second.Total() != sickUsers || server.Total() != before {
			t.Errorf("exit %d, %d requests: %s", code, second.Total(), stderr)
		}
	})
	t.Run("attempts", func(t *testing.T) {
		ws, server, _ := sickShop(t, mllmtest.Options{})
		before := server.Total()
		if code, _, stderr := call(t, "reason", "retry", ws, "--attempts", "2", "-q"); code != 0 || len(since(server, before)) != 2*sickUsers {
			t.Errorf("exit %d, %d requests: %s", code, len(since(server, before)), stderr)
		}
	})
}

// A flag that cannot be honoured stops the retry before anything is asked.
func TestRetryRefuses(t *testing.T) {
	ws, server, _ := sickShop(t, mllmtest.Options{})
	offline := shopOfUsers(t, t.TempDir(), 3)
	before := server.Total()
	for _, c := range []struct {
		ws   string
		says string
		args []string
	}{
		{ws, "limit", []string{"--rpm", "-1"}},
		{ws, "limit", []string{"--tpm", "-1"}},
		{ws, "timeout", []string{"--timeout", "-1s"}},
		{ws, "--concurrency", []string{"--concurrency", "-1"}},
		{ws, "--attempts", []string{"--attempts", "-1"}},
		{ws, "--limit", []string{"--limit", "-1"}},
		{ws, "--max-cost", []string{"--max-cost", "NaN"}},
		{ws, "--max-hours", []string{"--max-hours", "-1"}},
		{ws, "no-such-prices", []string{"--prices", "no-such-prices.yaml"}},
		{ws, "NO_SUCH_KEY", []string{"--api-key-env", "NO_SUCH_KEY"}},
		{ws, "--store", []string{"--store", "mysql://u:hunter2@h/db"}},
		{ws, "--workers has no effect without --store", []string{"--workers"}},
		{ws, "--rpm has no effect with --workers", []string{"--workers", "--store", "postgres://127.0.0.1:1/db", "--rpm", "5"}},
		{ws, "--max-hours has no effect with --workers", []string{"--workers", "--store", "postgres://127.0.0.1:1/db", "--max-hours", "5"}},
		{ws, "--concurrency has no effect with --workers", []string{"--workers", "--store", "postgres://127.0.0.1:1/db", "--concurrency", "5"}},
		{ws, "unknown flag: --mllm-model", []string{"--mllm-model", "other:1b"}},
		{ws, "unknown flag: --model", []string{"--model", "other:1b"}},
		{ws, "unknown flag: --image-dir", []string{"--image-dir", "."}},
		{offline, "--rpm has no effect with --mllm offline", []string{"--rpm", "5"}},
		{offline, "--workers has no effect with --mllm offline", []string{"--workers", "--store", "postgres://127.0.0.1:1/db"}},
	} {
		stage := "reason"
		if c.ws == offline {
			stage = "describe"
		}
		code, _, stderr := call(t, append([]string{stage, "retry", c.ws, "-q"}, c.args...)...)
		if code != exitUser || !strings.Contains(stderr, c.says) || strings.Contains(stderr, "hunter2") {
			t.Errorf("%v: exit %d: %s", c.args, code, stderr)
		}
	}
	if n := server.Total() - before; n != 0 {
		t.Errorf("%d questions were asked", n)
	}
}

// Limits of cost and time stop a retry as they stop a run, and the next one goes on.
func TestRetryKeepsToItsBudget(t *testing.T) {
	ws, server, heal := sickShop(t, mllmtest.Options{})
	heal()
	prices := filepath.Join(t.TempDir(), "prices.yaml")
	const table = "currency: USD\nas_of: \"2026-11\"\nmodels:\n  \"gemma3:27b\": {input: 1, output: 1}\n"
	if err := os.WriteFile(prices, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	before := server.Total()
	for _, args := range [][]string{{"--max-hours", "1e-9"}, {"--max-cost", "1e-9", "--prices", prices}} {
		if code, _, stderr := call(t, append([]string{"reason", "retry", ws, "-q"}, args...)...); code == 0 || !strings.Contains(stderr, "budget") {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
	}
	if n := server.Total() - before; n != 0 {
		t.Errorf("%d questions were asked beyond the budget", n)
	}
	if code, _, stderr := call(t, "reason", "retry", ws); code != 0 || server.Total()-before != sickUsers || strings.Contains(stderr, "quarantined") {
		t.Errorf("exit %d, %d requests: %s", code, server.Total()-before, stderr)
	}
}

// Workers may do a retry, and a ledger that was shared is not forgotten.
func TestRetryByWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database")
	}
	address := pgtest.Start(t).Database(t)
	ws, server, heal := sickShop(t, mllmtest.Options{}, "--store", address, "--rpm", "1e9", "--concurrency", "3", "--timeout", "1m")
	heal()
	if code, _, stderr := call(t, "reason", "retry", ws, "-q"); code != exitUser || !strings.Contains(stderr, "--store") {
		t.Errorf("without --store: exit %d: %s", code, stderr)
	}
	s := &sharedShop{t: t, address: address, ws: ws}
	stop, worker := s.start("worker", "--store", address, "--base-url", server.URL, "-q")
	before := server.Total()
	if code, _, stderr := call(t, "reason", "retry", ws, "--store", address, "--workers", "-q"); code != 0 || server.Total()-before != sickUsers {
		t.Errorf("exit %d, %d requests: %s", code, server.Total()-before, stderr)
	}
	stop()
	if end := <-worker; !strings.Contains(end.stdout, fmt.Sprintf("%d answers, 0 quarantined", sickUsers)) {
		t.Errorf("the worker did %q: %s", end.stdout, end.stderr)
	}
}

// Pictures that could not be read come from elsewhere, or are allowed, at a retry.
func TestRetryFindsPictures(t *testing.T) {
	dir := t.TempDir()
	const red = "iVBORw0KGgoAAAANSUhEUgAAABgAAAAYCAIAAABvFaqvAAAAH0lEQVR42mM4ISJCFcQwatCoQaMGjRo0atCoQQNvEADYLxwfOA8oIQAAAABJRU5ErkJggg=="
	picture, err := base64.StdEncoding.DecodeString(red)
	if err != nil {
		t.Fatal(err)
	}
	found := filepath.Join(dir, "found")
	if err := errors.Join(os.Mkdir(found, 0o700), os.WriteFile(filepath.Join(found, "a.png"), picture, 0o600)); err != nil {
		t.Fatal(err)
	}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(picture) //nolint:errcheck // the client notices
	}))
	defer host.Close()
	items := "item,title,image\na,Red mug,missing.png\nb,Blue bowl," + host.URL + "/b.png\nc,Green lamp,\n"
	inter := "user,item,time\nu,a,1\nu,b,2\nu,c,3\nv,b,1\nv,a,2\nv,c,3\n"
	for name, text := range map[string]string{"items.csv": items, "inter.csv": inter} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ws := filepath.Join(dir, "ws")
	server := mllmtest.New(t, mllmtest.Options{})
	for _, step := range []struct {
		args []string
		says string
	}{
		{[]string{"import", "tables", "--interactions", filepath.Join(dir, "inter.csv"), "--items", filepath.Join(dir, "items.csv"), "--split", "leave-latest", "--k-core", "0", "--out", ws}, ""},
		{[]string{"describe", ws, "--base-url", server.URL}, "0 with a described picture, 2 pictures unreadable"},
		{[]string{"describe", "retry", ws, "--allow-private-images", "--image-timeout", "1ns"}, "image:timeout 1"},
		{[]string{"describe", "retry", ws, "--image-timeout", "0s"}, "1 with a described picture, 1 pictures unreadable"},
		{[]string{"describe", "retry", ws, "--image-dir", found}, "2 with a described picture"},
	} {
		if code, _, stderr := call(t, step.args...); code != 0 || !strings.Contains(stderr, step.says) {
			t.Errorf("%v: exit %d: %s", step.args, code, stderr)
		}
	}
	if server.Total() != 2 {
		t.Errorf("%d requests for two pictures", server.Total())
	}
}
