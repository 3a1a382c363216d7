//go:build unix

package cli

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/image/imagetest"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// The canaries: what must never leave, and where nothing must change.
const (
	canaryKey  = "sk-canary-4f1c9a77e0"
	canaryText = "canary-outside-51b9"
)

// stranger is a place in which a stranger's workspace is opened.
type stranger struct {
	outside string       // a folder with the user's own files
	address string       // of a server that counts who connects
	calls   atomic.Int64 // connections to it
	model   string       // a tiny sentence encoder
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	h := &stranger{outside: t.TempDir()}
	for name, text := range map[string][]byte{
		"notes.txt":        []byte(canaryText),
		"private.png":      imagetest.PNG(imagetest.Halves(32, 32, redInk, blueInk)),
		"page.html":        []byte(canaryText),
		"describe.tmpl":    []byte(canaryText + " {{.Item}}"),
		"prices.yaml":      []byte("currency: " + canaryText),
		"folder/i1.png":    imagetest.PNG(imagetest.Halves(32, 32, redInk, blueInk)),
		"folder/users.npy": []byte(canaryText),
	} {
		path := filepath.Join(h.outside, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.calls.Add(1)
			c.Close()
		}
	}()
	h.address = l.Addr().String()
	if h.model, err = filepath.Abs(tinyModel); err != nil {
		t.Fatal(err)
	}
	return h
}

// every lists a call of every command that opens a workspace. OUT stands for a folder of
// the user's choice, TEXTS for what the user types of who writes.
func every() map[string][]string {
	return map[string][]string{
		"describe": {"describe", "WS", "TEXTS", "--force"}, "describe retry": {"describe", "retry", "WS"},
		"describe show": {"describe", "show", "WS"}, "reason": {"reason", "WS", "TEXTS", "--force"},
		"reason retry": {"reason", "retry", "WS"}, "reason show": {"reason", "show", "WS"},
		"sample": {"describe", "WS", "TEXTS", "--sample", "2"}, "estimate": {"describe", "WS", "--estimate"},
		"encode": {"encode", "WS", "--force"}, "graph build": {"graph", "build", "WS", "--force"}, "graph stats": {"graph", "stats", "WS"},
		"train": {"train", "WS", "--fresh", "--model", "mllmrec", "--set", "epochs=1"}, "resume": {"train", "WS", "--set", "epochs=3"},
		"evaluate": {"evaluate", "WS"}, "recommend": {"recommend", "WS", "--user", "u1"},
		"recommend history": {"recommend", "WS", "--history", "i1,i2"}, "recommend text": {"recommend", "WS", "--text", "red lamp"},
		"audit": {"audit", "WS", "--measure", "off"}, "status": {"status", "WS"}, "prune": {"prune", "WS"},
		"export mmrec": {"export", "mmrec", "WS", "--out", "OUT"}, "export chat": {"export", "chat", "WS", "--out", "OUT.jsonl"},
		"feedback export": {"feedback", "export", "WS", "--out", "OUT.jsonl"}, "feedback import": {"feedback", "import", "WS", "RESULTS"},
		"retrain": {"retrain", "WS"}, "ab": {"ab", "WS"},
		"serve":   {"serve", "WS", "--addr", "127.0.0.1:none"}, // which ends it once all is opened
		"key add": {"key", "add", "WS", "--name", "x", "--role", "read"}, "key list": {"key", "list", "WS"}, "key revoke": {"key", "revoke", "WS", "0123456789ab"},
		"batch export": {"batch", "export", "WS", "--stage", "reason", "--mllm", "openai", "--mllm-model", "m", "--out", "OUT"},
		"batch import": {"batch", "import", "WS", "RESULTS"}, "prompt show": {"prompt", "show", "WS", "--item", "i1", "--mllm-model", "m"},
		"run": {"run", "WS", "TEXTS", "--model", "mllmrec", "--set", "epochs=1"}, "trust": {"trust", "WS"}, "withdraw": {"worker", "withdraw", "WS", "--store", "postgres://127.0.0.1:1/none"},
		"import tables": {"import", "tables", "--interactions", "RESULTS", "--out", "WS"},
		"compare":       {"compare", "WS", "--models", "bpr", "--without", "all", "--epochs", "1", "--out", "OUT", "--dry-run"},
		"ablate":        {"ablate", "WS", "TEXTS", "--epochs", "1", "--out", "OUT", "--dry-run"},
		"sweep":         {"sweep", "WS", "--recommender", "bpr", "--over", "embedding_dim=4,8", "--epochs", "1", "--out", "OUT", "--dry-run"},
	}
}

// aside lists calls of commands that open no workspace, for configurations that lie in the
// current folder. MISSING stands for a file that is not there: importers get to their end
// only with a hostile name for one.
func aside() [][]string {
	return [][]string{{"version"}, {"prompt", "templates"}, {"prompt", "prices"}, {"embed", "--encoder-model", "MODEL"}, {"demo"},
		{"worker", "--store", "postgres://127.0.0.1:1/none", "--until-empty"}, {"model", "pull", "nobody/nothing"},
		{"import", "amazon", "--reviews", "MISSING", "--out", "OUT"}, {"import", "amazon"}, {"import", "microlens", "--pairs", "MISSING", "--out", "OUT"},
		{"import", "mmrec", "--inter", "MISSING", "--out", "OUT"}, {"import", "tables", "--interactions", "MISSING", "--out", "OUT"}}
}

// withoutWorkspace are commands that open none.
var withoutWorkspace = []string{"experiment-trial", "report", "import amazon", "import microlens", "import mmrec", "model", "model pull", "prompt", "prompt templates", "prompt prices", "demo", "embed", "version",
	"worker", "worker withdraw", "batch", "graph", "key", "export", "import", "mllmrec", "mllmrec help", "completion"}

// TestHostileWorkspaces opens workspaces that somebody else has prepared with every
// command: nothing is sent to their servers, nothing outside is read or written, nothing
// hangs and nothing eats the memory.
func TestHostileWorkspaces(t *testing.T) {
	h := newStranger(t)
	t.Setenv("STOLEN_KEY", canaryKey)
	t.Setenv("OPENAI_API_KEY", canaryKey)
	nobody := t.TempDir() // nobody has agreed to anything
	t.Setenv("MLLMREC_CONFIG_DIR", nobody)
	t.Setenv("HF_HUB_OFFLINE", "1")
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	base := picturedShop(t, h)
	ok(t, "run", base, "--model", "bpr", "--set", "epochs=1", "-q")
	ok(t, "run", base, "--mllm", "offline", "--dim", "6", "--threshold", "0.4", "--model", "mllmrec", "--set", "epochs=1", "-q")
	ok(t, "batch", "export", base, "--stage", "reason", "--mllm", "openai", "--mllm-model", "m", "--out", filepath.Join(t.TempDir(), "batch"), "-q")
	leaveBegun(t, base, "--model", "mllmrec", "--set", "epochs=3")
	results := filepath.Join(t.TempDir(), "results.jsonl")
	if err := os.WriteFile(results, []byte(`{"custom_id":"x","response":{"status_code":200,"body":{}}}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := contentsOf(t, h.outside)
	commands, calls := every(), 0
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	all := kinds()
	if len(all) < 20 {
		t.Fatalf("only %d kinds", len(all))
	}
	for n, k := range all {
		if testing.Short() && n%5 != 0 { // each call is a process, ten times as slow under the race detector
			continue
		}
		ws := copied(t, base)
		k.spoil(t, h, ws)
		fill := func(args []string) (filled []string) {
			out := filepath.Join(t.TempDir(), "out")
			for _, arg := range args {
				if arg == "TEXTS" {
					filled = append(filled, k.flags...)
					continue
				}
				filled = append(filled, strings.NewReplacer("WS", ws, "OUT", out, "RESULTS", results, "MODEL", h.model, "MISSING", filepath.Join(ws, "missing")).Replace(arg))
			}
			return filled
		}
		try := func(dir string, args []string) string {
			calls++
			before := h.calls.Load()
			said := bounded(t, k.name, dir, args)
			if h.calls.Load() > before {
				t.Logf("%s: %v asks the stranger's server", k.name, args)
			}
			for _, never := range []string{canaryKey, canaryText, "\x1b", "\u009b", "\u202e"} {
				if strings.Contains(said, never) {
					t.Errorf("%s: %v says %q: %.400q", k.name, args, never, said)
				}
			}
			return said
		}
		for at, name := range names {
			if !slow && (at+n)%12 != 0 && name != k.refused { // each command meets each kind behind the tag slow
				continue
			}
			said := try("", fill(commands[name]))
			if name == k.refused && !strings.Contains(said, "not agreed") {
				t.Errorf("%s: %s does not ask for consent: %.400s", k.name, name, said)
			}
		}
		if _, err := os.Lstat(filepath.Join(ws, configName)); err == nil { // as the current folder
			for at, args := range aside() {
				if args[0] == "demo" && k.name != demoed || !slow && (at+n)%8 != 0 && k.name != demoed {
					continue
				}
				try(ws, fill(args))
			}
		}
		if n := h.calls.Swap(0); n != 0 {
			t.Errorf("%s: %d connections to the stranger's server", k.name, n)
		}
		untouched(t, h, k.name, before)
		if k.sends { // once the user has agreed, it would: the workspace is hostile indeed
			t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
			os.RemoveAll(ws) // commands may have made again what was hostile
			if err := os.CopyFS(ws, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			k.spoil(t, h, ws)
			agreed := bounded(t, k.name, "", []string{"trust", ws, "--yes"})
			said, _, _ := endedIn(t, "", fill(commands[k.refused]), func() bool { return h.calls.Load() > 0 })
			if n := h.calls.Swap(0); n == 0 {
				t.Errorf("%s: after consent nothing is sent either: %.600s%.600s", k.name, agreed, said)
			}
			t.Setenv("MLLMREC_CONFIG_DIR", nobody)
		}
		os.RemoveAll(ws)
	}
	t.Logf("%d kinds, %d calls, at most %v and %d MiB", len(all), calls, worst.took.Round(time.Millisecond), worst.memory>>10)
}

// demoed is the kind under which the demo is tried: it takes long where nothing stops it.
const demoed = "a config names commands that open no workspace"

// untouched looks that the user's own files are as they were, and nothing new beside them.
func untouched(t *testing.T, h *stranger, what string, before map[string]string) {
	t.Helper()
	after := contentsOf(t, h.outside)
	for path, was := range before {
		if after[path] != was {
			t.Errorf("%s: %s was changed", what, path)
		}
	}
	for path := range after {
		if _, had := before[path]; !had {
			t.Errorf("%s: %s was written", what, path)
			os.RemoveAll(filepath.Join(h.outside, path))
		}
	}
}

// picturedShop makes a workspace whose catalogue names pictures in the workspace's own
// folder, but for two that lie among the user's files and one on this machine's network.
func picturedShop(t *testing.T, h *stranger) string {
	t.Helper()
	ds, err := opened(t, importWordyShop(t, 24, 24)).Dataset()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "ws")
	for i := range ds.Items {
		ds.Items[i].Image = ds.Items[i].ID + ".png"
	}
	ds.Items[2].Image = "http://" + h.address + "/picture.png"
	ds.Items[0].Image, ds.Items[1].Image = filepath.Join(h.outside, "private.png"), "../"+upwards(t, h, dir)+"/private.png"
	if _, err := workspace.Create(dir, ds, workspace.Source{Kind: "tables"}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "images", "cache", "prepared"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, it := range ds.Items[3:] {
		if err := os.WriteFile(filepath.Join(dir, "images", it.Image), imagetest.PNG(imagetest.Halves(32, 32, blueInk, redInk)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// leaveBegun trains a run and makes it one that was interrupted before it was recorded.
func leaveBegun(t *testing.T, ws string, options ...string) {
	t.Helper()
	current := currentOf(opened(t, ws), workspace.KindRun)
	ok(t, append([]string{"train", ws, "-q"}, options...)...)
	begun := currentOf(opened(t, ws), workspace.KindRun)
	if begun == current {
		t.Fatal("no other run was made")
	}
	manifest(t, ws, func(m map[string]any) {
		delete(m["artefacts"].(map[string]any), begun)
		m["current"].(map[string]any)["run"] = current
	})
}

// worst is what the longest and the largest call of bounded took.
var worst struct {
	took   time.Duration
	memory int64 // KiB
}

// bounded runs a command in a process of its own, of which it bounds the time and the
// memory, and returns what it said.
func bounded(t *testing.T, what, dir string, args []string) string {
	t.Helper()
	const memory = 500 << 10 // KiB
	start := time.Now()
	said, state, late := endedIn(t, dir, args, nil)
	worst.took = max(worst.took, time.Since(start))
	if late {
		t.Errorf("%s: %v did not end within %v: %s", what, args, most, said)
	}
	if use, ok := state.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" { // elsewhere it counts in bytes
		worst.memory = max(worst.memory, use.Maxrss)
		// A process begins as a copy of the one that starts it, whose size Linux counts: under
		// the race detector these tests are larger than what they bound.
		var own syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
			t.Fatal(err)
		}
		if use.Maxrss > max(memory, own.Maxrss) {
			t.Errorf("%s: %v took %d MiB", what, args, use.Maxrss>>10)
		}
	}
	if code := state.ExitCode(); !late && code < 0 || strings.Contains(said, "goroutine ") {
		t.Errorf("%s: %v ended with %d: %s", what, args, code, said)
	}
	return said
}

// most is how long a command may take.
const most = 5 * time.Second

// endedIn runs a command in a process of its own, in the folder dir, and kills it when its
// time is up or, unless it is nil, enough says so.
func endedIn(t *testing.T, dir string, args []string, enough func() bool) (said string, state *os.ProcessState, late bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	if enough != nil {
		go func() {
			for ctx.Err() == nil && !enough() {
				time.Sleep(10 * time.Millisecond)
			}
			cancel()
		}()
	}
	cmd := exec.CommandContext(ctx, "mllmrec", args...)
	cmd.Dir = dir
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Run() //nolint:errcheck // the state tells
	return out.String(), cmd.ProcessState, ctx.Err() == context.DeadlineExceeded
}

// contentsOf reads all files of a folder.
func contentsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, rel := range filesIn(t, dir) {
		raw, _ := os.ReadFile(filepath.Join(dir, rel)) // "" for a folder
		all[rel] = fmt.Sprintf("%x", sha256.Sum256(raw))
	}
	return all
}

// No command is forgotten in the test above.
func TestHostileWorkspacesMeetEveryCommand(t *testing.T) {
	covered := map[string]bool{}
	for _, args := range every() {
		covered[strings.Join(args[:min(2, len(args))], " ")] = true
		covered[args[0]] = true
	}
	for _, cmd := range withSubcommands((&app{}).root()) {
		path := strings.TrimPrefix(cmd.CommandPath(), "mllmrec ")
		if !covered[path] && !slices.Contains(withoutWorkspace, path) {
			t.Errorf("nobody opens a hostile workspace with %q", path)
		}
	}
}

// Pictures outside the catalogue's folder are not read, however the catalogue names them,
// unless the user says so; how many is said aloud.
func TestPicturesOutsideTheCatalogue(t *testing.T) {
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	h := newStranger(t)
	private := filepath.Join(h.outside, "private.png")
	dir := t.TempDir()
	for name, colour := range map[string]string{"good.png": "", "up/link.png": private, "up/linked": h.outside} {
		path := filepath.Join(dir, "shop", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if colour == "" {
			err = os.WriteFile(path, imagetest.PNG(imagetest.Halves(64, 64, blueInk, redInk)), 0o644)
		} else {
			err = os.Symlink(colour, path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	items := "item,title,image\na,absolute path," + private + "\nb,path upwards,../" + filepath.Base(h.outside) + "/private.png\nc,link out,up/link.png\nd,folder out,up/linked/private.png\ne,inside,good.png\n"
	if err := os.Symlink(h.outside, filepath.Join(dir, filepath.Base(h.outside))); err != nil {
		t.Fatal(err)
	}
	inter := "user,item,time\n"
	for u := range 3 {
		for i, id := range []string{"a", "b", "c", "d", "e"} {
			inter += fmt.Sprintf("u%d,%s,%d\n", u, id, i)
		}
	}
	ws := importTables(t, filepath.Join(dir, "shop"), inter, items)
	server := mllmtest.New(t, mllmtest.Options{})
	_, errs := ok(t, "describe", ws, "--base-url", server.URL)
	if !strings.Contains(errs, "4 outside the catalogue's folder") || !strings.Contains(errs, "1 with a described picture") {
		t.Errorf("%s", errs)
	}
	if n := len(server.Requests()); n != 1 {
		t.Errorf("%d pictures were sent", n)
	}
	_, errs = ok(t, "describe", ws, "--base-url", server.URL, "--allow-outside-images")
	if !strings.Contains(errs, "5 with a described picture") {
		t.Errorf("allowed: %s", errs)
	}
}

// The pictures of a stranger's workspace are not the user's own, whatever in it is a link:
// none of them reaches the server that the user named.
func TestPicturesBehindLinks(t *testing.T) {
	h := newStranger(t)
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	for _, name := range []string{"i3.png", "i4.png"} {
		if err := os.WriteFile(filepath.Join(h.outside, "folder", name), imagetest.PNG(imagetest.Halves(32, 32, redInk, blueInk)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	base := picturedShop(t, h)
	for name, spoil := range map[string]func(*testing.T, *stranger, string){
		"the folder":      instead("images", linkOut("folder")),
		"every picture":   instead("images/*.png", linkOut("private.png")),
		"a folder upward": instead("images", linkTo("../../")),
	} {
		ws := copied(t, base)
		spoil(t, h, ws)
		for _, args := range [][]string{{"describe", ws, "--sample", "24"}, {"describe", ws}} {
			server := mllmtest.New(t, mllmtest.Options{})
			call(t, append(args, "--base-url", server.URL)...)
			for _, r := range server.Requests() {
				if len(r.Images) > 0 {
					t.Errorf("%s: %v sent a picture", name, args[2:])
				}
			}
		}
	}
	server := mllmtest.New(t, mllmtest.Options{})
	call(t, "describe", base, "--sample", "24", "--base-url", server.URL)
	sent := 0
	for _, r := range server.Requests() {
		sent += len(r.Images)
	}
	if sent != 21 {
		t.Errorf("%d of the 21 pictures in the workspace were sent", sent)
	}
	if n := h.calls.Load(); n > 0 {
		t.Errorf("%d connections to an address on this machine that the catalogue names", n)
	}
}
