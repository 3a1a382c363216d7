package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/workspace"
)

// variants are the options of runs with three encodings, three graphs and both histories.
func variants(t *testing.T) (all [][]string) {
	t.Helper()
	tiny, err := filepath.Abs(tinyModel)
	if err != nil {
		t.Fatal(err)
	}
	for _, encoder := range [][]string{{"--dim", "6"}, {"--dim", "9"}, {"--encoder", "minilm", "--encoder-model", tiny}} {
		for _, graph := range [][]string{{"--threshold", "0.3"}, {"--threshold", "0.999"}, {"--graph", "paper", "--knn-k", "5"}} {
			for _, history := range []string{"train", "all"} {
				all = append(all, append(append([]string{"--mllm", "offline", "--model", "mllmrec", "--set", "epochs=2", "--history", history}, encoder...), graph...))
			}
		}
	}
	return all
}

// madeRun is a run with what it answered when it had just been made.
type madeRun struct {
	id     string
	leaky  bool
	before map[string]string
}

// TestRunsStandSideBySide makes eighteen runs, and one of interactions alone, in one
// workspace: in the end each answers with the bytes of its first answers, and says leaky
// if, and only if, held-out items were shown to it.
func TestRunsStandSideBySide(t *testing.T) {
	ws := importWordyShop(t, 24, 48)
	var made []madeRun
	seen := map[string]bool{}
	add := func(options ...string) {
		t.Helper()
		p, _ := runJSON(t, ws, options...)
		if seen[p.Run.Run] {
			t.Fatalf("%v gave run %s again", options, p.Run.Run)
		}
		seen[p.Run.Run] = true
		leaky := strings.Contains(strings.Join(options, " "), "--history all")
		if p.Run.Leaky != leaky {
			t.Errorf("%v: leaky is %v", options, p.Run.Leaky)
		}
		made = append(made, madeRun{p.Run.Run, leaky, answers(t, ws, p.Run.Run, !strings.Contains(options[1], "bpr"))})
	}
	all := variants(t)
	for n, options := range all {
		add(options...)
		if n == len(all)/2 {
			add("--model", "bpr", "--set", "epochs=2")
		}
	}
	if n := len(opened(t, ws).Addresses(workspace.KindItemGraph)); n != 9 {
		t.Errorf("%d graphs, not three of each encoding", n)
	}
	spoilEvaluations(t, ws)
	for _, m := range made {
		sameAnswers(t, ws, m.id, m.before)
		for name, text := range m.before {
			saysLeaky(t, m, name, text)
		}
	}
	answersDiffer(t, made)
	listsLeaky(t, ws, made)
}

// spoilEvaluations overwrites what was stored of the evaluations: what evaluate prints
// afterwards it has measured.
func spoilEvaluations(t *testing.T, ws string) {
	t.Helper()
	stored, err := filepath.Glob(filepath.Join(ws, "evaluations", "*", workspace.EvaluationFile))
	if err != nil || len(stored) == 0 {
		t.Fatalf("%d evaluations are stored: %v", len(stored), err)
	}
	for _, path := range stored {
		if err := os.WriteFile(path, []byte(`{"run": "another"}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// saysLeaky checks one output of a run.
func saysLeaky(t *testing.T, m madeRun, name, text string) {
	t.Helper()
	if !strings.HasPrefix(text, "{") {
		if strings.Contains(strings.ToLower(text), "leaky") != m.leaky {
			t.Errorf("%s of %s, leaky %v: %s", name, m.id, m.leaky, text)
		}
		return
	}
	var says struct {
		Leaky      *bool
		Provenance string
		Warning    string
	}
	if err := json.Unmarshal([]byte(text), &says); err != nil || says.Leaky == nil {
		t.Fatalf("%s of %s does not say: %v, %s", name, m.id, err, text)
	}
	want := map[bool]string{true: "leaky", false: "train-only"}[m.leaky]
	if *says.Leaky != m.leaky || says.Provenance != want || !m.leaky && says.Warning != "" {
		t.Errorf("%s of %s: leaky %v, provenance %s, %q", name, m.id, *says.Leaky, says.Provenance, says.Warning)
	}
}

// answersDiffer makes sure that the comparison can fail: no two runs answer alike.
func answersDiffer(t *testing.T, made []madeRun) {
	t.Helper()
	by := map[string]string{}
	for _, m := range made {
		items := strings.ReplaceAll(m.before["another user"], m.id, "")
		if other, twice := by[items]; twice {
			t.Errorf("runs %s and %s answer alike", m.id, other)
		}
		by[items] = m.id
	}
}

// listsLeaky checks what status says of each run.
func listsLeaky(t *testing.T, ws string, made []madeRun) {
	t.Helper()
	stdout, _ := ok(t, "status", ws, "--json")
	var status statusResult
	if err := json.Unmarshal([]byte(stdout), &status); err != nil {
		t.Fatal(err)
	}
	leaky := map[string]bool{}
	for _, r := range status.Runs {
		leaky[r.ID] = r.Leaky
	}
	for _, m := range made {
		if listed, there := leaky[m.id]; !there || listed != m.leaky {
			t.Errorf("status says of %s: leaky %v (%v)", m.id, listed, there)
		}
	}
}
