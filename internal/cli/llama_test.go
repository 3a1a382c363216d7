package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/openai/llamatest"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// shownAnswers reads what the ledger holds of a stage.
func shownAnswers(t *testing.T, ws, stage string) (all []texts.Generation) {
	t.Helper()
	code, out, errs := call(t, stage, "show", ws, "--json")
	var shown struct {
		Answers []struct {
			texts.Generation
			Params map[string]any `json:"params"`
		} `json:"answers"`
	}
	if err := json.Unmarshal([]byte(out), &shown); code != exitOK || err != nil {
		t.Fatalf("%s show: exit %d, %v: %s", stage, code, err, errs)
	}
	for _, a := range shown.Answers {
		all = append(all, a.Generation)
	}
	return all
}

// writtenOffline has the texts of items and users written without a model.
func writtenOffline(t *testing.T, ws string) {
	t.Helper()
	for _, stage := range []string{"describe", "reason"} {
		if code, _, errs := call(t, stage, ws, "--mllm", "offline", "-q"); code != exitOK {
			t.Fatalf("%s: exit %d: %s", stage, code, errs)
		}
	}
}

// TestCommandsAgainstARealLlamaServer runs the stages that ask against llama.cpp with a small
// real model. Which of its answers are good is not ours to choose; that none of the prompt's
// own words and marks is stored is.
func TestCommandsAgainstARealLlamaServer(t *testing.T) {
	url := llamatest.Start(t, llamatest.Options{Pictures: true})
	ws := pictureShop(t)
	asking := []string{"--mllm", "openai", "--base-url", url, "--mllm-model", llamatest.Model, "--temperature", "0.8",
		"--words", "40", "--attempts", "3", "--concurrency", "1", "--limit", "4"}
	for _, stage := range []string{"describe", "reason"} {
		code, _, errs := call(t, append([]string{stage, ws}, asking...)...)
		answers, good := shownAnswers(t, ws, stage), 0
		for _, g := range answers {
			if g.Status != texts.StatusOK {
				continue
			}
			good++
			for _, own := range []string{"<|", "|>", "<<<", ">>>", "never an instruction", "data to be read about", "What stands between"} {
				if strings.Contains(g.Text, own) {
					t.Errorf("%s %s holds %q: %s", stage, g.Subject, own, g.Text)
				}
			}
			if g.Finish != "stop" || g.PromptTokens == 0 || g.AnswerTokens == 0 || g.Model != llamatest.Model {
				t.Errorf("%s: %+v", stage, g)
			}
			t.Logf("%s %s: %s", stage, g.Subject, g.Text)
		}
		if len(answers) != 4 {
			t.Errorf("%s: %d answers", stage, len(answers))
		}
		if (code == exitOK) != (good > 0) || code != exitOK && !strings.Contains(errs, "usable answer") {
			t.Errorf("%s: exit %d with %d good answers: %s", stage, code, good, errs)
		}
		if code == exitOK && !strings.Contains(errs, "cost unknown") {
			t.Errorf("%s does not say that the price is unknown: %s", stage, errs)
		}
		if code != exitOK { // preferences are asked about what offline rules saw
			if code, _, errs := call(t, stage, ws, "--mllm", "offline", "-q"); code != exitOK {
				t.Fatalf("exit %d: %s", code, errs)
			}
		}
	}
}

// TestRealLlamaServersAreKnownBeforeTheyAreAsked has what ends at once, with the server's
// name and the cure, and costs no answer.
func TestRealLlamaServersAreKnownBeforeTheyAreAsked(t *testing.T) {
	url := llamatest.Start(t, llamatest.Options{Context: 1536})
	ws := pictureShop(t)
	writtenOffline(t, ws)
	server := []string{"--mllm", "openai", "--base-url", url, "-q"}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"a model that sees nothing": {[]string{"describe", ws, "--mllm-model", llamatest.Model}, []string{"sees no pictures", "projector", url}},
		"a model that is not there": {[]string{"reason", ws, "--mllm-model", "gemma3"}, []string{`does not have the model "gemma3"`, "it has: " + llamatest.Model, "any-model=yes"}},
		"a window that is too wide": {[]string{"reason", ws, "--mllm-model", llamatest.Model, "--window", "4096"}, []string{"reads 1536 tokens"}},
		"a server without vectors": {[]string{"encode", ws, "--encoder", "openai", "--encoder-model", llamatest.Model, "--encoder-base-url", url, "-q"},
			[]string{"not support"}},
	} {
		args := c.args
		if args[0] != "encode" {
			args = append(args, server...)
		}
		start := time.Now()
		code, _, errs := call(t, args...)
		if code == exitOK || time.Since(start) > 10*time.Second {
			t.Errorf("%s: exit %d after %s: %s", name, code, time.Since(start), errs)
		}
		for _, want := range c.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%s: no %q in: %s", name, want, errs)
			}
		}
		t.Log(errs)
	}
	// A history that the small window cannot hold is read in parts that it can.
	code, _, errs := call(t, "reason", ws, "--mllm", "openai", "--base-url", url, "--mllm-model", llamatest.Model, "--words", "25",
		"--temperature", "0.8", "--attempts", "2", "--concurrency", "1", "--limit", "3", "-q")
	for _, g := range shownAnswers(t, ws, "reason") {
		if g.Class == "prompt-cut" {
			t.Errorf("a prompt over the window was sent: %+v", g)
		}
	}
	if strings.Contains(errs, "prompt-cut") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// TestEncodingByARealLlamaServer takes item vectors from llama.cpp.
func TestEncodingByARealLlamaServer(t *testing.T) {
	url := llamatest.Start(t, llamatest.Options{Embed: true})
	ws := pictureShop(t)
	writtenOffline(t, ws)
	if code, _, errs := call(t, "encode", ws, "--encoder", "openai", "--encoder-model", llamatest.Model, "--encoder-base-url", url, "-q"); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	code, out, errs := call(t, "status", ws, "--json")
	if code != exitOK || !strings.Contains(out, `576`) {
		t.Errorf("exit %d, no vectors 576 wide: %s%s", code, out, errs)
	}
}
