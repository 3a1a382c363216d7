package cli

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/workspace"
)

// byItself are the commands that make an offline run stage by stage. DIR stands for the
// folder of the tables and WS for the workspace.
func byItself() [][]string {
	return [][]string{
		{"import", "tables", "--interactions", "DIR/inter.csv", "--items", "DIR/items.csv", "--split", "leave-latest", "--k-core", "0", "--out", "WS"},
		{"describe", "WS", "--mllm", "offline"},
		{"reason", "WS", "--mllm", "offline", "--folds", "2"},
		{"encode", "WS", "--dim", "24"},
		{"graph", "build", "WS", "--threshold", "0.4"},
		{"run", "WS", "--mllm", "offline", "--folds", "2", "--dim", "24", "--threshold", "0.4", "--set", "epochs=6"}, // trains; 'train' begins a second run where the first is done
		{"evaluate", "WS"},
	}
}

// inFolder fills in where a command works.
func inFolder(args []string, tables, ws string) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		args[i] = strings.Replace(strings.Replace(arg, "DIR", tables, 1), "WS", ws, 1)
	}
	return args
}

// inProcess runs the program in a process of its own, which is killed after a time unless
// it is 0, and returns how long it ran and whether the kill met it.
func inProcess(t *testing.T, args []string, after time.Duration) (took time.Duration, killed bool) {
	t.Helper()
	cmd := exec.Command("mllmrec", args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { cmd.Process.Kill() }) //nolint:errcheck // it may be done already
		defer timer.Stop()
	}
	err := cmd.Wait()
	if err != nil && after == 0 {
		t.Fatalf("mllmrec %v: %v: %s", args, err, said.String())
	}
	if err != nil && cmd.ProcessState.Exited() {
		t.Fatalf("mllmrec %v failed before it was killed: %v: %s", args, err, said.String())
	}
	return time.Since(start), err != nil
}

// made reads the hashes of what stands in a workspace, by address and name. Times differ
// from run to run: of a training they are in metrics.json.
func made(t *testing.T, dir string) map[string]string {
	t.Helper()
	hashes := map[string]string{}
	ws := opened(t, dir)
	for address, a := range ws.Manifest().Artefacts {
		if c := ws.Check(address); c.State != workspace.Fresh {
			t.Errorf("%s: %s", address, c.Reason)
		}
		for name, f := range a.Files {
			if name != workspace.RunMetricsFile {
				hashes[address+" "+name] = f.SHA256
			}
		}
	}
	return hashes
}

// unfinished lists the folders of a workspace in which something is being made.
func unfinished(t *testing.T, ws string) (found []string) {
	t.Helper()
	for _, rel := range filesIn(t, ws) {
		if strings.HasPrefix(filepath.Base(rel), ".making-") {
			found = append(found, rel)
		}
	}
	return found
}

// TestKilledStagesEndAsUndisturbed kills each stage of an offline run, from the import to
// the evaluation, at random moments, and gives the same command again: in the end all
// artefacts are those of an undisturbed run, and nothing else is left.
func TestKilledStagesEndAsUndisturbed(t *testing.T) {
	users, items, kills := 240, 120, 1 // kills of each of the seven stages
	if slow {
		users, items, kills = 1500, 480, 3
	}
	tables := filepath.Dir(importWordyShop(t, users, items))
	calm, stormy := filepath.Join(t.TempDir(), "ws"), filepath.Join(t.TempDir(), "ws")
	rng := rand.New(rand.NewPCG(3, 14))
	met, most := 0, 0
	for _, args := range byItself() {
		took, _ := inProcess(t, inFolder(args, tables, calm), 0)
		args := inFolder(args, tables, stormy)
		for range kills {
			_, killed := inProcess(t, args, time.Duration(1+rng.Int64N(int64(took))))
			if killed {
				met++
			}
			most++
		}
		inProcess(t, args, 0)
		if left := unfinished(t, stormy); len(left) > 0 {
			t.Errorf("%v leaves %v", args, left)
		}
	}
	t.Logf("%d of %d kills met a running process", met, most)
	if met < most/2 {
		t.Errorf("only %d of %d kills met a running process", met, most)
	}
	want, got := made(t, calm), made(t, stormy)
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 15 {
		t.Errorf("of %d files, these differ from those of an undisturbed run:\n%s", len(want), diff)
	}
	for _, id := range []string{"u1", "u17"} {
		before, _ := ok(t, "recommend", calm, "--user", id, "--json")
		if after, _ := ok(t, "recommend", stormy, "--user", id, "--json"); after != before {
			t.Errorf("for %s: %s\nundisturbed: %s", id, after, before)
		}
	}
	beside, err := os.ReadDir(filepath.Dir(stormy))
	if err != nil || len(beside) != 1 {
		t.Errorf("beside the workspace there are %v, %v", beside, err)
	}
}
