package mllm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
)

// TestFiveThousandRequestsAgainstAFaultyServer sends 5,000 requests to two endpoints, one
// of each dialect, that fail one request in five in every way a server is known to. Every
// request must be answered, once; every failure must have its class; and nothing may be
// asked that was not needed.
func TestFiveThousandRequestsAgainstAFaultyServer(t *testing.T) {
	const total = 5000
	odds := map[mllmtest.Fault]float64{}
	for _, f := range mllmtest.Faults() {
		odds[f] = 0.015
	}
	for _, f := range []mllmtest.Fault{mllmtest.Hang, mllmtest.SlowDrip} { // each costs a whole timeout
		odds[f] = 0.004
	}
	// Not the server's whims: these are final, or tested for themselves.
	for _, f := range []mllmtest.Fault{mllmtest.Auth, mllmtest.BadRequest, mllmtest.PromptCut, mllmtest.Flood} {
		delete(odds, f)
	}
	first := mllmtest.New(t, mllmtest.Options{Seed: 1, Probability: odds})
	second := mllmtest.New(t, mllmtest.Options{Seed: 2, Probability: odds})
	const timeout = 2 * time.Second // a busy machine must not look like a hanging server
	a, err := ollama.New(ollama.Config{BaseURL: first.URL, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	b, err := openai.New(openai.Config{BaseURL: second.URL, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	failures := map[mllm.Class]int{}
	pool, err := mllm.NewPool([]mllm.EndpointConfig{{Client: a, Concurrency: 32, Weight: 2}, {Client: b, Concurrency: 32}}, mllm.PoolOptions{
		Backoff: 4 * time.Millisecond, Cooldown: 20 * time.Millisecond, Attempts: 12,
		OnAttempt: func(at mllm.Attempt) {
			mu.Lock()
			defer mu.Unlock()
			if at.Class != "" {
				failures[at.Class]++
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	answers := make([]atomic.Pointer[mllm.Response], total)
	var next, again atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= total {
					return
				}
				r := mllm.Request{Model: "gemma3:27b", Seed: 7, MaxTokens: 12000, Prompt: fmt.Sprintf("Describe product %d, which is sold in a small box, in a few words for a parent.", i)}
				resp, err := askUntilUsable(t.Context(), pool, r, check.ForLimit(100, check.Script{}), 8)
				if err != nil {
					t.Errorf("request %d: %v", i, err)
					return
				}
				if !answers[i].CompareAndSwap(nil, &resp) {
					again.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	injected := map[mllm.Class]int{}
	sent, faults := 0, 0
	for _, srv := range []*mllmtest.Server{first, second} {
		sent += srv.Total()
		for f, n := range srv.Counts() {
			if f == mllmtest.None {
				continue
			}
			faults += n
			if c := f.Class(); c != "" {
				injected[c] += n
			}
		}
	}
	least := total + faults
	t.Logf("%d requests, %d faults injected, %.2f %% over the minimum of %d", sent, faults, 100*float64(sent-least)/float64(least), least)
	if faults < total/10 {
		t.Errorf("only %d faults: the test shows nothing", faults)
	}
	if float64(sent) > 1.05*float64(least) {
		t.Errorf("%d requests, at most 5 %% over %d are needed", sent, least)
	}
	for i := range answers {
		if answers[i].Load() == nil {
			t.Fatalf("request %d has no answer", i)
		}
	}
	if again.Load() > 0 {
		t.Errorf("%d requests were answered twice", again.Load())
	}
	// On a busy machine an answer of any kind may come too late, and only so may a class
	// be missed; nothing may be taken for anything else.
	late := failures[mllm.Timeout] - injected[mllm.Timeout]
	for class, n := range injected {
		if class == mllm.Timeout {
			continue
		}
		got := failures[class]
		if late -= n - got; got > n || late < 0 {
			t.Errorf("%s: %d injected, %d seen", class, n, got)
		}
	}
	for class := range failures {
		if _, known := injected[class]; !known {
			t.Errorf("failures of class %s were seen, none was injected", class)
		}
	}
}

// BenchmarkThroughput measures how near the ideal rate requests come when a server answers
// each in 50 ms and 64 are in flight, 1280 a second: through the pool, and for comparison
// through a bare HTTP client, which loses only what the machine loses.
func BenchmarkThroughput(b *testing.B) {
	const each, inFlight, ideal = 6400, 64, 1280
	srv := mllmtest.New(b, mllmtest.Options{Delay: 50 * time.Millisecond})
	client, err := ollama.New(ollama.Config{BaseURL: srv.URL})
	if err != nil {
		b.Fatal(err)
	}
	pool, err := mllm.NewPool([]mllm.EndpointConfig{{Client: client, Concurrency: inFlight}}, mllm.PoolOptions{})
	if err != nil {
		b.Fatal(err)
	}
	bare := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}
	for name, send := range map[string]func(i int64) error{
		"pool": func(i int64) error {
			_, err := pool.Generate(b.Context(), mllm.Request{Model: "gemma3:27b", Prompt: fmt.Sprint("Describe product ", i)})
			return err
		},
		"bare": func(i int64) error {
			body := fmt.Sprintf(`{"model":"gemma3:27b","messages":[{"role":"user","content":"Describe product %d"}]}`, i)
			resp, err := bare.Post(srv.URL+"/api/chat", "application/json", strings.NewReader(body))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var next atomic.Int64
				var wg sync.WaitGroup
				start := time.Now()
				for range inFlight {
					wg.Go(func() {
						for i := next.Add(1); i <= each; i = next.Add(1) {
							if err := send(i); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(100*each/time.Since(start).Seconds()/ideal, "%-of-ideal")
			}
		})
	}
}

// askUntilUsable asks until an answer passes the checks, at most tries times, as the engine
// of package texts does. Tokens and attempts of the response are those of all tries.
func askUntilUsable(ctx context.Context, c mllm.Client, r mllm.Request, rules check.Rules, tries int) (mllm.Response, error) {
	var total mllm.Response
	for try := 0; ; try++ {
		resp, err := c.Generate(ctx, check.ForRetry(r, try))
		resp.Text = check.Clean(resp.Text)
		resp.PromptTokens += total.PromptTokens
		resp.AnswerTokens += total.AnswerTokens
		resp.Attempts += total.Attempts
		resp.Seconds += total.Seconds
		if err == nil {
			class, reason := check.Answer(r, resp, rules)
			if class == "" {
				return resp, nil
			}
			err = &mllm.Error{Class: class, Endpoint: resp.Endpoint, Model: r.Model, Err: errors.New(reason)}
		}
		if !mllm.ClassOf(err).Answer() || try+1 >= tries || ctx.Err() != nil {
			return resp, err
		}
		total = resp
	}
}
