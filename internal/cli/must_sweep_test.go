//go:build unix

package cli

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
)

// TestNextCommandSweepsItsFolder has each command that writes outside a workspace find what
// a killed one of its kind left there a moment ago: that goes. What is a link, belongs to
// another file or has another name stays.
func TestNextCommandSweepsItsFolder(t *testing.T) {
	server := mllmtest.New(t, mllmtest.Options{})
	ws := importWordyShop(t, 24, 24)
	ok(t, "run", ws, "--mllm", "offline", "--dim", "8", "--model", "mllmrec", "--set", "epochs=1", "-q")
	asked := filepath.Join(filepath.Dir(importWordyShop(t, 12, 12)), "ws")
	ok(t, "describe", asked, "--base-url", server.URL, "-q")
	ok(t, "reason", asked, "--base-url", server.URL, "-q")
	for file, args := range map[string][]string{
		"inter.inter":         {"export", "mmrec", ws, "--name", "inter", "--out", "OUT"},
		"u_id_mapping.csv":    {"export", "mmrec", ws, "--out", "OUT"},
		"image_text_feat.npy": {"export", "mmrec", ws, "--out", "OUT"},
		"chat.jsonl":          {"export", "chat", asked, "--out", "OUT/chat.jsonl", "--stage", "reason"},
		"graph.svg":           {"graph", "stats", ws, "--plot", "OUT/graph.svg"},
		"describe.tmpl":       {"prompt", "templates", "--out", "OUT"},
		"reason-00001.jsonl":  {"batch", "export", ws, "--stage", "reason", "--mllm-model", "m", "--out", "OUT"},
		"page.html":           {"reason", ws, "--sample", "1", "--base-url", server.URL, "--page", "OUT/page.html"},
	} {
		out := t.TempDir()
		args := append([]string{}, args...)
		for i := range args {
			args[i] = strings.Replace(args[i], "OUT", out, 1)
		}
		left := filepath.Join(out, "."+file+".tmp-1a2b")
		link, other, plain := filepath.Join(out, "."+file+".tmp-3c"), filepath.Join(out, ".theirs.tmp-4d"), filepath.Join(out, file+".tmp-5e")
		for _, name := range []string{left, other, plain} {
			if err := os.WriteFile(name, []byte("half"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(other, link); err != nil {
			t.Fatal(err)
		}
		ok(t, append(args, "-q")...)
		if _, err := os.Stat(filepath.Join(out, file)); err != nil {
			t.Errorf("%v wrote no %s: %v", args, file, err)
		}
		if _, err := os.Lstat(left); err == nil {
			t.Errorf("%v leaves %s", args, left)
		}
		for _, name := range []string{link, other, plain} {
			if _, err := os.Lstat(name); err != nil {
				t.Errorf("%v removed %s, which is not its own", args, name)
			}
		}
	}
}

// TestKilledBatchExportsGoOn kills exports for a batch service. Until a file has its name
// the same command may be given again; once it has, the workspace knows every request in it.
func TestKilledBatchExportsGoOn(t *testing.T) {
	users, kills := 120, 3
	if slow {
		users, kills = 1500, 20
	}
	ws := importWordyShop(t, users, 48)
	ok(t, "describe", ws, "--mllm", "offline", "-q")
	rng := rand.New(rand.NewPCG(9, 26))
	args := func(out string) []string {
		return []string{"batch", "export", ws, "--stage", "reason", "--mllm-model", "m", "--out", out}
	}
	took, _ := inProcess(t, args(t.TempDir()), 0)
	out, named := t.TempDir(), 0
	for range kills {
		_, killed := inProcess(t, args(out), time.Duration(1+rng.Int64N(int64(took))))
		if _, err := os.Stat(filepath.Join(out, "reason-00001.jsonl")); err == nil {
			named++
			wantKnown(t, ws, out)
			out = t.TempDir()
		} else if !killed {
			t.Fatal("an export ended without a file")
		}
	}
	inProcess(t, args(out), 0)
	wantKnown(t, ws, out)
	for _, rel := range filesIn(t, ws) {
		if atomicfile.IsTemp(rel) {
			t.Errorf("%s is left in the workspace", rel)
		}
	}
	t.Logf("%d kills, %d after the file had its name", kills, named)
}

// wantKnown demands that a folder holds one batch file, whose requests the workspace knows.
func wantKnown(t *testing.T, ws, out string) {
	t.Helper()
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) != 1 {
		t.Fatalf("the folder holds %v, %v", entries, err)
	}
	raw, err := os.ReadFile(filepath.Join(out, entries[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	answers := &strings.Builder{}
	asked := 0
	for line := range strings.Lines(string(raw)) {
		var request struct {
			ID string `json:"custom_id"`
		}
		if err := json.Unmarshal([]byte(line), &request); err != nil {
			t.Fatal(err)
		}
		asked++
		fmt.Fprintf(answers, `{"custom_id":%q,"response":null,"error":{"code":"batch_expired","message":"too late"}}`+"\n", request.ID)
	}
	file := filepath.Join(t.TempDir(), "answers.jsonl")
	if err := os.WriteFile(file, []byte(answers.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	var res struct {
		Lines, Unknown int
	}
	stdout, _ := ok(t, "batch", "import", ws, file, "--json", "-q")
	if err := json.Unmarshal([]byte(stdout), &res); err != nil {
		t.Fatal(err)
	}
	if res.Lines != asked || asked == 0 || res.Unknown != 0 {
		t.Errorf("of %d requests, %d are unknown to the workspace", asked, res.Unknown)
	}
}
