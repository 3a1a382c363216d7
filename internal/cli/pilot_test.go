package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/rng"
)

// pilotShop is a shop whose histories say nothing of what comes next, so that only a writer who
// knows can.
type pilotShop struct {
	ws, run string
	titles  []string
	shown   [][]int // train items of a user
	next    []int   // validation item of a user
}

func newPilotShop(t *testing.T) *pilotShop {
	const users, items, shown = 90, 70, 4
	s := &pilotShop{}
	var inter, catalogue strings.Builder
	catalogue.WriteString("item,title\n")
	syllables := []string{"ba", "de", "ki", "lo", "mu", "ra", "so", "ti", "vu", "ze"}
	for i := range items {
		word := syllables[i%10] + syllables[i/10] + "nor"
		s.titles = append(s.titles, fmt.Sprintf("the %s thing", word))
		fmt.Fprintf(&catalogue, "i%d,%s\n", i, s.titles[i])
	}
	inter.WriteString("user,item,time\n")
	for u := range users {
		order := rng.Stream(7, "pilot shop", uint64(u)).Perm(items)
		for k, i := range order[:shown+2] {
			fmt.Fprintf(&inter, "u%d,i%d,%d\n", u, i, 100*u+k)
		}
		s.shown, s.next = append(s.shown, order[:shown]), append(s.next, order[shown])
	}
	s.ws = importTables(t, t.TempDir(), inter.String(), catalogue.String())
	made, _ := runJSON(t, s.ws, "--mllm", "offline", "--encoder", "lsa")
	s.run = made.Run.Run
	return s
}

// asked tells whom a prompt is about.
func (s *pilotShop) asked(prompt string) int {
	for u, items := range s.shown {
		all := true
		for _, i := range items {
			all = all && strings.Contains(prompt, s.titles[i])
		}
		if all {
			return u
		}
	}
	return -1
}

// pilot is what 'reason --sample-users --json' prints, as far as these tests look at it.
type pilotPrinted struct {
	Users, Answered, New int
	Texts, Rules         struct {
		Gain    struct{ Difference, Low, High float64 }
		Weights [2]float64
	}
}

func (s *pilotShop) pilot(t *testing.T, n int, server *mllmtest.Server) (p pilotPrinted) {
	t.Helper()
	out, _ := ok(t, "reason", s.ws, "--mllm", "openai", "--base-url", server.URL+"/v1", "--mllm-model", "gemma3:27b", "--sample-users", fmt.Sprint(n), "--json")
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return p
}

// A writer who knows what comes next is seen to help, one who says the same of everybody is
// not; nobody is asked about twice, by a larger pilot or by the whole stage.
func TestPilotTellsAWriterWhoKnows(t *testing.T) {
	s := newPilotShop(t)
	knows := mllmtest.New(t, mllmtest.Options{Answer: func(r mllmtest.Record) string {
		u := s.asked(r.Prompt)
		if u < 0 {
			t.Errorf("a prompt is about nobody: %s", r.Prompt)
			return "?"
		}
		return fmt.Sprintf("They would love %s more than anything else in the whole shop, and will look for that one.", s.titles[s.next[u]])
	}})
	few := s.pilot(t, 40, knows)
	if few.Users != 40 || few.Answered != 40 || few.New != 40 || len(knows.Requests()) != 40 {
		t.Errorf("%+v after %d requests", few, len(knows.Requests()))
	}
	if few.Texts.Gain.Low < 0.2 || few.Texts.Weights[0] == 0 || few.Texts.Weights[1] == 0 {
		t.Errorf("a writer who knows is worth %+v", few.Texts)
	}
	if out, _ := ok(t, "status", s.ws); strings.Contains(out, "of 40") {
		t.Errorf("the pilot is taken for the stage: %s", out)
	}
	more := s.pilot(t, 60, knows)
	if more.Users != 60 || more.New != 20 || len(knows.Requests()) != 60 {
		t.Errorf("the larger pilot asked %d more, %d in all", more.New, len(knows.Requests()))
	}
	out, _ := ok(t, "reason", s.ws, "--mllm", "openai", "--base-url", knows.URL+"/v1", "--mllm-model", "gemma3:27b", "--sample-users", "60")
	if len(knows.Requests()) != 60 || !strings.Contains(out, "The texts help") {
		t.Errorf("asked %d times; %s", len(knows.Requests()), out)
	}
	ok(t, "reason", s.ws, "--mllm", "openai", "--base-url", knows.URL+"/v1", "--mllm-model", "gemma3:27b", "-q")
	if len(knows.Requests()) != len(s.shown) {
		t.Errorf("%d requests for %d users", len(knows.Requests()), len(s.shown))
	}
}

func TestPilotTellsAWriterWhoKnowsNothing(t *testing.T) {
	s := newPilotShop(t)
	same := mllmtest.New(t, mllmtest.Options{Answer: func(r mllmtest.Record) string {
		return fmt.Sprintf("They are fond of %s, which they would buy again for themselves or as a present.", s.titles[s.asked(r.Prompt)%3])
	}})
	if p := s.pilot(t, 80, same); p.Texts.Gain.Low > 0 || p.Texts.Gain.Difference > 0.08 {
		t.Errorf("texts that say nothing are worth %+v", p.Texts)
	}
}

func TestPilotRefusesWhatHasNoEffect(t *testing.T) {
	s := newPilotShop(t)
	for says, args := range map[string][]string{
		"too few users":            {"--sample-users", "5"},
		"only 90 users":            {"--sample-users", "91"},
		"would show the model":     {"--sample-users", "40", "--history", "all"},
		"has no effect on a pilot": {"--sample-users", "40", "--folds", "3"},
		"goes with none of":        {"--sample-users", "40", "--force"},
		"--limit has no effect":    {"--sample-users", "40", "--limit", "3"},
		"without --sample-users":   {"--run", "x"},
		"no run":                   {"--sample-users", "40", "--run", "nothing"},
	} {
		code, _, errs := call(t, append([]string{"reason", s.ws, "--mllm", "offline"}, args...)...)
		if code == exitOK || !strings.Contains(errs, says) {
			t.Errorf("%q: exit %d: %s", args, code, errs)
		}
	}
	ok(t, "train", s.ws, "--model", "bm25", "-q")
	if code, _, errs := call(t, "reason", s.ws, "--mllm", "offline", "--sample-users", "40"); code == exitOK || !strings.Contains(errs, "has no views to add") {
		t.Errorf("exit %d: %s", code, errs)
	}
	out, _ := ok(t, "reason", s.ws, "--mllm", "offline", "--sample-users", "40", "--run", s.run)
	if !strings.Contains(out, "This sample cannot tell") && !strings.Contains(out, "can hardly be worth") {
		t.Error(out)
	}
}
