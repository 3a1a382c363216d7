//go:build unix

package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gofrs/flock"

	"github.com/mllmrec/mllmrec/internal/workspace"
)

// kind is one way in which a workspace is hostile.
type kind struct {
	name  string
	spoil func(t *testing.T, h *stranger, ws string)
	flags []string // what the user types besides, of commands that write texts

	refused string // a command that must say that the user has not agreed
	sends   bool   // and that, once the user has, asks the stranger's server
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

func linkTo(path string) func(*stranger, string) error {
	return func(_ *stranger, at string) error { return os.Symlink(path, at) }
}

// textually changes workspace.json as a text.
func textually(change func(h *stranger, ws, text string) string) func(*testing.T, *stranger, string) {
	return func(t *testing.T, h *stranger, ws string) {
		manifest(t, ws, func(map[string]any) {}) // takes the digest out
		path := filepath.Join(ws, workspace.ManifestFile)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(change(h, ws, string(raw))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// upwards is the way from a folder to the user's files.
func upwards(t *testing.T, h *stranger, from string) string {
	t.Helper()
	rel, err := filepath.Rel(from, h.outside)
	if err != nil {
		t.Fatal(err)
	}
	return rel
}

// held takes the lock of the workspace, with a note that steers the terminal.
func held(t *testing.T, h *stranger, ws string) {
	l := flock.New(filepath.Join(ws, "workspace.lock"))
	if ok, err := l.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	t.Cleanup(func() { l.Unlock() }) //nolint:errcheck // the test is over
	note := `{"pid":1,"host":"\u001b]0;owned\u0007","command":"\u001b[2J\u009b31m\u202egnp.","since":"2026-01-01T00:00:00Z"}`
	if err := os.WriteFile(filepath.Join(ws, "workspace.lock.json"), []byte(note), 0o644); err != nil {
		t.Fatal(err)
	}
}

// exported makes the records of what was sent in batches name the user's files.
func exported(t *testing.T, h *stranger, ws string) {
	paths, err := filepath.Glob(filepath.Join(ws, "batches", "*.jsonl"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no batch was exported", err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(raw), `"mllm":"openai"`, `"mllm":"openai","prompt_files":["`+h.outside+`/describe.tmpl"],"servers":{"base_urls":["http://`+h.address+`"],"api_key_env":"STOLEN_KEY"}`, 1)
		if changed == string(raw) {
			t.Fatalf("%.300s", raw)
		}
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// oldFormat puts a workspace of format 1 in the place, whose files are links out.
func oldFormat(t *testing.T, h *stranger, ws string) {
	dir := format1Shop(t)
	if err := os.RemoveAll(ws); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "paid.ws"), ws); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"features/encoder.json", "features/users.npy", "generations.db"} {
		instead(name, linkOut("notes.txt"))(t, h, ws)
	}
}

// kinds lists the ways.
func kinds() []kind {
	offline := []string{"--mllm", "offline"}
	workers := []string{"--mllm", "openai", "--mllm-model", "m", "--workers", "--store", "postgres://127.0.0.1:1/none"}
	asked := `{"writer":{"mllm":"openai","models":["m"],"servers":{"base_urls":["http://ADDRESS/v1"],"api_key_env":"STOLEN_KEY"}}}`
	return []kind{
		{"a config names a server and a key", config("all: {mllm: openai, mllm-model: m, base-url: 'http://ADDRESS/v1', api-key-env: STOLEN_KEY}"), nil, "describe", true},
		{"a config names a server with settings", config("all: {base-url: 'http://ADDRESS#key-env=STOLEN_KEY'}"), nil, "describe", true},
		{"a config names an encoder's server", config("encode: {encoder: openai, encoder-model: m, encoder-base-url: 'http://ADDRESS/v1', encoder-api-key-env: STOLEN_KEY}\nrun: {mllm: offline, encoder: tei, encoder-base-url: 'http://ADDRESS'}"), nil, "encode", true},
		{"a config names a database", config("all: {store: 'postgres://u:p@ADDRESS/x?sslmode=disable'}"), offline, "describe", true},
		{"a config names files to write", config("all: {page: OUTSIDE/page.html, out: OUTSIDE/out, plot: OUTSIDE/plot.svg, dir: OUTSIDE/models}"), offline, "graph stats", false},
		{"a config names files to read", config("all: {prompts: OUTSIDE/describe.tmpl, prices: OUTSIDE/prices.yaml, image-dir: OUTSIDE/folder, interactions: OUTSIDE/notes.txt}"), nil, "estimate", false},
		{"a config allows private addresses", config("all: {allow-private-images: true, allow-outside-images: true}"), offline, "describe", true},
		{"a config names another", config("all: {config: OUTSIDE/notes.txt}"), offline, "", false},
		{"records name a server and a key", recordAsked(asked), nil, "describe retry", true},
		{"records name prompts and prices", recordAsked(`{"writer":{"mllm":"ollama","prompt_files":["OUTSIDE/describe.tmpl"],"servers":{"prices":"OUTSIDE/prices.yaml"}},"pictures":{"dir":"OUTSIDE/folder"}}`), nil, "describe retry", false},
		{"encoder.json names a server and a key", encoderOf(`{"encoder":"openai","model":"m","base_url":"http://ADDRESS/v1","api_key_env":"STOLEN_KEY"}`), offline, "recommend text", true},
		{"encoder.json names a folder", encoderOf(`{"encoder":"minilm","model":"OUTSIDE/folder"}`), offline, "recommend text", false},
		{"the picture folder is the user's", func(t *testing.T, h *stranger, ws string) {
			manifest(t, ws, func(m map[string]any) { m["picture_folder"] = h.outside })
		}, offline, "describe", false},
		{"paths of artefacts lead out", func(t *testing.T, h *stranger, ws string) {
			manifest(t, ws, func(m map[string]any) {
				for _, a := range m["artefacts"].(map[string]any) {
					for _, f := range a.(map[string]any)["files"].(map[string]any) {
						f.(map[string]any)["path"] = upwards(t, h, ws) + "/notes.txt"
					}
				}
			})
		}, offline, "", false},
		{"the manifest is a pipe", instead(workspace.ManifestFile, pipe), offline, "", false},
		{"the manifest is endless", instead(workspace.ManifestFile, endless), offline, "", false},
		{"the manifest is huge", instead(workspace.ManifestFile, huge), offline, "", false},
		{"the manifest is a folder", instead(workspace.ManifestFile, folder), offline, "", false},
		{"the manifest is the user's file", instead(workspace.ManifestFile, linkOut("notes.txt")), offline, "", false},
		{"the config is a pipe", instead(configName, pipe), offline, "", false},
		{"the config is endless", instead(configName, endless), offline, "", false},
		{"the config is the user's file", instead(configName, linkOut("notes.txt")), offline, "", false},
		{"the ledger is a pipe", instead(workspace.GenerationsFile, pipe), offline, "", false},
		{"the ledger is the user's file", instead(workspace.GenerationsFile, linkOut("notes.txt")), offline, "", false},
		{"the ledger is to be made outside", instead(workspace.GenerationsFile, linkNowhere), offline, "", false},
		{"the live state is a pipe", instead(workspace.LiveFile, pipe), offline, "", false},
		{"the live state is endless", instead(workspace.LiveFile, endless), offline, "", false},
		{"the live state is the user's file", instead(workspace.LiveFile, linkOut("notes.txt")), offline, "", false},
		{"the live state is to be made outside", instead(workspace.LiveFile, linkNowhere), offline, "", false},
		{"the live state's log is the user's file", instead(workspace.LiveFile+"-wal", linkOut("notes.txt")), offline, "", false},
		{"the lock is to be made outside", instead("workspace.lock", linkNowhere), offline, "", false},
		{"the lock's note is a pipe", instead("workspace.lock.json", pipe), offline, "", false},
		{"the items are a pipe", instead(workspace.ItemsFile, pipe), offline, "", false},
		{"the items are huge", instead(workspace.ItemsFile, huge), offline, "", false},
		{"the vectors are endless", instead("features/*/*.npy", endless), offline, "", false},
		{"the vectors are the user's file", instead("features/*/users.npy", linkOut("folder/users.npy")), offline, "", false},
		{"encoder.json is a pipe", instead("features/*/encoder.json", pipe), offline, "", false},
		{"a run's files are pipes", instead("runs/*/*.json", pipe), offline, "", false},
		{"a run's log is to be made outside", instead("runs/*/log.jsonl", linkNowhere), offline, "", false},
		{"a run's checkpoint is endless", instead("runs/*/last.safetensors", endless), offline, "", false},
		{"the folder of texts is the user's", instead("texts", linkOut("folder")), offline, "", false},
		{"the folder of features is the user's", instead("features", linkOut("folder")), offline, "", false},
		{"the folder of graphs is the user's", instead("graphs", linkOut("folder")), offline, "", false},
		{"the folder of runs is the user's", instead("runs", linkOut("folder")), offline, "", false},
		{"the folder of evaluations is the user's", instead("evaluations", linkOut("folder")), offline, "", false},
		{"the folder of pictures is the user's", instead("images", linkOut("folder")), offline, "", false},
		{"the folder of samples is the user's", instead("samples", linkOut("folder")), offline, "", false},
		{"the folder of batches is the user's", instead("batches", linkOut("folder")), offline, "", false},
		{"a config names a server beside the user's workers", config("all: {base-url: 'http://ADDRESS/v1', api-key-env: STOLEN_KEY}"), workers, "describe", true},
		{"a config agrees for the user", config("trust: {yes: true}\nall: {mllm: openai, mllm-model: m, base-url: 'http://ADDRESS/v1'}"), nil, "", false},
		{"a config agrees for the user in every command", config("all: {yes: true, mllm: openai, mllm-model: m, base-url: 'http://ADDRESS/v1'}"), nil, "", false},
		{"a config names commands that open no workspace", config("embed: {encoder: tei, encoder-base-url: 'http://ADDRESS'}\nworker: {mllm: openai, base-url: 'http://ADDRESS/v1', api-key-env: STOLEN_KEY, store: 'postgres://ADDRESS/x'}\ndemo: {out: OUTSIDE/demo}\npull: {dir: OUTSIDE/models}\ntemplates: {out: OUTSIDE/templates}\namazon: {reviews: OUTSIDE/notes.txt, out: OUTSIDE/ws}"), offline, "", false},
		{"a config leads out by a name", config("mmrec: {name: ../../../../../../../../../../../../OUTSIDE/name}"), offline, "", false},
		{"a config asks for a billion at a time", config("all: {concurrency: 1000000000}"), offline, "", false},
		{"a config asks for a billion neighbours", config("all: {knn-k: 1000000000, jaccard-k: 1000000000}"), offline, "", false},
		{"records ask for a billion at a time", recordAsked(`{"writer":{"mllm":"ollama","servers":{"concurrency":1000000000}}}`), offline, "", false},
		{"a config grows when it is read", config(bomb()), offline, "", false},
		{"the data set's name leads out", func(t *testing.T, h *stranger, ws string) {
			manifest(t, ws, func(m map[string]any) { m["name"] = "../../../../../../../../../../../.." + h.outside + "/name" })
		}, offline, "", false},
		{"names steer the terminal", func(t *testing.T, h *stranger, ws string) {
			manifest(t, ws, func(m map[string]any) { m["name"], m["domain"] = "\x1b]0;owned\a\u202e", "\x1b[2J" })
		}, offline, "", false},
		{"addresses of runs lead out", textually(func(h *stranger, ws, text string) string {
			return strings.ReplaceAll(text, "runs/", "runs/../../../"+filepath.Base(h.outside)+"/folder/")
		}), offline, "", false},
		{"addresses of vectors lead out", textually(func(h *stranger, ws, text string) string {
			return strings.ReplaceAll(text, "features/", "../../"+filepath.Base(h.outside)+"/folder/")
		}), offline, "", false},
		{"somebody holds the lock and steers the terminal", held, offline, "", false},
		{"the ledger's log is the user's file", instead(workspace.GenerationsFile+"-wal", linkOut("notes.txt")), offline, "", false},
		{"the ledger's index is the user's file", instead(workspace.GenerationsFile+"-shm", linkOut("notes.txt")), offline, "", false},
		{"the ledger's journal is to be made outside", instead(workspace.GenerationsFile+"-journal", linkNowhere), offline, "", false},
		{"records of batches name a server and prompts", exported, offline, "batch import", false},
		{"records of batches are pipes", instead("batches/*.jsonl", pipe), offline, "", false},
		{"records of batches are endless", instead("batches/*.jsonl", endless), offline, "", false},
		{"records of batches are the user's file", instead("batches/*.jsonl", linkOut("notes.txt")), offline, "", false},
		{"every folder of texts is the user's", instead("texts/*", linkOut("folder")), offline, "", false},
		{"every folder of vectors is the user's", instead("features/*", linkOut("folder")), offline, "", false},
		{"every run is the user's", instead("runs/*", linkOut("folder")), offline, "", false},
		{"every file is an endless device", instead("*/*/*", linkTo("/dev/zero")), offline, "", false},
		{"the pictures' cache is to be made outside", instead("images/cache", linkNowhere), offline, "", false},
		{"the prepared pictures are the user's", instead("images/cache/prepared", linkOut("folder")), offline, "", false},
		{"a picture is a pipe", instead("images/i3.png", pipe), offline, "", false},
		{"a workspace of the first format links out", oldFormat, offline, "", false},
	}
}

// bomb is a small YAML file that unfolds to a billion entries.
func bomb() string {
	text := "a: &a {x: 1}\n"
	for c := 'b'; c < 'k'; c++ {
		text += fmt.Sprintf("%c: &%c {", c, c)
		for n := range 9 {
			text += fmt.Sprintf("k%d: *%c, ", n, c-1)
		}
		text += "}\n"
	}
	return text
}

// TestHostileModelFolders opens folders of sentence encoders in which something else stands
// in the place of a file. (Links are followed there: the hub's cache is made of them.)
func TestHostileModelFolders(t *testing.T) {
	h := newStranger(t)
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	if said := bounded(t, "as it is", "", []string{"embed", "--encoder-model", h.model}); said != "" {
		t.Fatalf("the model as it is: %s", said)
	}
	for what, put := range map[string]func(*stranger, string) error{"pipe": pipe, "endless": endless, "folder": folder, "huge": huge} {
		for _, name := range []string{"config.json", "model.safetensors", "modules.json", "tokenizer.json", "vocab.txt", "1_Pooling/config.json"} {
			dir := filepath.Join(t.TempDir(), "model")
			if err := os.CopyFS(dir, os.DirFS(h.model)); err != nil {
				t.Fatal(err)
			}
			instead(name, put)(t, h, dir)
			if said := bounded(t, what+" "+name, "", []string{"embed", "--encoder-model", dir}); name != "vocab.txt" && !strings.Contains(said, filepath.Base(name)) {
				t.Errorf("%s in the place of %s is not named: %s", what, name, said)
			}
		}
	}
}
