package cli

import (
	"slices"
	"strings"
	"testing"
)

// TestRunBuildsOnlyWhatTheModelNeeds trains a model of interactions alone in a fresh
// workspace, with the default writer, whose server nobody has started; then one that reads
// texts beside it.
func TestRunBuildsOnlyWhatTheModelNeeds(t *testing.T) {
	ws := importWordyShop(t, 24, 48)
	bpr, stderr := runJSON(t, ws, "--model", "bpr", "--set", "epochs=2")
	for stage, want := range map[string]string{"import": "fresh", "describe": "missing", "reason": "missing", "encode": "missing",
		"graph": "missing", "train": "fresh", "evaluate": "fresh"} {
		if got := bpr.state(stage); got != want {
			t.Errorf("%s is %s, not %s", stage, got, want)
		}
	}
	for _, stage := range []string{"describe", "reason", "encode", "graph"} {
		if strings.Contains(stderr, stage+" ") {
			t.Errorf("it speaks of %s: %s", stage, stderr)
		}
	}
	for _, unwanted := range []string{"texts", "features", "graphs", "generations.db"} {
		if slices.Contains(filesIn(t, ws), unwanted) {
			t.Errorf("it made %s", unwanted)
		}
	}
	before := answers(t, ws, bpr.Run.Run, false)

	// Texts and two encoders later, the run is as fresh as before.
	ok(t, "describe", ws, "--mllm", "offline")
	ok(t, "reason", ws, "--mllm", "offline")
	for _, dim := range []string{"6", "9"} {
		ok(t, "encode", ws, "--dim", dim)
		again, stderr := runJSON(t, ws, "--model", "bpr", "--set", "epochs=2")
		if again.Run.Run != bpr.Run.Run || !strings.Contains(stderr, bpr.Run.Run+" is fresh, skipped") {
			t.Errorf("with %s dimensions: run %s, not %s: %s", dim, again.Run.Run, bpr.Run.Run, stderr)
		}
		if again.state("train") != "fresh" || again.state("evaluate") != "fresh" || again.state("graph") != "missing" {
			t.Errorf("train is %s, evaluate %s, graph %s", again.state("train"), again.state("evaluate"), again.state("graph"))
		}
	}

	// The other model adds what it needs and trains on the encoder that it is told.
	full, stderr := runJSON(t, ws, "--model", "mllmrec", "--mllm", "offline", "--dim", "6", "--set", "epochs=2")
	for _, s := range full.Stages {
		if s.State != "fresh" {
			t.Errorf("%s is %s", s.Stage, s.State)
		}
	}
	for _, skipped := range []string{"describe fresh, skipped", "reason fresh, skipped", "encode fresh, skipped: features/items-lsa-d6-", "encode fresh, skipped: features/users-lsa-d6-"} {
		if !strings.Contains(strings.Join(strings.Fields(stderr), " "), skipped) {
			t.Errorf("no %q in: %s", skipped, stderr)
		}
	}
	if len(answers(t, ws, full.Run.Run, true)) == 0 || full.Run.Run == bpr.Run.Run {
		t.Errorf("the run of the other model is %s", full.Run.Run)
	}
	sameAnswers(t, ws, bpr.Run.Run, before)
}

// TestRunAddsToRunsOfInteractionsAlone is the same without texts made in between.
func TestRunAddsToRunsOfInteractionsAlone(t *testing.T) {
	ws := importWordyShop(t, 24, 48)
	bpr, _ := runJSON(t, ws, "--model", "lightgcn", "--set", "epochs=2")
	before := answers(t, ws, bpr.Run.Run, false)
	full, stderr := runJSON(t, ws, "--model", "mllmrec", "--mllm", "offline", "--dim", "6", "--set", "epochs=2")
	if strings.Contains(stderr, "skipped") || full.state("graph") != "fresh" || full.state("encode") != "fresh" {
		t.Errorf("graph is %s, encode is %s: %s", full.state("graph"), full.state("encode"), stderr)
	}
	answers(t, ws, full.Run.Run, true)
	sameAnswers(t, ws, bpr.Run.Run, before)
}
