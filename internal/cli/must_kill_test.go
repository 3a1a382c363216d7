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
)

// attack is a command that is killed. In its arguments DIR stands for the folder of the
// tables and HERE for the one that it works in.
type attack struct {
	args  []string
	begin string // what HERE is at the beginning: as the command of this name left it; "": empty
	kills int    // that have to meet it, at full length
	few   int    // and in the plain test
}

// attacks are the commands that make something and ask no model server: 220 kills.
func attacks() []attack {
	data := func(args ...string) []string {
		return append(args, "--interactions", "DIR/inter.csv", "--items", "DIR/items.csv", "--split", "leave-latest", "--k-core", "0", "--out", "HERE/ws")
	}
	return []attack{
		{args: data("import", "tables"), kills: 25, few: 1},
		{args: []string{"describe", "HERE/ws", "--mllm", "offline"}, begin: "import", kills: 10},
		{args: []string{"reason", "HERE/ws", "--mllm", "offline", "--folds", "2"}, begin: "describe", kills: 15},
		{args: []string{"encode", "HERE/ws", "--dim", "24"}, begin: "reason", kills: 25, few: 1},
		{args: []string{"graph", "build", "HERE/ws", "--threshold", "0.4"}, begin: "encode", kills: 20, few: 1},
		{args: []string{"train", "HERE/ws", "--model", "mllmrec", "--set", "epochs=12"}, begin: "graph", kills: 25, few: 2},
		{args: []string{"evaluate", "HERE/ws"}, begin: "train", kills: 5},
		{args: []string{"export", "mmrec", "HERE/ws", "--out", "HERE/out"}, begin: "train", kills: 20, few: 2},
		{args: []string{"run", "HERE/ws", "--mllm", "offline", "--folds", "2", "--dim", "24", "--threshold", "0.4", "--model", "mllmrec", "--set", "epochs=12"}, begin: "import", kills: 30, few: 2},
		{args: []string{"train", "HERE/ws", "--model", "hybrid"}, begin: "graph", kills: 20},
		{args: []string{"model", "pull", "org/model", "--dir", "HERE/models"}, kills: 17, few: 2},
		{args: []string{"demo", "--out", "HERE/demo", "--epochs", "2"}, kills: 8},
	}
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

// killer kills commands and compares what comes of them.
type killer struct {
	rng    *rand.Rand
	tables string
	calm   map[string]string // folders that undisturbed commands left, by the command's name
	met    int               // kills that met a running process
	rounds int
}

func (k *killer) args(a attack, here string) []string {
	args := slices.Clone(a.args)
	for i, arg := range args {
		args[i] = strings.Replace(strings.Replace(arg, "DIR", k.tables, 1), "HERE", here, 1)
	}
	return args
}

// folder returns one in which a command may begin.
func (k *killer) folder(t *testing.T, a attack) string {
	t.Helper()
	here := t.TempDir()
	if a.begin != "" {
		if err := os.CopyFS(here, os.DirFS(k.calm[a.begin])); err != nil {
			t.Fatal(err)
		}
	}
	return here
}

// mostInARow bounds the kills between the beginning of a command and its end. One that has
// nothing to go on with would never end otherwise.
const mostInARow = 4

// attack runs a command undisturbed, then in rounds: kills at random moments, the same
// command each time, and in the end once to its end. Each round must come to what the
// undisturbed command came to.
func (k *killer) attack(t *testing.T, a attack, kills int) {
	here := k.folder(t, a)
	took, _ := inProcess(t, k.args(a, here), 0)
	k.calm[a.args[0]] = here
	want := everything(t, here)
	for met := 0; met < kills; {
		stormy := k.folder(t, a)
		args, ended := k.args(a, stormy), false
		for row := 0; row < mostInARow && met < kills && !ended; row++ {
			_, killed := inProcess(t, args, time.Duration(1+k.rng.Int64N(int64(took))))
			if !killed {
				ended = true
				break
			}
			met++
		}
		if !ended {
			inProcess(t, args, 0)
		}
		k.rounds++
		if diff := cmp.Diff(want, everything(t, stormy)); diff != "" {
			t.Errorf("after %d kills of %v, not as undisturbed:\n%s", met, a.args, diff)
		}
		if err := os.RemoveAll(stormy); err != nil {
			t.Fatal(err)
		}
	}
	k.met += kills
}

// TestKilledCommandsEndAsUndisturbed kills the commands that make something at random
// moments, 220 times at full length, and gives the same command again: files are those of an
// undisturbed run by their hashes, manifests too but for the times in them, the ledger has
// the same answers, and nothing else is left.
func TestKilledCommandsEndAsUndisturbed(t *testing.T) {
	users, items := 240, 120
	switch {
	case slow:
		users, items = 1000, 360
	case testing.Short(): // under the race detector all takes ten times as long
		users, items = 40, 40
	}
	pullFrom(t)
	k := &killer{rng: rand.New(rand.NewPCG(3, 14)), tables: filepath.Dir(importWordyShop(t, users, items)), calm: map[string]string{}}
	for _, a := range attacks() {
		kills := a.few
		if slow {
			kills = a.kills
		}
		if kills == 0 && a.args[0] == "demo" { // which takes seconds
			continue
		}
		begin, rounds := time.Now(), k.rounds
		k.attack(t, a, kills)
		t.Logf("%s: %d kills in %d rounds, %.1f s", a.args[0], kills, k.rounds-rounds, time.Since(begin).Seconds())
	}
	t.Logf("%d kills met a running process, in %d rounds that ended as undisturbed", k.met, k.rounds)
	if slow && k.met != 220 {
		t.Errorf("%d kills", k.met)
	}
}
