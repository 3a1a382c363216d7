//go:build unix

package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/image/imagetest"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/secret/secrettest"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// The secrets, of each kind one. The variables of the keys have names that say nothing.
const (
	chatKey    = "sk-canary/chat-4f1c9a77e0"
	embedKey   = "em-canary+7d&2b=c9%41q"
	hubToken   = "hf_CanaryTokenQwErTyUiOp"
	dbPassword = "db canary/p@ss-61%0b"
	dbOther    = "db-canary-of-the-environment-83"
)

// aviary is a place for canaries: folders of a user's, in which commands are run as processes
// of their own, so that nothing is known to one because another was told.
type aviary struct {
	t     *testing.T
	dir   string
	mu    sync.Mutex
	clean map[[32]byte]bool // contents in which there is no secret
	calls int
}

func newAviary(t *testing.T) *aviary {
	a := &aviary{t: t, dir: t.TempDir(), clean: map[[32]byte]bool{}}
	for _, sub := range []string{"tmp", "own", "hf", "home"} {
		if err := os.Mkdir(filepath.Join(a.dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// shop is a workspace with one picture and all that commands may ask for, made offline.
func (a *aviary) shop() string {
	dir := filepath.Join(a.dir, "shop")
	if err := os.Mkdir(dir, 0o755); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.png"), imagetest.PNG(imagetest.Halves(32, 32, redInk, blueInk)), 0o644); err != nil {
		a.t.Fatal(err)
	}
	items, inter := "item,title,image\n", "user,item,time\n"
	for i := range 12 {
		picture := ""
		if i == 0 {
			picture = "a.png"
		}
		items += fmt.Sprintf("i%d,%s mug of style %d,%s\n", i, []string{"red", "blue"}[i%2], i, picture)
		if i < 6 {
			for u := range 4 {
				inter += fmt.Sprintf("u%d,i%d,%d\n", u, (2*u+i)%12, u+i)
			}
		}
	}
	ws := importTables(a.t, dir, inter, items)
	ok(a.t, "run", ws, "--mllm", "offline", "--dim", "4", "--threshold", "0.4", "--model", "mllmrec", "--set", "epochs=1", "-q")
	ok(a.t, "describe", ws, "--sample", "1", "--mllm", "offline", "-q")
	return ws
}

// run runs a command for a few seconds at most and looks through what it says.
func (a *aviary) run(server string, args ...string) string {
	a.t.Helper()
	said, _ := a.start(server, 4*time.Second, args...)
	a.look("the output of "+strings.Join(args, " "), said)
	return said
}

func (a *aviary) start(server string, most time.Duration, args ...string) (said string, err error) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mllmrec", args...)
	cmd.Env = append(os.Environ(), "CANARY_CHAT="+chatKey, "CANARY_EMBED="+embedKey, "HF_TOKEN="+hubToken, "PGPASSWORD="+dbOther, "HF_ENDPOINT="+server,
		"HF_HOME="+filepath.Join(a.dir, "hf"), "MLLMREC_CONFIG_DIR="+filepath.Join(a.dir, "own"), "TMPDIR="+filepath.Join(a.dir, "tmp"), "HOME="+filepath.Join(a.dir, "home"))
	cmd.Dir = filepath.Join(a.dir, "home")
	cmd.Stdin = strings.NewReader("a red mug\n")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	a.mu.Lock()
	a.calls++
	a.mu.Unlock()
	if strings.Contains(out.String(), "goroutine ") {
		a.t.Errorf("%v panicked: %s", args, out.String())
	}
	return out.String(), err
}

// look fails if a secret stands in a text.
func (a *aviary) look(where, text string) {
	a.t.Helper()
	sum := sha256.Sum256([]byte(text))
	a.mu.Lock()
	known := a.clean[sum]
	a.mu.Unlock()
	if known {
		return
	}
	if v, how := secrettest.Leaks(text, chatKey, embedKey, hubToken, dbPassword, dbOther); how != "" {
		a.t.Errorf("%s stands in %s (%s): %.600s", v, where, how, text)
		return
	}
	a.mu.Lock()
	a.clean[sum] = true
	a.mu.Unlock()
}

// lookThrough looks through all files below a folder.
func (a *aviary) lookThrough(dir string) {
	a.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another test tidies up
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		a.look("the name of a file", path)
		raw, err := os.ReadFile(path)
		if err == nil && !strings.HasSuffix(path, ".safetensors") && !strings.HasSuffix(path, ".npy") {
			a.look(path, string(raw))
		}
		return nil
	})
	if err != nil {
		a.t.Error(err)
	}
}

// lookIntoTexts looks through texts, which are compressed in their files.
func (a *aviary) lookIntoTexts(ws string) {
	a.t.Helper()
	w, err := workspace.Open(ws)
	if err != nil {
		a.t.Error(err)
		return
	}
	if texts, err := w.UserTexts(currentOf(w, workspace.KindUserTexts)); err == nil {
		a.look("the preferences of "+ws, fmt.Sprintf("%+v", texts))
	}
	if texts, err := w.ItemTexts(currentOf(w, workspace.KindItemTexts)); err == nil {
		a.look("the item texts of "+ws, fmt.Sprintf("%+v", texts))
	}
}

// gossiped are the commands that ask servers.
func gossiped() map[string][]string {
	chat := []string{"--base-url", "SERVER#concurrency=1", "--api-key-env", "CANARY_CHAT", "--max-hours", "0.00005"}
	asked := append(slices.Clone(chat), "--mllm", "DIALECT", "--mllm-model", "gemma3:27b", "--attempts", "1")
	vectors := []string{"--encoder", "openai", "--encoder-model", "m", "--encoder-base-url", "SERVER/v1", "--encoder-api-key-env", "CANARY_EMBED", "--encoder-batch", "1"}
	with := func(more []string, args ...string) []string { return append(args, more...) }
	return map[string][]string{
		"describe": with(asked, "describe", "WS"), "describe retry": with(chat, "describe", "retry", "WS"),
		"reason": with(asked, "reason", "WS"), "reason retry": with(chat, "reason", "retry", "WS"),
		"sample": with(asked, "describe", "WS", "--sample", "1"), "estimate": with(asked, "reason", "WS", "--estimate"),
		"run": with(append(slices.Clone(asked), vectors...), "run", "WS", "--model", "mllmrec", "--set", "epochs=1"), "encode": with(vectors, "encode", "WS"),
		"embed": with(vectors, "embed"), "model pull": {"model", "pull", "org/tiny"},
		"recommend": {"recommend", "WS", "--text", "a red mug"}, "recommend history": {"recommend", "WS", "--history", "i1,i2", "--mllm", "DIALECT"},
		"prompt show": {"prompt", "show", "WS", "--item", "i0", "--mllm-model", "m"},
	}
}

// Keys that servers repeat, in any way of writing, are neither shown nor kept.
func TestSecretsThatServersRepeat(t *testing.T) {
	a := newAviary(t)
	base := a.shop()
	commands := gossiped()
	names := []string{"describe", "reason", "describe retry", "reason retry", "sample", "estimate", "encode", "embed", "model pull", "run", "recommend", "recommend history", "prompt show"}
	if len(names) != len(commands) {
		t.Fatal("a command is left out")
	}
	for nth, mode := range gossips {
		for at, dialect := range []string{"openai", "ollama"} {
			if !slow && (nth+at)%2 != 0 || testing.Short() && nth%4 != 0 {
				continue
			}
			t.Run(mode+"/"+dialect, func(t *testing.T) {
				t.Parallel()
				b := &aviary{t: t, dir: a.dir, clean: map[[32]byte]bool{}}
				server := gossipAt(t, mode)
				ws := copied(t, base)
				for k, name := range names {
					if !slow && k >= 2 && (k+nth)%3 != 0 {
						continue
					}
					args := []string{}
					for _, arg := range commands[name] {
						args = append(args, strings.NewReplacer("WS", ws, "SERVER", server, "DIALECT", dialect).Replace(arg))
					}
					if (k+nth)%2 == 0 {
						args = append(args, "--json")
					}
					b.run(server, args...)
				}
				for _, args := range [][]string{{"describe", "show", ws}, {"reason", "show", ws, "--json"}, {"status", ws}} {
					b.run(server, args...)
				}
				b.lookThrough(filepath.Dir(ws))
				b.lookIntoTexts(ws)
			})
		}
	}
	t.Cleanup(func() { a.lookThrough(a.dir) })
}

// What an older version stored with a key in it is shown and used without.
func TestSecretsOfAnOlderLedger(t *testing.T) {
	a := newAviary(t)
	ws := a.shop()
	server := mllmtest.New(t, mllmtest.Options{Answer: func(mllmtest.Record) string {
		return "A buyer of red mugs, of the key " + chatKey + ", who likes lamps."
	}}).URL
	author := []string{"--mllm", "openai", "--mllm-model", "gemma3:27b", "--base-url", server, "--force", "-q"}
	ok(t, append([]string{"reason", ws}, author...)...) // in this process, where nobody registers the key
	raw, err := os.ReadFile(filepath.Join(ws, workspace.GenerationsFile))
	if _, how := secrettest.Leaks(string(raw), chatKey); err != nil || how == "" {
		t.Fatalf("the ledger holds no key, %v", err)
	}
	t.Setenv("OPENAI_API_KEY", chatKey)
	for _, args := range [][]string{{"reason", "show", ws}, {"reason", "show", ws, "--json"}, append([]string{"reason", ws}, author...), {"recommend", ws, "--user", "u1"}, {"export", "chat", ws, "--out", filepath.Join(a.dir, "out.jsonl")}} {
		if said := a.run("", args...); args[1] == "show" && !strings.Contains(said, "of the key [redacted]") {
			t.Errorf("%v: %s", args, said)
		}
	}
	a.lookIntoTexts(ws)
	a.look("what was exported", string(mustRead(t, filepath.Join(a.dir, "out.jsonl"))))
}

func mustRead(t *testing.T, path string) []byte {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Every other command, with passwords on the command line and in the environment: as the
// first and as the second writer, and with files of results that repeat keys.
func TestSecretsOfEveryCommand(t *testing.T) {
	a := newAviary(t)
	base := a.shop()
	honest := mllmtest.New(t, mllmtest.Options{}).URL
	database := gossipingDatabase(t)
	store := "postgres://u:" + escaped(dbPassword) + "@" + database + "/x?sslmode=disable&connect_timeout=2"
	results := a.results(base)
	for name, args := range secretive() {
		ws := copied(t, base)
		if strings.HasPrefix(name, "batch import") { // the key of who asked: else nobody here could know it
			t.Setenv("OPENAI_API_KEY", chatKey)
		} else {
			os.Unsetenv("OPENAI_API_KEY")
		}
		for _, held := range []bool{false, true} {
			release := func() {}
			if held {
				var err error
				if release, err = opened(t, ws).Lock(); err != nil {
					t.Fatal(err)
				}
			}
			said := a.run(honest, a.replace(args, ws, store, database, results)...)
			release()
			if held && strings.Contains(name, "store") && said == "" {
				t.Errorf("%s says nothing", name)
			}
		}
		a.lookThrough(filepath.Dir(ws))
		os.RemoveAll(filepath.Dir(ws))
	}
	a.lookThrough(a.dir)
	t.Logf("%d calls", a.calls)
}

func (a *aviary) replace(args []string, ws, store, database, results string) []string {
	out := filepath.Join(filepath.Dir(ws), "out")
	r := strings.NewReplacer("WS", ws, "STORE", store, "DATABASE", database, "RESULTS", results, "OUT", out, "PASSWORD", escaped(dbPassword))
	var all []string
	for _, arg := range args {
		all = append(all, r.Replace(arg))
	}
	return all
}

// escaped writes a password as it has to stand in an address.
func escaped(v string) string { return strings.ReplaceAll(url.QueryEscape(v), "+", "%20") }

// results is a file of a batch service that repeats the key that another process asked it
// with, in all ways of writing.
func (a *aviary) results(base string) string {
	ids := []string{}
	out := filepath.Join(a.dir, "exported")
	a.run("", "batch", "export", base, "--stage", "reason", "--mllm", "openai", "--mllm-model", "m", "--out", out)
	files, err := filepath.Glob(filepath.Join(out, "*.jsonl"))
	if err != nil || len(files) == 0 {
		a.t.Fatalf("nothing was exported: %v", err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		a.t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		_, rest, _ := strings.Cut(line, `"custom_id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		ids = append(ids, id)
	}
	var lines strings.Builder
	g := &gossip{mode: "answer"}
	for n := range 2 * len(secrettest.Writings(chatKey)) {
		text, say := g.written(chatKey)
		id := quote(ids[n%len(ids)])
		if n >= len(ids) {
			id = say
		}
		switch n % 4 {
		case 0:
			fmt.Fprintf(&lines, `{"custom_id":%s,"response":{"status_code":200,"body":{"id":%[2]s,"model":"m","choices":[{"finish_reason":%[2]s,"message":{"content":%[3]s}}]}},"error":null}`, id, say, quote("A buyer of red mugs, key "+text))
		case 1:
			fmt.Fprintf(&lines, `{"custom_id":%s,"response":{"status_code":401,"body":{"error":{"message":%[2]s,"code":%[2]s}}}}`, id, say)
		case 2:
			fmt.Fprintf(&lines, `{"custom_id":%s,"response":null,"error":{"code":%[2]s,"message":%[2]s}}`, id, say)
		case 3:
			fmt.Fprintf(&lines, `{"custom_id":%s,"response":{"status_code":200,"body":{"error":%s`, id, say)
		}
		lines.WriteString("\n")
	}
	path := filepath.Join(a.t.TempDir(), "results.jsonl")
	if err := os.WriteFile(path, []byte(lines.String()), 0o644); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// secretive lists calls of all commands that ask no server, and those of the database.
func secretive() map[string][]string {
	return map[string][]string{
		"store: reason": {"reason", "WS", "--mllm", "offline", "--store", "STORE", "--force"}, "store: describe": {"describe", "WS", "--mllm", "offline", "--store", "STORE", "--json", "--force"},
		"store: run": {"run", "WS", "--mllm", "offline", "--store", "STORE", "--model", "mllmrec", "--set", "epochs=1"}, "store: status": {"status", "WS", "--store", "STORE"},
		"store: worker": {"worker", "--store", "STORE", "--until-empty"}, "store: worker withdraw": {"worker", "withdraw", "WS", "--store", "STORE", "--stage", "reason"},
		"store: batch import": {"batch", "import", "WS", "RESULTS", "--store", "STORE"}, "store: batch export": {"batch", "export", "WS", "--stage", "reason", "--mllm", "openai", "--mllm-model", "m", "--store", "STORE", "--out", "OUT"},
		"store: show": {"reason", "show", "WS", "--store", "STORE"}, "store: retry": {"reason", "retry", "WS", "--store", "STORE"},
		"store: of the environment": {"reason", "WS", "--mllm", "offline", "--store", "postgres://u@DATABASE/x?sslmode=disable", "--force"},
		"store: no address":         {"status", "WS", "--store", "host=DATABASE password='PASSWORD'"}, "store: no port": {"status", "WS", "--store", "postgres://u:PASSWORD@h:port/x"},
		"store: escapes": {"status", "WS", "--store", "postgres://u:PASSWORD%zz@h/x"}, "store: away": {"status", "WS", "--store", "postgres://u:PASSWORD@127.0.0.1:1/x", "--json"},
		"store: bare": {"status", "WS", "--store", "postgres://u:db%20canary%2Fp@ss-61%250b@DATABASE/x?sslmode=disable"}, "store: bare number": {"status", "WS", "--store", "postgres://u:12/db canary/p@ss-61@h/x"},
		"store: query": {"status", "WS", "--store", "postgres://DATABASE/x?user=u&password=PASSWORD&sslmode=disable"}, "store: settings": {"status", "WS", "--store", "postgres://u:PASSWORD@DATABASE/x?sslmode=no&sslpassword=PASSWORD"},
		"store: unknown flag": {"status", "WS", "--stor", "STORE"}, "store: as an argument": {"status", "STORE"}, "store: as an option": {"train", "WS", "--set", "STORE"},
		"store: to a server": {"reason", "WS", "--mllm", "openai", "--mllm-model", "m", "--base-url", "STORE"}, "store: as a server": {"reason", "WS", "--mllm", "openai", "--mllm-model", "m", "--base-url", "http://u:PASSWORD@DATABASE/v1"},
		"batch import": {"batch", "import", "WS", "RESULTS", "--on-error", "skip"}, "batch import json": {"batch", "import", "WS", "RESULTS", "--on-error", "skip", "--json"}, "batch import stop": {"batch", "import", "WS", "RESULTS"},
		"batch export":  {"batch", "export", "WS", "--stage", "reason", "--mllm", "openai", "--mllm-model", "m", "--out", "OUT"},
		"describe show": {"describe", "show", "WS"}, "reason show": {"reason", "show", "WS", "--json"}, "graph build": {"graph", "build", "WS", "--force"}, "graph stats": {"graph", "stats", "WS"},
		"train": {"train", "WS", "--fresh", "--model", "mllmrec", "--set", "epochs=1"}, "evaluate": {"evaluate", "WS"}, "recommend": {"recommend", "WS", "--user", "u1"},
		"compare": {"compare", "WS", "--models", "bpr", "--without", "all", "--epochs", "1", "--out", "OUT"}, "ablate": {"ablate", "WS", "--epochs", "1", "--out", "OUT", "--mllm", "offline", "--dry-run"},
		"sweep": {"sweep", "WS", "--recommender", "bpr", "--over", "embedding_dim=4,8", "--epochs", "1", "--out", "OUT"},
		"audit": {"audit", "WS", "--measure", "off"}, "status": {"status", "WS", "--json"}, "prune": {"prune", "WS"},
		"feedback export": {"feedback", "export", "WS", "--out", "OUT.jsonl"}, "feedback import": {"feedback", "import", "WS", "RESULTS"},
		"store: feedback export": {"feedback", "export", "WS", "--out", "OUT.jsonl", "--store", "STORE"}, "store: feedback import": {"feedback", "import", "WS", "RESULTS", "--store", "STORE", "--json"},
		"serve": {"serve", "WS", "--addr", "127.0.0.1:none"}, "store: serve": {"serve", "WS", "--addr", "127.0.0.1:none", "--store", "STORE", "--log", "json"}, // which ends it once all is opened
		"retrain": {"retrain", "WS", "--model", "bpr", "--set", "epochs=1"}, "store: retrain": {"retrain", "WS", "--store", "STORE", "--dry-run"}, "ab": {"ab", "WS"}, "store: ab": {"ab", "WS", "--store", "STORE"}, "key add": {"key", "add", "WS", "--name", "x", "--role", "read"}, "key list": {"key", "list", "WS"}, "key revoke": {"key", "revoke", "WS", "0123456789ab"},
		"store: key":   {"key", "list", "WS", "--store", "STORE", "--json"},
		"export mmrec": {"export", "mmrec", "WS", "--out", "OUT"}, "export chat": {"export", "chat", "WS", "--out", "OUT.jsonl"},
		"trust": {"trust", "WS"}, "prompt show": {"prompt", "show", "WS", "--item", "i1", "--mllm-model", "m"},
		"prompt templates": {"prompt", "templates", "--out", "OUT"}, "prompt prices": {"prompt", "prices"}, "version": {"version"}, "model pull": {"model", "pull", "STORE"},
		"import tables": {"import", "tables", "--interactions", "RESULTS", "--out", "OUT"}, "import amazon": {"import", "amazon", "--reviews", "RESULTS", "--meta", "RESULTS", "--out", "OUT"},
		"import microlens": {"import", "microlens", "--pairs", "RESULTS", "--titles", "RESULTS", "--out", "OUT"}, "import mmrec": {"import", "mmrec", "--inter", "RESULTS", "--out", "OUT"},
	}
}

// No command is forgotten in the tests above.
func TestSecretsMeetEveryCommand(t *testing.T) {
	covered := map[string]bool{"mllmrec": true}
	for _, table := range []map[string][]string{gossiped(), secretive()} {
		for _, args := range table {
			for n := range min(2, len(args)) {
				covered[strings.Join(args[:n+1], " ")] = true
			}
		}
	}
	without := []string{"demo", "experiment-trial", "report"} // ask nobody, and take no address
	for _, cmd := range withSubcommands((&app{}).root()) {
		if path := strings.TrimPrefix(cmd.CommandPath(), "mllmrec "); !covered[path] && !slices.Contains(without, path) {
			t.Errorf("nobody looks for secrets with %q", path)
		}
	}
}
