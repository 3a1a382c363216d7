package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// blamed is the class of faults that only the check of the answer finds.
var blamed = map[mllmtest.Fault]mllm.Class{
	mllmtest.OverLong: mllm.TooLong, mllmtest.CutOff: mllm.CutOff, mllmtest.Loop: mllm.Repetition, mllmtest.Refusal: mllm.Refusal,
}

// TestReasonThroughAStorm runs the whole command against two servers, one of each dialect,
// that fail one request in six in every way a server is known to: every answer is stored
// once, every failure is reported as what it was, and nothing is asked in vain.
func TestReasonThroughAStorm(t *testing.T) {
	t.Parallel()
	users := 600
	if slow {
		users = 5000
	}
	odds := map[mllmtest.Fault]float64{}
	for _, f := range mllmtest.Faults() {
		odds[f] = 0.015
	}
	// Each of these costs a whole timeout, or rests the server for half a second.
	for _, f := range []mllmtest.Fault{mllmtest.Hang, mllmtest.SlowDrip, mllmtest.BareLimit} {
		odds[f] = 0.004
	}
	for _, f := range []mllmtest.Fault{mllmtest.Auth, mllmtest.BadRequest, mllmtest.PromptCut, mllmtest.Flood} {
		delete(odds, f) // final, or slow, and tested for themselves
	}
	first := mllmtest.New(t, mllmtest.Options{Seed: 1, Probability: odds})
	second := mllmtest.New(t, mllmtest.Options{Seed: 2, Probability: odds})
	ws := shopOfUsers(t, t.TempDir(), users)
	// A busy machine must not look like a hanging server: hence the timeout. Answers have
	// room to be too long in, or Ollama's client would ask for a larger window instead.
	code, out, errs := call(t, "reason", ws, "--base-url", first.URL+"#weight=2", "--base-url", second.URL+"#kind=openai",
		"--concurrency", "32", "--timeout", "3s", "--attempts", "10", "--max-tokens", "12000", "--json")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	answers := stored(t, ws)
	for user, g := range answers {
		if g.Status != texts.StatusOK || g.Text == "" {
			t.Errorf("%s: %s %q %s", user, g.Status, g.Text, g.Error)
		}
	}
	if len(answers) != users {
		t.Errorf("%d answers for %d users", len(answers), users)
	}

	if second.Total() < users/5 {
		t.Errorf("the second server got %d requests", second.Total())
	}
	injected := map[string]int{}
	sent, faults := 0, 0
	for _, srv := range []*mllmtest.Server{first, second} {
		sent += srv.Total()
		for f, n := range srv.Counts() {
			if f == mllmtest.None {
				continue
			}
			faults += n
			class := f.Class()
			if class == "" {
				class = blamed[f]
			}
			injected[string(class)] += n
		}
	}
	least := users + faults
	t.Logf("%d requests, %d faults, %.2f %% over the least that was needed", sent, faults, 100*float64(sent-least)/float64(least))
	if faults < users/10 {
		t.Errorf("only %d faults: the test shows nothing", faults)
	}
	if float64(sent) > 1.05*float64(least) {
		t.Errorf("%d requests, at most 5 %% over %d are needed", sent, least)
	}
	wantClasses(t, out, injected)
	for class := range injected {
		if !strings.Contains(errs, class+" ") {
			t.Errorf("%s is not on the terminal", class)
		}
	}
}

// wantClasses compares the failures reported with those injected. On a busy machine an
// answer of any kind may come too late; nothing may be taken for anything else.
func wantClasses(t *testing.T, stageJSON string, injected map[string]int) {
	t.Helper()
	var stage struct {
		Info struct{ Classes map[string]int }
	}
	if err := json.Unmarshal([]byte(stageJSON), &stage); err != nil {
		t.Fatalf("%v: %s", err, stageJSON)
	}
	reported := stage.Info.Classes
	late := reported[string(mllm.Timeout)] - injected[string(mllm.Timeout)]
	for class, n := range injected {
		if class == string(mllm.Timeout) {
			continue
		}
		if late -= n - reported[class]; reported[class] > n || late < 0 {
			t.Errorf("%s: %d injected, %d reported", class, n, reported[class])
		}
	}
	for class, n := range reported {
		if injected[class] == 0 && class != string(mllm.Timeout) {
			t.Errorf("%s: none injected, %d reported", class, n)
		}
	}
}
