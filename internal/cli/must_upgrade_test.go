package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

// The workspaces of format 1 were made by the build before this format, with texts by an
// OpenAI-compatible server that is gone; gold is what that build printed about them. What
// it printed about a sentence is in testdata/format1.
const (
	format1   = "../workspace/testdata/format1.tar.gz"
	sentence1 = "testdata/format1/sentence.json"
	// history1 is a later build's answer to a history: version 0.1 wrote its preference as a list of words.
	history1 = "testdata/format1/history.json"
)

// format1Shop unpacks the workspaces of format 1 and returns the folder that they are in.
func format1Shop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	workspacetest.Unpack(t, format1, dir)
	return dir
}

// gold1 reads what the earlier build printed.
func gold1(t *testing.T, path string) (v map[string]any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// printsJSON runs a command and returns the JSON that it printed.
func printsJSON(t *testing.T, args ...string) (v map[string]any) {
	t.Helper()
	stdout, _ := ok(t, args...)
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatalf("%v: %v: %s", args, err, stdout)
	}
	return v
}

// within compares numbers up to a relative difference, all else exactly.
func within(relative float64) cmp.Option {
	return cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b)) })
}

// dropReasons takes out of a list of recommendations why they were made.
func dropReasons(list map[string]any) {
	for _, item := range list["items"].([]any) {
		delete(item.(map[string]any), "because")
	}
}

// dropUntrained takes the baseline of untrained vectors out of an evaluation.
func dropUntrained(evaluation map[string]any) {
	var kept []any
	for _, b := range evaluation["baselines"].([]any) {
		if b.(map[string]any)["name"] != "untrained vectors" {
			kept = append(kept, b)
		}
	}
	evaluation["baselines"] = kept
}

// TestFormat1AnswersAsBefore asks the runs of an upgraded workspace what the earlier build
// was asked.
func TestFormat1AnswersAsBefore(t *testing.T) {
	dir := format1Shop(t)
	ws, gold := filepath.Join(dir, "paid.ws"), func(name string) map[string]any { return gold1(t, filepath.Join(dir, "gold", name+".json")) }
	for _, model := range []string{"mllmrec", "bpr", "lightgcn"} {
		want := gold("evaluate-" + model)
		id := want["run"].(string)
		if len(want["baselines"].([]any)) != 3 {
			t.Fatalf("%d baselines in the gold of %s", len(want["baselines"].([]any)), model)
		}
		if model != "mllmrec" {
			dropUntrained(want) // it was not made from any
		}
		if diff := cmp.Diff(want, printsJSON(t, "evaluate", ws, "--run", id, "--json")); diff != "" {
			t.Errorf("evaluation of %s:\n%s", id, diff)
		}
		want, got := gold("user-"+model), printsJSON(t, "recommend", ws, "--user", "u7", "--run", id, "-k", "5", "--json")
		if model != "mllmrec" {
			dropReasons(want) // some named edges of a graph that it was not made from
			dropReasons(got)
		}
		if diff := cmp.Diff(want, got, within(1e-6)); diff != "" {
			t.Errorf("%s for a user:\n%s", id, diff)
		}
	}
	const mllmrec1 = "mllmrec-04220adc"
	if diff := cmp.Diff(gold1(t, history1), printsJSON(t, "recommend", ws, "--history", "i3,i9", "--mllm", "offline", "--run", mllmrec1, "-k", "5", "--json"), within(1e-6)); diff != "" {
		t.Errorf("for a history:\n%s", diff)
	}
	if diff := cmp.Diff(gold1(t, sentence1), printsJSON(t, "recommend", ws, "--text", "a sturdy red lamp", "--run", mllmrec1, "-k", "5", "--json"), within(1e-6)); diff != "" {
		t.Errorf("for a sentence:\n%s", diff)
	}
	audited := printsJSON(t, "audit", ws, "--json")
	if again, _ := audited["reencoded"].(map[string]any); again["checked"] == 0.0 || again["differ"] != 0.0 || len(audited["path"].([]any)) < 6 {
		t.Errorf("audit: encoded again %v, path of %d", again, len(audited["path"].([]any)))
	}
	delete(audited, "reencoded") // version 0.1 had neither
	delete(audited, "path")
	if diff := cmp.Diff(gold("audit"), audited); diff != "" {
		t.Errorf("audit:\n%s", diff)
	}
}

// TestFormat1IsFreshUnderItsOptions runs with the options that the workspaces were made
// with: nothing but the evaluation, which format 1 did not keep, is made again.
func TestFormat1IsFreshUnderItsOptions(t *testing.T) {
	dir := format1Shop(t)
	gone := []string{"--mllm", "openai", "--mllm-model", "m", "--base-url", "http://127.0.0.1:1/v1", "--image-dir", ".", "--folds", "2", "--dim", "8", "--threshold", "0.3"}
	for run, options := range map[string][]string{
		"paid.ws mllmrec-04220adc":    append([]string{"--seed", "1", "--model", "mllmrec", "--set", "embedding_dim=4", "--set", "epochs=3"}, gone...),
		"paid.ws bpr-c568bef4":        {"--model", "bpr", "--seed", "1", "--set", "embedding_dim=4", "--set", "epochs=2"},
		"paid.ws lightgcn-ff308c48":   {"--model", "lightgcn", "--seed", "1", "--set", "embedding_dim=4", "--set", "epochs=2"},
		"foreign.ws mllmrec-16b7f2a8": {"--threshold", "0.7", "--model", "mllmrec", "--set", "embedding_dim=4", "--set", "epochs=2"},
	} {
		folder, id, _ := strings.Cut(run, " ")
		ws := filepath.Join(dir, folder)
		before := filesIn(t, ws)
		p, stderr := runJSON(t, ws, options...)
		if p.Run.Run != id || !strings.Contains(stderr, id+" is fresh, skipped") {
			t.Errorf("%s gave run %s: %s", run, p.Run.Run, stderr)
		}
		for line := range strings.Lines(stderr) {
			if !strings.Contains(line, "skipped") && !strings.HasPrefix(line, "evaluate ") && !strings.Contains(line, "imported vectors stand in") {
				t.Errorf("%s: %s", run, line)
			}
		}
		for _, file := range without(filesIn(t, ws), before) {
			if !strings.HasPrefix(file, "evaluations") && !strings.HasPrefix(file, "workspace.lock") {
				t.Errorf("%s made %s", run, file)
			}
		}
	}
	var status statusResult
	stdout, _ := ok(t, "status", filepath.Join(dir, "paid.ws"), "--json")
	if err := json.Unmarshal([]byte(stdout), &status); err != nil {
		t.Fatal(err)
	}
	if status.Describe.Done != 48 || status.Reason.Done != 120 {
		t.Errorf("of 48 and 120 answers that were paid for, %d and %d are there", status.Describe.Done, status.Reason.Done)
	}
}

// without returns the strings that are in all and not in some.
func without(all, some []string) (rest []string) {
	known := map[string]bool{}
	for _, s := range some {
		known[s] = true
	}
	for _, s := range all {
		if !known[s] {
			rest = append(rest, s)
		}
	}
	return rest
}

var epochNumber = regexp.MustCompile(`bpr epoch (\d+) `)

// TestFormat1RunGoesOn trains on with a run that was killed under the earlier build, for a
// few epochs: it begins behind its last checkpoint and keeps its log.
func TestFormat1RunGoesOn(t *testing.T) {
	ws := filepath.Join(format1Shop(t), "paid.ws")
	log := filepath.Join(ws, "runs", "bpr-b4d967a1", "log.jsonl")
	before, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stderr := &stopAfter{lines: 3, stop: stop}
	var stdout bytes.Buffer
	code := run(ctx, []string{"run", ws, "--model", "bpr", "--seed", "2", "--set", "embedding_dim=4", "--set", "epochs=100000", "--set", "patience=100000"}, &stdout, stderr)
	if code != exitInterrupted {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	found := epochNumber.FindStringSubmatch(stderr.String())
	if found == nil {
		t.Fatalf("no epoch in: %s", stderr.String())
	}
	done := bytes.Count(before, []byte("\n"))
	if first, _ := strconv.Atoi(found[1]); done < 100 || first != done+1 {
		t.Errorf("it began with epoch %d; %d had been finished", first, done)
	}
	after, err := os.ReadFile(log)
	if err != nil || !bytes.HasPrefix(after, before) || bytes.Count(after, []byte("\n")) < done+3 {
		t.Errorf("%d lines in the log, %d before: %v", bytes.Count(after, []byte("\n")), done, err)
	}
}

// stopAfter calls stop after some lines were written to it.
type stopAfter struct {
	bytes.Buffer
	mu    sync.Mutex // an interrupt is told of from a goroutine of its own
	lines int
	stop  func()
}

func (w *stopAfter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.Buffer.Write(p)
	if bytes.Count(w.Bytes(), []byte("\n")) >= w.lines {
		w.stop()
	}
	return n, err
}
