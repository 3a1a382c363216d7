//go:build unix

package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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

// kind is one way in which a workspace is hostile.
type kind struct {
	name  string
	spoil func(t *testing.T, h *stranger, ws string)
	flags []string // what the user types besides, of commands that write texts
}

// config puts a configuration into the workspace.
func config(format string) func(*testing.T, *stranger, string) {
	return func(t *testing.T, h *stranger, ws string) {
		text := strings.NewReplacer("ADDRESS", h.address, "OUTSIDE", h.outside).Replace(format)
		if err := os.WriteFile(filepath.Join(ws, configName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// manifest changes workspace.json as somebody does who knows how it is checked.
func manifest(t *testing.T, ws string, change func(m map[string]any)) {
	t.Helper()
	path := filepath.Join(ws, workspace.ManifestFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	delete(m, "digest")
	if raw, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// recordAsked has the texts be written by somebody else's server.
func recordAsked(asked string) func(*testing.T, *stranger, string) {
	return func(t *testing.T, h *stranger, ws string) {
		var opt any
		if err := json.Unmarshal([]byte(strings.NewReplacer("ADDRESS", h.address, "OUTSIDE", h.outside).Replace(asked)), &opt); err != nil {
			t.Fatal(err)
		}
		manifest(t, ws, func(m map[string]any) {
			for _, a := range m["artefacts"].(map[string]any) {
				a := a.(map[string]any)
				if k := a["kind"]; k == "item-texts" || k == "user-texts" {
					a["info"].(map[string]any)["asked"] = opt
					a["options"].(map[string]any)["mllm"] = "openai"
				}
			}
		})
	}
}

// rewrite changes a file of an artefact and its record.
func rewrite(name string, change func(h *stranger, raw []byte) []byte) func(*testing.T, *stranger, string) {
	return func(t *testing.T, h *stranger, ws string) {
		manifest(t, ws, func(m map[string]any) {
			for _, a := range m["artefacts"].(map[string]any) {
				files, _ := a.(map[string]any)["files"].(map[string]any)
				f, ok := files[name].(map[string]any)
				if !ok {
					continue
				}
				path := filepath.Join(ws, f["path"].(string))
				raw, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				raw = change(h, raw)
				if err := os.WriteFile(path, raw, 0o644); err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(raw)
				f["sha256"], f["bytes"] = hex.EncodeToString(sum[:]), len(raw)
			}
		})
	}
}

// encoderOf makes encoder.json name another encoder.
func encoderOf(options string) func(*testing.T, *stranger, string) {
	return rewrite(workspace.EncoderFile, func(h *stranger, raw []byte) []byte {
		var info map[string]any
		if json.Unmarshal(raw, &info) != nil {
			return raw
		}
		var opt map[string]any
		if err := json.Unmarshal([]byte(strings.NewReplacer("ADDRESS", h.address, "OUTSIDE", h.outside, "MODEL", h.model).Replace(options)), &opt); err != nil {
			panic(err)
		}
		info["encoder"], info["options"] = opt["encoder"], opt
		out, err := json.Marshal(info)
		if err != nil {
			panic(err)
		}
		return out
	})
}

// instead puts something else into the place of every file or folder that a pattern names.
func instead(pattern string, put func(h *stranger, path string) error) func(*testing.T, *stranger, string) {
	return func(t *testing.T, h *stranger, ws string) {
		paths, err := filepath.Glob(filepath.Join(ws, pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) == 0 {
			paths = []string{filepath.Join(ws, pattern)}
		}
		for _, path := range paths {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := put(h, path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func pipe(_ *stranger, path string) error    { return syscall.Mkfifo(path, 0o644) }
func endless(_ *stranger, path string) error { return os.Symlink("/dev/zero", path) }
func folder(_ *stranger, path string) error  { return os.MkdirAll(filepath.Join(path, "x"), 0o755) }
func huge(_ *stranger, path string) error { // a file of holes: a terabyte that takes no room
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		return err
	}
	return os.Truncate(path, 1<<40)
}
func linkOut(to string) func(h *stranger, path string) error {
	return func(h *stranger, path string) error { return os.Symlink(filepath.Join(h.outside, to), path) }
}
func linkNowhere(h *stranger, path string) error {
	return os.Symlink(filepath.Join(h.outside, "new-file"), path)
}

// kinds lists the ways.
func kinds() []kind {
	offline := []string{"--mllm", "offline"}
	asked := `{"writer":{"mllm":"openai","models":["m"],"servers":{"base_urls":["http://ADDRESS/v1"],"api_key_env":"STOLEN_KEY"}}}`
	return []kind{
		{"a config names a server and a key", config("all: {mllm: openai, mllm-model: m, base-url: 'http://ADDRESS/v1', api-key-env: STOLEN_KEY}"), nil},
		{"a config names a server with settings", config("all: {base-url: 'http://ADDRESS#key-env=STOLEN_KEY'}"), nil},
		{"a config names an encoder's server", config("encode: {encoder: openai, encoder-model: m, encoder-base-url: 'http://ADDRESS/v1', encoder-api-key-env: STOLEN_KEY}\nrun: {mllm: offline, encoder: tei, encoder-base-url: 'http://ADDRESS'}"), nil},
		{"a config names a database", config("all: {store: 'postgres://u:p@ADDRESS/x?sslmode=disable'}"), offline},
		{"a config names files to write", config("all: {page: OUTSIDE/page.html, out: OUTSIDE/out, plot: OUTSIDE/plot.svg}"), offline},
		{"a config names files to read", config("all: {prompts: OUTSIDE/describe.tmpl, prices: OUTSIDE/prices.yaml, image-dir: OUTSIDE/folder}"), nil},
		{"a config allows private addresses", config("all: {allow-private-images: true, allow-outside-images: true}"), offline},
		{"a config names another", config("all: {config: OUTSIDE/notes.txt}"), offline},
		{"records name a server and a key", recordAsked(asked), nil},
		{"records name prompts and prices", recordAsked(`{"writer":{"mllm":"ollama","prompt_files":["OUTSIDE/describe.tmpl"],"servers":{"prices":"OUTSIDE/prices.yaml"}},"pictures":{"dir":"OUTSIDE/folder"}}`), nil},
		{"encoder.json names a server and a key", encoderOf(`{"encoder":"openai","model":"m","base_url":"http://ADDRESS/v1","api_key_env":"STOLEN_KEY"}`), offline},
		{"encoder.json names a folder", encoderOf(`{"encoder":"minilm","model":"OUTSIDE/folder"}`), offline},
		{"the picture folder is the user's", func(t *testing.T, h *stranger, ws string) {
			manifest(t, ws, func(m map[string]any) { m["picture_folder"] = h.outside })
		}, offline},
		{"paths of artefacts lead out", func(t *testing.T, h *stranger, ws string) {
			manifest(t, ws, func(m map[string]any) {
				for _, a := range m["artefacts"].(map[string]any) {
					for _, f := range a.(map[string]any)["files"].(map[string]any) {
						f.(map[string]any)["path"] = "../../" + filepath.Base(h.outside) + "/notes.txt"
					}
				}
			})
		}, offline},
		{"the manifest is a pipe", instead(workspace.ManifestFile, pipe), offline},
		{"the manifest is endless", instead(workspace.ManifestFile, endless), offline},
		{"the manifest is huge", instead(workspace.ManifestFile, huge), offline},
		{"the manifest is a folder", instead(workspace.ManifestFile, folder), offline},
		{"the manifest is the user's file", instead(workspace.ManifestFile, linkOut("notes.txt")), offline},
		{"the config is a pipe", instead(configName, pipe), offline},
		{"the config is endless", instead(configName, endless), offline},
		{"the config is the user's file", instead(configName, linkOut("notes.txt")), offline},
		{"the ledger is a pipe", instead(workspace.GenerationsFile, pipe), offline},
		{"the ledger is the user's file", instead(workspace.GenerationsFile, linkOut("notes.txt")), offline},
		{"the ledger is to be made outside", instead(workspace.GenerationsFile, linkNowhere), offline},
		{"the lock is to be made outside", instead("workspace.lock", linkNowhere), offline},
		{"the lock's note is a pipe", instead("workspace.lock.json", pipe), offline},
		{"the items are a pipe", instead(workspace.ItemsFile, pipe), offline},
		{"the items are huge", instead(workspace.ItemsFile, huge), offline},
		{"the vectors are endless", instead("features/*/*.npy", endless), offline},
		{"the vectors are the user's file", instead("features/*/users.npy", linkOut("folder/users.npy")), offline},
		{"encoder.json is a pipe", instead("features/*/encoder.json", pipe), offline},
		{"a run's files are pipes", instead("runs/*/*.json", pipe), offline},
		{"a run's log is to be made outside", instead("runs/*/log.jsonl", linkNowhere), offline},
		{"a run's checkpoint is endless", instead("runs/*/last.safetensors", endless), offline},
		{"the folder of texts is the user's", instead("texts", linkOut("folder")), offline},
		{"the folder of features is the user's", instead("features", linkOut("folder")), offline},
		{"the folder of graphs is the user's", instead("graphs", linkOut("folder")), offline},
		{"the folder of runs is the user's", instead("runs", linkOut("folder")), offline},
		{"the folder of evaluations is the user's", instead("evaluations", linkOut("folder")), offline},
		{"the folder of pictures is the user's", instead("images", linkOut("folder")), offline},
		{"the folder of samples is the user's", instead("samples", linkOut("folder")), offline},
		{"the folder of batches is the user's", instead("batches", linkOut("folder")), offline},
	}
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
		"train": {"train", "WS", "--fresh", "--set", "epochs=1"}, "resume": {"train", "WS", "--set", "epochs=3"},
		"evaluate": {"evaluate", "WS"}, "recommend": {"recommend", "WS", "--user", "u1"},
		"recommend history": {"recommend", "WS", "--history", "i1,i2"}, "recommend text": {"recommend", "WS", "--text", "red lamp"},
		"audit": {"audit", "WS", "--measure", "off"}, "status": {"status", "WS"}, "prune": {"prune", "WS"},
		"export mmrec": {"export", "mmrec", "WS", "--out", "OUT"}, "export chat": {"export", "chat", "WS", "--out", "OUT.jsonl"},
		"batch export": {"batch", "export", "WS", "--stage", "reason", "--mllm", "openai", "--mllm-model", "m", "--out", "OUT"},
		"batch import": {"batch", "import", "WS", "RESULTS"}, "prompt show": {"prompt", "show", "WS", "--item", "i1", "--mllm-model", "m"},
		"run": {"run", "WS", "TEXTS", "--set", "epochs=1"}, "trust": {"trust", "WS"}, "withdraw": {"worker", "withdraw", "WS", "--store", "postgres://127.0.0.1:1/none"},
		"import tables": {"import", "tables", "--interactions", "RESULTS", "--out", "WS"},
	}
}

// withoutWorkspace are commands that open none.
var withoutWorkspace = []string{"import amazon", "import microlens", "import mmrec", "model", "model pull", "prompt", "prompt templates", "prompt prices", "demo", "embed", "version",
	"worker", "worker withdraw", "batch", "graph", "export", "import", "mllmrec", "mllmrec help", "completion"}

// TestHostileWorkspaces opens workspaces that somebody else has prepared with every
// command: nothing is sent to their servers, nothing outside is read or written, nothing
// hangs and nothing eats the memory.
func TestHostileWorkspaces(t *testing.T) {
	h := newStranger(t)
	t.Setenv("STOLEN_KEY", canaryKey)
	t.Setenv("OPENAI_API_KEY", canaryKey)
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir()) // nobody has agreed to anything
	base := importWordyShop(t, 24, 24)
	ok(t, "run", base, "--model", "bpr", "--set", "epochs=1", "-q")
	ok(t, "run", base, "--mllm", "offline", "--dim", "6", "--threshold", "0.4", "--set", "epochs=1", "-q")
	leaveBegun(t, base, "--set", "epochs=3")
	if _, err := os.Stat(filepath.Join(base, "images")); err != nil {
		if err := os.Mkdir(filepath.Join(base, "images"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	results := filepath.Join(t.TempDir(), "results.jsonl")
	if err := os.WriteFile(results, []byte(`{"custom_id":"x","response":{"status_code":200,"body":{}}}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := contentsOf(t, h.outside)
	commands, n, calls := every(), 0, 0
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	all := kinds()
	if len(all) < 20 {
		t.Fatalf("only %d kinds", len(all))
	}
	for _, k := range all {
		ws := copied(t, base)
		k.spoil(t, h, ws)
		for at, name := range names {
			if !slow && (at+n)%7 != 0 { // each command meets each kind behind the tag slow
				continue
			}
			calls++
			args := []string{}
			for _, arg := range commands[name] {
				if arg == "TEXTS" {
					args = append(args, k.flags...)
					continue
				}
				args = append(args, strings.NewReplacer("WS", ws, "OUT", filepath.Join(t.TempDir(), "out"), "RESULTS", results).Replace(arg))
			}
			said := bounded(t, k.name, args)
			for _, secret := range []string{canaryKey, canaryText} {
				if strings.Contains(said, secret) {
					t.Errorf("%s: %v says %q: %.400s", k.name, args, secret, said)
				}
			}
		}
		if n := h.calls.Swap(0); n != 0 {
			t.Errorf("%s: %d connections to the stranger's server", k.name, n)
		}
		after := contentsOf(t, h.outside)
		for path, was := range before {
			if after[path] != was {
				t.Errorf("%s: %s was changed", k.name, path)
			}
		}
		for path := range after {
			if _, had := before[path]; !had {
				t.Errorf("%s: %s was written", k.name, path)
				os.RemoveAll(filepath.Join(h.outside, path))
			}
		}
		n++
		os.RemoveAll(ws)
	}
	t.Logf("%d kinds, %d calls", len(all), calls)
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

// bounded runs a command in a process of its own, of which it bounds the time and the
// memory, and returns what it said.
func bounded(t *testing.T, what string, args []string) string {
	t.Helper()
	const most, memory = 5 * time.Second, 500 << 10 // KiB
	cmd := exec.Command("mllmrec", args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(most, func() { cmd.Process.Kill() }) //nolint:errcheck // it may be done
	err := cmd.Wait()
	if !timer.Stop() {
		t.Errorf("%s: %v did not end within %v: %s", what, args, most, said.String())
	}
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && use.Maxrss > memory {
		t.Errorf("%s: %v took %d MiB", what, args, use.Maxrss>>10)
	}
	if code := cmd.ProcessState.ExitCode(); err != nil && (code < 0 || strings.Contains(said.String(), "goroutine ")) {
		t.Errorf("%s: %v ended with %v: %s", what, args, err, said.String())
	}
	return said.String()
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
