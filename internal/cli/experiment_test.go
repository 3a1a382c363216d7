//go:build unix

package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/rng"
)

// costless is the result of an experiment as text, without what differs from one time to the next.
func costless(t *testing.T, dir string) string {
	t.Helper()
	r, err := result.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	r.Cost, r.Command = result.Total{}, ""
	for n := range r.Rows {
		r.Rows[n].Cost = result.Cost{}
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func compareArgs(ws, out string) []string {
	return []string{"compare", ws, "--models", "bpr,lightgcn,mllmrec", "--mllm", "offline", "--encoder", "lsa", "--seeds", "1,2", "--epochs", "6",
		"--grid", "bpr:reg_weight=0.1,0.01", "--without", "hybrid,l3ae,spectral", "--out", out, "-q"}
}

// killedExperiment kills a comparison so many times at random moments and expects the result of one that nobody
// disturbed. By turns it kills the command alone, whose trials the next command finds still stopping, and all
// processes together.
func killedExperiment(t *testing.T, kills int) {
	ws := importWordyShop(t, 60, 48)
	dir := t.TempDir()
	quiet, disturbed := filepath.Join(dir, "quiet"), filepath.Join(dir, "disturbed")
	start := time.Now()
	if out, err := exec.Command("mllmrec", compareArgs(ws, quiet)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	took := time.Since(start)
	r := rng.Stream(9, "killed experiment", 0)
	killed := 0
	for k := range kills {
		cmd := exec.Command("mllmrec", compareArgs(ws, disturbed)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration((0.1 + 0.5*r.Float64()) * float64(took)))
		whom := cmd.Process.Pid
		if k%2 == 1 {
			whom = -whom
		}
		if err := syscall.Kill(whom, syscall.SIGKILL); err == nil {
			killed++
		}
		cmd.Wait() //nolint:errcheck // it was killed
	}
	if out, err := exec.Command("mllmrec", compareArgs(ws, disturbed)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if a, b := costless(t, quiet), costless(t, disturbed); a != b {
		t.Errorf("after %d kills:\n%s\nwithout:\n%s", killed, b, a)
	}
	left, err := filepath.Glob(filepath.Join(disturbed, "trials", "*", "ws"))
	if err != nil || len(left) > 0 {
		t.Errorf("left lying: %q, %v", left, err)
	}
}

func TestKilledExperiment(t *testing.T) {
	kills := 1
	if slow {
		kills = 3
	}
	killedExperiment(t, kills)
}

// A whole comparison, ablation and sweep on a small shop.
func TestExperiments(t *testing.T) {
	ws := importWordyShop(t, 60, 48)
	out := filepath.Join(t.TempDir(), "out")
	said, _ := ok(t, "compare", ws, "--models", "bpr", "--mllm", "offline", "--encoder", "lsa", "--epochs", "2", "--without", "hybrid,l3ae,add-ease,spectral", "--out", out, "--dry-run")
	if !strings.Contains(said, "9 trials, of which 0 have ended") {
		t.Error(said)
	}
	if _, err := os.Stat(filepath.Join(out, result.File)); err == nil {
		t.Error("a dry run has a result")
	}
	for _, wrong := range [][]string{
		{"compare", ws, "--models", "nothing"},
		{"compare", ws, "--models", "bpr", "--grid", "lightgcn:layers=1,2"},
		{"compare", ws, "--models", "bpr", "--set", "bpr.lr=1"},
		{"compare", ws, "--models", "bpr", "--memory", "much"},
		{"compare", ws, "--models", "bpr", "--base-url", "http://127.0.0.1:1"},
		{"compare"},
		{"compare", ws, "--plan", "x.yaml"},
		{"compare", "--plan", "x.yaml", "--seeds", "1"},
		{"sweep", ws, "--over", "embedding_dim"},
		{"sweep", ws},
	} {
		if code, _, errs := call(t, wrong...); code != exitUser {
			t.Errorf("%q: exit %d: %s", wrong, code, errs)
		}
	}
}

// What is the same at every point of a grid is said once.
func TestExperimentsSayThingsOnce(t *testing.T) {
	ws := importWordyShop(t, 60, 48)
	_, said := ok(t, "compare", ws, "--models", "mllmrec", "--grid", "mllmrec:lr=0.1,0.01,0.001", "--mllm", "offline", "--encoder", "lsa", "--without", "all",
		"--out", filepath.Join(t.TempDir(), "out"), "--dry-run")
	lines := map[string]int{}
	for _, line := range strings.Split(said, "\n") {
		lines[line]++
	}
	fresh := 0
	for line, n := range lines {
		if strings.Contains(line, "fresh, skipped") {
			fresh++
		}
		if n > 1 && line != "" {
			t.Errorf("said %d times: %s", n, line)
		}
	}
	if fresh == 0 {
		t.Errorf("nothing was found fresh: %s", said)
	}
}
