package connect_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func TestPoolOfTwoKindsWithTheirOwnSettings(t *testing.T) {
	t.Setenv("ONE_KEY", "first-key")
	t.Setenv(connect.DefaultKeyEnv, "default-key")
	a, b := mllmtest.New(t, mllmtest.Options{}), mllmtest.New(t, mllmtest.Options{})
	pool, err := connect.Pool(connect.Options{Kind: connect.OpenAI, Concurrency: 50, URLs: []string{a.URL + "#weight=3", b.URL + "/#kind=ollama&key-env=ONE_KEY"}})
	if err != nil {
		t.Fatal(err)
	}
	errs := make([]error, 40)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = pool.Generate(t.Context(), mllm.Request{Model: "gemma3:27b", Prompt: fmt.Sprint("Hello ", i)})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if a.Total() != 30 || b.Total() != 10 {
		t.Errorf("%d and %d requests, weighted 3 to 1", a.Total(), b.Total())
	}
	if r := a.Requests()[0]; r.Dialect != "openai" || r.Authorization != "Bearer default-key" {
		t.Errorf("the first server saw %s %q", r.Dialect, r.Authorization)
	}
	if r := b.Requests()[0]; r.Dialect != "ollama" || r.Authorization != "Bearer first-key" {
		t.Errorf("the second server saw %s %q", r.Dialect, r.Authorization)
	}
}

func TestConcurrencyOfOneEndpoint(t *testing.T) {
	srv := mllmtest.New(t, mllmtest.Options{Delay: 5e6})
	pool, err := connect.Pool(connect.Options{Kind: connect.Ollama, Concurrency: 50, URLs: []string{srv.URL + "#concurrency=2"}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if _, err := pool.Generate(t.Context(), mllm.Request{Model: "gemma3:27b", Prompt: fmt.Sprint("Hello ", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, r := range srv.Requests() {
		if r.InFlight > 2 {
			t.Fatalf("%d requests in flight, the endpoint allows 2", r.InFlight)
		}
	}
}

func TestMistakesAreTheUsers(t *testing.T) {
	for name, c := range map[string]struct {
		opt  connect.Options
		says string
	}{
		"kind":           {connect.Options{Kind: "gemini"}, `"gemini"`},
		"no address":     {connect.Options{Kind: connect.OpenAI}, "no default address"},
		"unknown":        {connect.Options{Kind: connect.Ollama, URLs: []string{"http://x#wieght=2"}}, `"wieght"`},
		"not a number":   {connect.Options{Kind: connect.Ollama, URLs: []string{"http://x#weight=much"}}, "weight=much"},
		"zero":           {connect.Options{Kind: connect.Ollama, URLs: []string{"http://x#rpm=0"}}, "rpm=0"},
		"half a request": {connect.Options{Kind: connect.Ollama, URLs: []string{"http://x#concurrency=1.5"}}, "concurrency=1.5"},
		"twice":          {connect.Options{Kind: connect.Ollama, URLs: []string{"http://x#tpm=1&tpm=2"}}, "twice"},
		"torn":           {connect.Options{Kind: connect.Ollama, URLs: []string{"http://x#%zz"}}, "cannot be read"},
		"unset key":      {connect.Options{Kind: connect.Ollama, KeyEnv: "NO_SUCH_KEY_HERE"}, "NO_SUCH_KEY_HERE"},
		"no effect":      {connect.Options{Kind: connect.OpenAI, URLs: []string{"http://x"}, MaxNumCtx: 9}, "Ollama only"},
		"bad address":    {connect.Options{Kind: connect.Ollama, URLs: []string{"localhost:11434"}}, "scheme"},
	} {
		_, err := connect.Pool(c.opt)
		if _, mine := usererr.Hint(err); !mine || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	pool, err := connect.Pool(connect.Options{Kind: connect.Ollama})
	if err != nil || pool.Endpoint() != "http://localhost:11434" {
		t.Errorf("the default is Ollama on this machine: %v", err)
	}
}

// TestDescriptionIsTrueOfAllServers: what one server vouches for, a pool does only if all do.
func TestDescriptionIsTrueOfAllServers(t *testing.T) {
	large := mllmtest.New(t, mllmtest.Options{})
	small := mllmtest.New(t, mllmtest.Options{ContextLength: 8192})
	other := mllmtest.New(t, mllmtest.Options{Digest: strings.Repeat("f", 64)})
	describe := func(urls ...string) (mllm.ModelInfo, error) {
		pool, err := connect.Pool(connect.Options{Kind: connect.Ollama, URLs: urls})
		if err != nil {
			t.Fatal(err)
		}
		info, err := pool.Describe(t.Context())
		m, _ := info.Find("gemma3:27b")
		return m, err
	}
	if m, err := describe(large.URL, small.URL); err != nil || m.Digest == "" || m.ContextLength != 8192 {
		t.Errorf("two of a kind: %+v, %v", m, err)
	}
	if m, err := describe(large.URL, small.URL+"#kind=openai"); err != nil || m.Digest != "" || m.ContextLength != 8192 || !m.Vision {
		t.Errorf("an Ollama and another: %+v, %v", m, err)
	}
	if _, err := describe(large.URL, small.URL+"#kind=openai", other.URL); err == nil {
		t.Error("different weights were accepted behind a server that names none")
	}
}
