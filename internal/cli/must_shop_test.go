package cli

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/workspace"
)

// importWordyShop imports a shop whose titles say what a thing is, and whose users keep to
// one kind or one colour. It has no pictures.
func importWordyShop(t *testing.T, users, items int) (ws string) {
	t.Helper()
	kinds := []string{"mug", "lamp", "chair", "rug"}
	colours := []string{"red", "navy", "green"}
	things := []string{"stoneware", "oak", "felt", "brass", "linen"}
	var inter, catalogue strings.Builder
	catalogue.WriteString("item,title\n")
	for i := range items {
		fmt.Fprintf(&catalogue, "i%d,%s %s %s of style %d\n", i, colours[i/4%3], things[i/12%5], kinds[i%4], i/60)
	}
	inter.WriteString("user,item,time\n")
	for u := range users {
		n := 0
		for step := range items {
			i := (u*7 + step*5) % items
			if n < 8 && (i%4 == u%4 || i/4%3 == u%3) {
				fmt.Fprintf(&inter, "u%d,i%d,%d\n", u, i, 1000*u+step)
				n++
			}
		}
	}
	return importTables(t, t.TempDir(), inter.String(), catalogue.String())
}

// ok runs a command line that has to succeed and returns what it printed.
func ok(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := call(t, args...)
	if code != exitOK {
		t.Fatalf("mllmrec %s: exit %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout, stderr
}

// printed is what 'run --json' prints, as far as these tests look at it.
type printed struct {
	Stages []struct {
		Stage, State string
		Addresses    []string
	}
	Run struct {
		Run         string
		Leaky       bool
		ResumedFrom int `json:"resumed_from"`
	}
}

// state of a stage as the JSON says it.
func (p printed) state(stage string) string {
	for _, s := range p.Stages {
		if s.Stage == stage {
			return s.State
		}
	}
	return "not there"
}

// runJSON runs 'run WS --json' with some options.
func runJSON(t *testing.T, ws string, options ...string) (p printed, stderr string) {
	t.Helper()
	stdout, stderr := ok(t, append([]string{"run", ws, "--json"}, options...)...)
	if err := json.Unmarshal([]byte(stdout), &p); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	return p, stderr
}

// questions are the ways to ask a run, by name. One that was made from interactions alone
// knows nobody but its users.
func questions(ws, run string, knowsStrangers bool) map[string][]string {
	ask := func(args ...string) []string { return append([]string{args[0], ws, "--run", run}, args[1:]...) }
	all := map[string][]string{
		"evaluation":       ask("evaluate", "--json"),
		"printed table":    ask("evaluate"),
		"user":             ask("recommend", "--user", "u3", "--json"),
		"user, for people": ask("recommend", "--user", "u3"),
		"another user":     ask("recommend", "--user", "u10", "-k", "30", "--json"),
	}
	if knowsStrangers {
		maps.Copy(all, map[string][]string{
			"history":              ask("recommend", "--history", "i1,i14", "--mllm", "offline", "--json"),
			"history, for people":  ask("recommend", "--history", "i1,i14", "--mllm", "offline"),
			"sentence":             ask("recommend", "--text", "a navy lamp of oak", "--json"),
			"sentence, for people": ask("recommend", "--text", "a navy lamp of oak"),
		})
	}
	return all
}

// answers asks a run everything and returns what was printed, by name of the question.
func answers(t *testing.T, ws, run string, knowsStrangers bool) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, args := range questions(ws, run, knowsStrangers) {
		all[name], _ = ok(t, args...)
		if !strings.Contains(all[name], run) && strings.HasSuffix(args[len(args)-1], "--json") {
			t.Errorf("%s of %s is about another run: %s", name, run, all[name])
		}
	}
	return all
}

// sameAnswers fails where a run prints other bytes than before.
func sameAnswers(t *testing.T, ws, run string, before map[string]string) {
	t.Helper()
	_, knowsStrangers := before["sentence"]
	now := answers(t, ws, run, knowsStrangers)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now[name] != before[name] {
			t.Errorf("%s of %s has changed:\n%s\nbefore:\n%s", name, run, now[name], before[name])
		}
	}
}

// filesIn lists the files and folders of a workspace by their paths inside it.
func filesIn(t *testing.T, ws string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(ws, func(path string, _ fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(ws, path)
		all = append(all, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// opened opens a workspace to look at it.
func opened(t *testing.T, dir string) *workspace.Workspace {
	t.Helper()
	ws, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}
