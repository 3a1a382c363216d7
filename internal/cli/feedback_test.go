package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
)

const someFeedback = `{"key":"a","user":"u0","item":"i1","type":"like","time":"2026-01-31T12:00:00Z"}
{"user":"u1","item":"i0","type":"view"}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Feedback goes in and out, into the workspace or into a shared database.
func TestFeedbackInAndOut(t *testing.T) {
	t.Run("file", func(t *testing.T) { feedbackInAndOut(t) })
	t.Run("database", func(t *testing.T) { feedbackInAndOut(t, "--store", pgtest.Start(t).Database(t)) })
}

func feedbackInAndOut(t *testing.T, store ...string) {
	ws := importShop(t, t.TempDir(), 3)
	in := write(t, "in.jsonl", someFeedback)
	feedback := func(args ...string) string {
		t.Helper()
		stdout, _ := ok(t, append(append([]string{"feedback"}, args...), store...)...)
		return stdout
	}
	if got := feedback("import", ws, in); got != "2 events stored, 0 were there already\n" {
		t.Errorf("import: %s", got)
	}
	if got := feedback("import", ws, in); got != "0 events stored, 2 were there already\n" {
		t.Errorf("import again: %s", got)
	}
	out := filepath.Join(t.TempDir(), "out.jsonl")
	if got := feedback("export", ws, "--out", out); got != out+": 2 events, the last is number 2\n" {
		t.Errorf("export: %s", got)
	}
	raw, err := os.ReadFile(out)
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[0], `{"seq":1,"key":"a","user":"u0","item":"i1","type":"like","time":"2026-01-31T12:00:00Z","received":"20`) {
		t.Errorf("exported %s, %v", raw, err)
	}
	var said struct{ Events, Last int }
	if err := json.Unmarshal([]byte(feedback("export", ws, "--out", out, "--after", "1", "--json")), &said); err != nil || said.Events != 1 || said.Last != 2 {
		t.Errorf("export after 1: %+v, %v", said, err)
	}
	if _, err := os.Stat(filepath.Join(ws, "live.db")); (err == nil) != (store == nil) {
		t.Errorf("the workspace's own file: %v", err)
	}
}

func TestFeedbackMistakes(t *testing.T) {
	ws := importShop(t, t.TempDir(), 3)
	in, out := write(t, "in.jsonl", someFeedback+"{\"user\":\"u\"}\n"), filepath.Join(t.TempDir(), "out.jsonl")
	refused := func(say string, args ...string) {
		t.Helper()
		code, _, stderr := call(t, append([]string{"feedback"}, args...)...)
		if code != exitUser || !strings.Contains(stderr, say) || strings.Contains(stderr, "s3cret-word") {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
	}
	refused("no feedback", "export", ws, "--out", out)
	if _, err := os.Stat(filepath.Join(ws, "live.db")); err == nil {
		t.Error("looking made a file")
	}
	refused("in.jsonl: line 3", "import", ws, in)
	refused("absent.jsonl", "import", ws, filepath.Join(ws, "absent.jsonl"))
	refused("--after must not be negative", "export", ws, "--out", out, "--after", "-1")
	refused("not a postgres:// address", "export", ws, "--out", out, "--store", "mysql://root:s3cret-word@h/x")
	secret := write(t, "secret", "not ours")
	if err := os.Symlink(secret, filepath.Join(ws, "live.db-wal")); err != nil {
		t.Skipf("links cannot be made here: %v", err)
	}
	refused("out of the workspace", "import", ws, write(t, "fine.jsonl", someFeedback))
	if raw, err := os.ReadFile(secret); err != nil || string(raw) != "not ours" {
		t.Errorf("%q, %v", raw, err)
	}
}
