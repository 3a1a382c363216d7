package ollama_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func client(t *testing.T, srv *mllmtest.Server, cfg ollama.Config) *ollama.Client {
	t.Helper()
	cfg.BaseURL = srv.URL
	c, err := ollama.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func windows(srv *mllmtest.Server) []int {
	var out []int
	for _, r := range srv.Requests() {
		out = append(out, r.NumCtx)
	}
	return out
}

func TestWindowFollowsThePromptInStepsAndNeverShrinks(t *testing.T) {
	srv := mllmtest.New(t, mllmtest.Options{})
	c := client(t, srv, ollama.Config{})
	ask := func(words, images, answer int) {
		t.Helper()
		if _, err := c.Generate(t.Context(), mllm.Request{Model: "gemma3:27b", Prompt: strings.Repeat("toys ", words), Images: make([]mllm.Image, images), MaxTokens: answer}); err != nil {
			t.Fatal(err)
		}
	}
	ask(10, 0, 200)
	ask(300, 1, 200)
	ask(1500, 2, 200)
	ask(4000, 0, 200)
	ask(10, 0, 200) // a smaller window would make the server load the model again
	ask(3000, 0, 2000)
	want := []int{2048, 2048, 3072, 6144, 6144, 6144}
	got := windows(srv)
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("windows %v, want %v", got, want)
		}
	}
}

func TestWindowIsCappedByTheModelAndTheUser(t *testing.T) {
	srv := mllmtest.New(t, mllmtest.Options{ContextLength: 5000})
	c := client(t, srv, ollama.Config{})
	r := mllm.Request{Model: "gemma3:27b", Prompt: strings.Repeat("toys ", 3500), MaxTokens: 100}
	if _, err := c.Generate(t.Context(), r); err != nil {
		t.Error(err)
	}
	if got := windows(srv)[0]; got != 5000 {
		t.Errorf("window %d, the model has 5000", got)
	}
	r.Prompt = strings.Repeat("toys ", 5000)
	before := srv.Total()
	if _, err := c.Generate(t.Context(), r); mllm.ClassOf(err) != mllm.PromptCut || srv.Total() != before {
		t.Errorf("a prompt of more words than the model has tokens was sent: %v", err)
	}
	r.Prompt = strings.Repeat("toys ", 2500)
	if _, err := client(t, srv, ollama.Config{MaxNumCtx: 2048}).Generate(t.Context(), r); mllm.ClassOf(err) != mllm.PromptCut {
		t.Errorf("over the user's cap: %v", err)
	}
}

func TestNewWeightsUnderTheSameNameAreNoticed(t *testing.T) {
	srv := mllmtest.New(t, mllmtest.Options{})
	c := client(t, srv, ollama.Config{})
	resp, err := c.Generate(t.Context(), mllm.Request{Model: "gemma3:27b", Prompt: "Hi there"})
	if err != nil {
		t.Fatal(err)
	}
	r := mllm.Request{Model: "gemma3:27b", Prompt: "Hi there", ModelDigest: resp.ModelDigest}
	if _, err := c.Generate(t.Context(), r); err != nil {
		t.Errorf("the right weights: %v", err)
	}
	r.ModelDigest = strings.Repeat("f", 64)
	if _, err := c.Generate(t.Context(), r); mllm.ClassOf(err) != mllm.WrongModel {
		t.Errorf("other weights: %v", err)
	}
	r.Model = "llava"
	_, err = c.Generate(t.Context(), r)
	if hint, mine := usererr.Hint(err); mllm.ClassOf(err) != mllm.NotFound || !mine || !strings.Contains(hint, "ollama pull llava") {
		t.Errorf("a model the server lacks: %v (%s)", err, hint)
	}
}

// Weights that are exchanged while questions are in flight: every answer that is taken
// bears the digest of the weights that gave it, and the first that may be of either is
// refused.
func TestExchangedWeightsNeverSignForOthers(t *testing.T) {
	var srv *mllmtest.Server
	srv = mllmtest.New(t, mllmtest.Options{Delay: 2 * time.Millisecond, Answer: func(mllmtest.Record) string { return "written by " + srv.Digest() }})
	c := client(t, srv, ollama.Config{})
	digests := []string{srv.Digest(), strings.Repeat("b", 64), strings.Repeat("c", 64)}
	var work sync.WaitGroup
	var taken, refused atomic.Int32
	for range 8 {
		work.Go(func() {
			for range 30 {
				resp, err := c.Generate(t.Context(), mllm.Request{Model: "gemma3:27b", Prompt: "Hi there"})
				switch {
				case err == nil && resp.Text == "written by "+resp.ModelDigest:
					taken.Add(1)
				case mllm.ClassOf(err) == mllm.WrongModel:
					refused.Add(1)
				default:
					t.Errorf("%q booked under %s, %v", resp.Text, resp.ModelDigest, err)
				}
			}
		})
	}
	for _, d := range digests[1:] {
		time.Sleep(20 * time.Millisecond)
		srv.Exchange(d)
	}
	work.Wait()
	if taken.Load() < 150 || refused.Load() == 0 {
		t.Errorf("%d answers taken, %d refused", taken.Load(), refused.Load())
	}
}

func TestPoolRefusesOneNameForTwoWeights(t *testing.T) {
	a := mllmtest.New(t, mllmtest.Options{})
	b := mllmtest.New(t, mllmtest.Options{Digest: strings.Repeat("b", 64)})
	pool, err := mllm.NewPool([]mllm.EndpointConfig{{Client: client(t, a, ollama.Config{})}, {Client: client(t, b, ollama.Config{})}}, mllm.PoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Describe(t.Context()); err == nil || !strings.Contains(err.Error(), "different weights") {
		t.Errorf("two digests: %v", err)
	}
	// One endpoint with the wanted weights is enough to be answered by those only.
	good, err := client(t, a, ollama.Config{}).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		resp, err := pool.Generate(t.Context(), mllm.Request{Model: "gemma3:27b", Prompt: "Hi there", ModelDigest: good.Models[0].Digest})
		if err != nil || resp.Endpoint != a.URL {
			t.Errorf("answered by %s: %v", resp.Endpoint, err)
		}
	}
	if b.Total() != 0 {
		t.Errorf("the other weights were asked %d times", b.Total())
	}
	b.Stop()
	info, err := pool.Describe(t.Context())
	if err != nil || len(info.Unreachable) != 1 || info.Unreachable[0] != b.URL {
		t.Errorf("one endpoint down: %+v, %v", info, err)
	}
}

func TestImageTagsInTextStayText(t *testing.T) {
	srv := mllmtest.New(t, mllmtest.Options{})
	if _, err := client(t, srv, ollama.Config{}).Generate(t.Context(), mllm.Request{Model: "gemma3:27b", System: "[img]", Prompt: "a [img-0] b [img] c [image] [img-x]"}); err != nil {
		t.Fatal(err)
	}
	if got := srv.Requests()[0]; got.Prompt != "a (img-0) b (img) c [image] [img-x]" || got.System != "(img)" {
		t.Errorf("sent %q and %q", got.System, got.Prompt)
	}
}

func TestAFixedWindowDoesNotGrow(t *testing.T) {
	srv := mllmtest.New(t, mllmtest.Options{})
	r := mllm.Request{Model: "gemma3:27b", Prompt: strings.Repeat("toys ", 1000), NumCtx: 512}
	resp, err := client(t, srv, ollama.Config{}).Generate(t.Context(), r)
	if mllm.ClassOf(err) != mllm.PromptCut || srv.Total() != 1 || resp.PromptTokens != 512 || resp.NumCtx != 512 {
		t.Errorf("%d requests, %+v, %v", srv.Total(), resp, err)
	}
}

func TestAServerThatHangsIsWaitedForOnceAndTogether(t *testing.T) {
	srv := mllmtest.New(t, mllmtest.Options{})
	honest := srv.Config.Handler
	var listings atomic.Int32
	release := make(chan struct{})
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/tags" {
			listings.Add(1)
			select {
			case <-release:
			case <-r.Context().Done():
				return
			}
		}
		honest.ServeHTTP(w, r)
	})
	c := client(t, srv, ollama.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := c.Generate(ctx, mllm.Request{Model: "gemma3:27b", Prompt: "Hi"})
		first <- err
	}()
	others := make(chan error, 20)
	for range 20 {
		go func() {
			_, err := c.Generate(t.Context(), mllm.Request{Model: "gemma3:27b", Prompt: "Hi"})
			others <- err
		}()
	}
	time.Sleep(50 * time.Millisecond)
	cancel()
	if err := <-first; mllm.ClassOf(err) != mllm.Cancelled {
		t.Errorf("the one who left: %v", err)
	}
	if listings.Load() != 1 {
		t.Errorf("%d listings were asked for", listings.Load())
	}
	close(release)
	for range 20 {
		if err := <-others; err != nil {
			t.Errorf("one who waited on: %v", err)
		}
	}
}
