package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// wantOnce fails unless every user has one good answer, and each was asked about once
// more than there were faults.
func wantOnce(t *testing.T, ws string, users int, servers ...*mllmtest.Server) {
	t.Helper()
	answers := stored(t, ws)
	for user, g := range answers {
		if g.Status != texts.StatusOK {
			t.Errorf("%s: %s", user, g.Error)
		}
	}
	if len(answers) != users {
		t.Errorf("%d answers for %d users", len(answers), users)
	}
	honest := 0
	for _, s := range servers {
		honest += s.Counts()[mllmtest.None]
	}
	if honest != users {
		t.Errorf("%d good answers were given for %d users", honest, users)
	}
}

// always is a server that fails every request in one way.
func always(t *testing.T, f mllmtest.Fault) *mllmtest.Server {
	return mllmtest.New(t, mllmtest.Options{Choose: func(mllmtest.Record) (mllmtest.Fault, bool) { return f, true }})
}

// TestOneServerFailsTheOtherGoesOn puts a server of no use beside a good one: the good one
// does the work, and the terminal says why the other does not.
func TestOneServerFailsTheOtherGoesOn(t *testing.T) {
	const users = 120
	dead := mllmtest.New(t, mllmtest.Options{})
	dead.Stop()
	for name, c := range map[string]struct {
		other *mllmtest.Server
		most  int // requests that it may get
		says  string
	}{
		"dead":        {dead, 0, "fails; others do its work meanwhile"},
		"500":         {always(t, mllmtest.ServerError), 30, "fails; others do its work meanwhile"},
		"wrong model": {always(t, mllmtest.WrongModel), 30, "fails; others do its work meanwhile"},
		"wrong key":   {always(t, mllmtest.Auth), 8, "is not asked again in this run"},
		"no model":    {mllmtest.New(t, mllmtest.Options{Model: "another:1b", Choose: func(mllmtest.Record) (mllmtest.Fault, bool) { return mllmtest.ServerError, true }}), 30, "is not asked again in this run"},
	} {
		t.Run(name, func(t *testing.T) {
			good := mllmtest.New(t, mllmtest.Options{Delay: 5 * time.Millisecond})
			ws := shopOfUsers(t, t.TempDir(), users)
			code, _, errs := call(t, "reason", ws, "--base-url", c.other.URL, "--base-url", good.URL, "--concurrency", "8")
			if code != exitOK {
				t.Fatalf("exit %d: %s", code, errs)
			}
			wantOnce(t, ws, users, good)
			if n := c.other.Total(); n > c.most {
				t.Errorf("the other server got %d requests", n)
			}
			if strings.Count(errs, c.other.URL+" "+c.says) != 1 {
				t.Errorf("nothing says that %s is of no use: %s", c.other.URL, errs)
			}
		})
	}
}

// TestServerDiesInTheMiddle takes one of two servers away while it is busy.
func TestServerDiesInTheMiddle(t *testing.T) {
	const users = 600
	stays := mllmtest.New(t, mllmtest.Options{Delay: 20 * time.Millisecond})
	dies := mllmtest.New(t, mllmtest.Options{Delay: 20 * time.Millisecond})
	go func() {
		for dies.Total() < 40 && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		dies.Stop()
	}()
	ws := shopOfUsers(t, t.TempDir(), users)
	code, _, errs := call(t, "reason", ws, "--base-url", stays.URL, "--base-url", dies.URL, "--concurrency", "8")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if answers := stored(t, ws); len(answers) != users {
		t.Errorf("%d answers for %d users", len(answers), users)
	}
	if !strings.Contains(errs, dies.URL+" fails; others do its work meanwhile") || !strings.Contains(errs, "network ") {
		t.Errorf("nothing says that it died: %s", errs)
	}
}

// TestWrongModelOnceAndForEver: an answer by another model is asked for again; a server
// that gives no other stops the run before anything is stored.
func TestWrongModelOnceAndForEver(t *testing.T) {
	if !slow {
		t.Skip("waits for servers and workers for ten seconds and more: 'make test-slow' runs it")
	}
	t.Parallel() // it waits between tries
	const users = 40
	once := mllmtest.New(t, mllmtest.Options{Choose: func(r mllmtest.Record) (mllmtest.Fault, bool) {
		return mllmtest.WrongModel, r.Nth == 0 && strings.Contains(r.Prompt, "number 7 ")
	}})
	ws := shopOfUsers(t, t.TempDir(), users)
	if code, _, errs := call(t, "reason", ws, "--base-url", once.URL); code != exitOK || !strings.Contains(errs, "wrong-model 1") {
		t.Errorf("exit %d: %s", code, errs)
	}
	wantOnce(t, ws, users, once)

	wrong := always(t, mllmtest.WrongModel)
	ws = shopOfUsers(t, t.TempDir(), users)
	code, _, errs := call(t, "reason", ws, "--base-url", wrong.URL, "--concurrency", "1")
	if code == exitOK || !strings.Contains(errs, `model "another-model:1b" answered`) {
		t.Errorf("exit %d: %s", code, errs)
	}
	if answers := stored(t, ws); len(answers) != 0 {
		t.Errorf("%d answers of another model were stored", len(answers))
	}
}

// TestWeightsShareTheWork gives one server three times the weight: it may have three times
// as much in flight.
func TestWeightsShareTheWork(t *testing.T) {
	const users = 200
	heavy := mllmtest.New(t, mllmtest.Options{Delay: 10 * time.Millisecond})
	light := mllmtest.New(t, mllmtest.Options{Delay: 10 * time.Millisecond})
	ws := shopOfUsers(t, t.TempDir(), users)
	code, _, errs := call(t, "reason", ws, "--base-url", light.URL, "--base-url", heavy.URL+"#weight=3", "--concurrency", "12")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	wantOnce(t, ws, users, heavy, light)
	busiest := func(s *mllmtest.Server) (most int) {
		for _, r := range s.Requests() {
			most = max(most, r.InFlight)
		}
		return most
	}
	if l, h := busiest(light), busiest(heavy); l > 4 || h > 12 || h <= 4 {
		t.Errorf("%d and %d were in flight at most, want 4 and 12", l, h)
	}
}

// TestRatesAndHours lets through one request an age: the run ends at its time limit all
// the same, keeps what it has, and goes on later.
func TestRatesAndHours(t *testing.T) {
	const users = 30
	for _, limit := range [][]string{{"--rpm", "0.01"}, {"--tpm", "0.01"}} {
		t.Run(limit[0], func(t *testing.T) {
			t.Parallel() // the time must be enough for a busy machine to send one request
			server := mllmtest.New(t, mllmtest.Options{})
			ws := shopOfUsers(t, t.TempDir(), users)
			args := []string{"reason", ws, "--base-url", server.URL}
			code, _, errs := call(t, append(append(args, "--max-hours", "0.001"), limit...)...)
			if code != exitUser || !strings.Contains(errs, "time limit") || !strings.Contains(errs, "Start the same run again") {
				t.Errorf("exit %d: %s", code, errs)
			}
			if server.Total() != 1 || len(stored(t, ws)) != 1 {
				t.Errorf("%d requests, %d answers kept, want 1", server.Total(), len(stored(t, ws)))
			}
			if code, _, errs := call(t, args...); code != exitOK {
				t.Fatalf("exit %d: %s", code, errs)
			}
			wantOnce(t, ws, users, server)
		})
	}
}

// priced writes a price table in which only answers cost, a thousandth a token.
func priced(t *testing.T) string { return priceTable(t, "gemma3*: {input: 0, output: 1000}") }

func priceTable(t *testing.T, line string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prices.yaml")
	if err := os.WriteFile(path, []byte("currency: EUR\nas_of: today\nmodels:\n  "+line+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCostLimitIsKept runs the same command until all is done: no run costs more than its
// limit, and nothing is paid for twice.
func TestCostLimitIsKept(t *testing.T) {
	const users, limit = 30, 0.8
	server := mllmtest.New(t, mllmtest.Options{})
	ws := shopOfUsers(t, t.TempDir(), users)
	args := []string{"reason", ws, "--mllm", "openai", "--model", "gemma3:27b", "--base-url", server.URL, "--prices", priced(t), "--max-cost", "0.8"}
	spent := func() (sum float64) {
		for _, g := range stored(t, ws) {
			sum += float64(g.AnswerTokens) / 1000
		}
		return sum
	}
	runs, before := 0, 0.0
	for {
		runs++
		code, _, errs := call(t, args...)
		now := spent()
		if now-before > limit {
			t.Errorf("run %d cost %.4f", runs, now-before)
		}
		if len(stored(t, ws)) != server.Total() {
			t.Errorf("run %d: %d answers kept of %d paid", runs, len(stored(t, ws)), server.Total())
		}
		if code == exitOK {
			break
		}
		if code != exitUser || !strings.Contains(errs, "cost limit of 0.8 EUR") || !strings.Contains(errs, "Start the same run again") {
			t.Fatalf("exit %d: %s", code, errs)
		}
		if now == before {
			t.Fatalf("run %d did nothing", runs)
		}
		before = now
	}
	if runs < 2 {
		t.Error("the limit was never met")
	}
	wantOnce(t, ws, users, server)

	// One that no request fits into says so.
	other := shopOfUsers(t, t.TempDir(), 2)
	args[1], args[len(args)-1] = other, "0.001"
	if code, _, errs := call(t, args...); code != exitUser || !strings.Contains(errs, "too low") || !strings.Contains(errs, "Raise the limit") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// TestCostLimitHoldsOverAllStages: what descriptions cost is missing for preferences.
func TestCostLimitHoldsOverAllStages(t *testing.T) {
	const limit, longest = 0.6, 0.5 // five hundred tokens
	server := mllmtest.New(t, mllmtest.Options{})
	var things []thing
	for _, id := range []string{"a", "b", "c", "d"} {
		things = append(things, thing{id: id, image: "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="})
	}
	ws := shopOfThings(t, things)
	code, _, errs := call(t, "run", ws, "--base-url", server.URL, "--prices", priced(t), "--max-cost", "0.6", "--concurrency", "1")
	if code != exitUser || !strings.Contains(errs, "cost limit of 0.6 EUR") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	spent, asked := 0.0, server.Requests()
	for _, r := range asked[:len(asked)-1] {
		spent += float64(mllm.EstimateTokens(mllmtest.Honest(r))) / 1000
	}
	if len(asked) <= len(things) || spent > limit-longest {
		t.Errorf("%d requests; the last was sent though %.4f were spent", len(asked), spent)
	}
}

// TestCostLimitKnowsWhatPicturesTake asks a model that charges a hundred times more for a
// picture than others: what is in flight must be set aside at that.
func TestCostLimitKnowsWhatPicturesTake(t *testing.T) {
	const each, limit = 25501, 0.9 // a third of a euro with the words
	server := mllmtest.New(t, mllmtest.Options{Model: "gpt-4o-mini", PictureTokens: each, Delay: 5 * time.Millisecond})
	var things []thing
	for i := range 12 {
		things = append(things, thing{id: string(rune('a' + i)), image: "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="})
	}
	ws := shopOfThings(t, things)
	code, _, errs := call(t, "describe", ws, "--mllm", "openai", "--model", "gpt-4o-mini", "--base-url", server.URL,
		"--prices", priceTable(t, "gpt-4o-mini: {input: 10, output: 0}"), "--max-cost", "0.9", "--concurrency", "12")
	if code != exitUser || !strings.Contains(errs, "cost limit of 0.9 EUR") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if cost := float64(server.Total()*each) * 10 / 1e6; cost > limit || server.Total() < 2 {
		t.Errorf("%d requests were sent: at least %.2f EUR, the limit was %.2f", server.Total(), cost, limit)
	}
}

// TestInterruptWhileConnecting stops a run that waits for a server to name its models.
func TestInterruptWhileConnecting(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	ws := shopOfUsers(t, t.TempDir(), 2)
	var out strings.Builder
	if code := run(ctx, []string{"reason", ws, "--base-url", server.URL}, &out, &out); code != exitInterrupted || !strings.Contains(out.String(), "goes on") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
