package cli

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contents returns the hash of each file of a workspace, but for the lock's.
func contents(t *testing.T, ws string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	for _, rel := range filesIn(t, ws) {
		path := filepath.Join(ws, filepath.FromSlash(rel))
		if info, err := os.Stat(path); err != nil || info.IsDir() || strings.HasPrefix(rel, "workspace.lock") {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[rel] = sha256.Sum256(raw)
	}
	return all
}

// pruned is what 'prune --json' prints.
type pruned struct {
	DryRun                   bool `json:"dry_run"`
	Removed, Leftovers, Kept []string
	Bytes                    int64
}

func prune(t *testing.T, ws string, args ...string) (p pruned) {
	t.Helper()
	stdout, _ := ok(t, append([]string{"prune", ws, "--json"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &p); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	return p
}

// TestPruneKeepsWhatRunsNeed makes runs, and beside them texts, vectors and graphs that no
// run was made from.
func TestPruneKeepsWhatRunsNeed(t *testing.T) {
	ws := importWordyShop(t, 24, 48)
	tiny, err := filepath.Abs(tinyModel)
	if err != nil {
		t.Fatal(err)
	}
	offline := []string{"--mllm", "offline", "--model", "mllmrec", "--set", "epochs=1"}
	var made []madeRun
	add := func(options ...string) {
		p, _ := runJSON(t, ws, options...)
		made = append(made, madeRun{id: p.Run.Run, before: answers(t, ws, p.Run.Run, options[0] != "--model")})
	}
	add(append(offline, "--dim", "6")...)
	add(append(offline, "--encoder", "minilm", "--encoder-model", tiny, "--history", "all")...)
	add("--model", "bpr", "--set", "epochs=1")
	ok(t, "reason", ws, "--mllm", "offline", "--folds", "2")
	ok(t, "encode", ws, "--dim", "7")
	ok(t, "graph", "build", ws, "--threshold", "0.2")
	ok(t, "graph", "build", ws, "--threshold", "0.4")
	ok(t, "reason", ws, "--mllm", "offline")
	ok(t, "encode", ws, "--dim", "6")
	ok(t, "graph", "build", ws)
	left := filepath.Join(ws, "graphs", "reference-k10-t0.9-j10-0123abcd") // as a kill between move and record leaves it
	if err := os.Mkdir(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "item.npz"), []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}

	// A dry run names what would go, and leaves all as it is.
	before := contents(t, ws)
	dry := prune(t, ws, "--dry-run")
	if diff := cmp.Diff(before, contents(t, ws)); diff != "" {
		t.Errorf("a dry run has changed something:\n%s", diff)
	}
	kinds := map[string]int{}
	for _, address := range dry.Removed {
		name, _, _ := strings.Cut(address, "-")
		kinds[name]++
	}
	want := map[string]int{"texts/users": 1, "features/items": 1, "features/users": 1, "graphs/reference": 2}
	if diff := cmp.Diff(want, kinds); diff != "" || !dry.DryRun || len(dry.Leftovers) != 1 || dry.Bytes <= 4 {
		t.Errorf("%v, %d leftovers, %d bytes would go: %s", dry.Removed, len(dry.Leftovers), dry.Bytes, diff)
	}

	// The real one removes just that.
	wet := prune(t, ws)
	if diff := cmp.Diff(dry.Removed, wet.Removed); diff != "" || wet.DryRun || wet.Bytes != dry.Bytes {
		t.Errorf("%d bytes, not %d, went: %s", wet.Bytes, dry.Bytes, diff)
	}
	gone := slices.Concat(wet.Removed, wet.Leftovers)
	after := contents(t, ws)
	for rel, sum := range before {
		removed := slices.ContainsFunc(gone, func(address string) bool { return strings.HasPrefix(rel, address+"/") })
		now, there := after[rel]
		if there == removed || there && now != sum && rel != "workspace.json" {
			t.Errorf("%s: there %v, changed %v", rel, there, now != sum)
		}
	}
	if len(filesUnder(after, "features/cache/")) == 0 || len(filesUnder(after, "generations.db")) == 0 {
		t.Errorf("the cache of vectors or the ledger is gone: %v", slices.Sorted(maps.Keys(after)))
	}
	for _, m := range made {
		sameAnswers(t, ws, m.id, m.before)
	}
	if again := prune(t, ws); len(again.Removed)+len(again.Leftovers) != 0 {
		t.Errorf("a second time %v goes", again.Removed)
	}
	pruneToOneRun(t, ws, made)
}

// pruneToOneRun keeps the first run and what is current; the others go, with what only
// they needed.
func pruneToOneRun(t *testing.T, ws string, made []madeRun) {
	t.Helper()
	paid := filesUnder(contents(t, ws), "generations.db")
	if code, _, stderr := call(t, "prune", ws, "--run", "mllmrec-nowhere"); code != exitUser || !strings.Contains(stderr, "no finished run") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	p := prune(t, ws, "--run", made[0].id)
	for _, m := range made[1:] {
		if !slices.Contains(p.Removed, "runs/"+m.id) {
			t.Errorf("%s is kept: %v", m.id, p.Removed)
		}
		if code, _, _ := call(t, "evaluate", ws, "--run", m.id); code != exitUser {
			t.Errorf("evaluate of %s: exit %d", m.id, code)
		}
	}
	for _, address := range []string{"texts/leaky-users-", "features/items-minilm-", "features/users-minilm-"} {
		if !slices.ContainsFunc(p.Removed, func(gone string) bool { return strings.HasPrefix(gone, address) }) {
			t.Errorf("%s is kept: %v", address, p.Removed)
		}
	}
	after := contents(t, ws)
	if diff := cmp.Diff(paid, filesUnder(after, "generations.db")); diff != "" || len(filesUnder(after, "features/cache/")) == 0 {
		t.Errorf("the ledger has changed, or the cache is gone: %s", diff)
	}
	sameAnswers(t, ws, made[0].id, made[0].before)
}

// filesUnder picks the files whose paths begin with a prefix.
func filesUnder(files map[string][32]byte, prefix string) map[string][32]byte {
	picked := maps.Clone(files)
	maps.DeleteFunc(picked, func(rel string, _ [32]byte) bool { return !strings.HasPrefix(rel, prefix) })
	return picked
}
