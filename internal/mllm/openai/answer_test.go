package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// A good answer is taken whatever its side fields look like; counts are read where they are
// counts at all.
func TestSideFieldsCostNoAnswer(t *testing.T) {
	const good = "A blue wooden toy with smooth edges."
	for name, c := range map[string]struct {
		body           string
		prompt, answer int
	}{
		"plain":             {`"model":"m","usage":{"prompt_tokens":400,"completion_tokens":20},"choices":[{"finish_reason":"stop","message":{"content":%q}}]`, 400, 20},
		"floats":            {`"model":"m","usage":{"prompt_tokens":400.0,"completion_tokens":2e1},"choices":[{"finish_reason":"stop","message":{"content":%q}}]`, 400, 20},
		"counts as text":    {`"model":"m","usage":{"prompt_tokens":"400","completion_tokens":"20"},"choices":[{"finish_reason":"stop","message":{"content":%q}}]`, 400, 20},
		"no counts":         {`"model":"m","usage":{"prompt_tokens":null,"completion_tokens":-1},"choices":[{"finish_reason":"stop","message":{"content":%q}}]`, 0, 0},
		"usage is a list":   {`"model":"m","usage":[1],"choices":[{"finish_reason":"stop","message":{"content":%q}}]`, 0, 0},
		"usage null":        {`"model":"m","usage":null,"choices":[{"finish_reason":"stop","message":{"content":%q}}]`, 0, 0},
		"no model":          {`"model":null,"choices":[{"finish_reason":"stop","message":{"content":%q}}]`, 0, 0},
		"model is a number": {`"model":7,"created":1746709563.492,"choices":[{"finish_reason":"stop","message":{"content":%q}}]`, 0, 0},
		"reason an integer": {`"choices":[{"finish_reason":0,"message":{"content":%q}}]`, 0, 0},
		"no reason":         {`"choices":[{"message":{"content":%q,"refusal":[]}}]`, 0, 0},
		"no error":          {`"error":{},"choices":[{"error":null,"finish_reason":"stop","message":{"content":%q}}]`, 0, 0},
		"thinking in parts": {`"choices":[{"finish_reason":"stop","message":{"content":[{"type":"thinking","thinking":[{"text":"hm"}]},{"type":"text","text":%q},{"text":{"odd":1}}]}}]`, 0, 0},
	} {
		body := "{" + fmt.Sprintf(c.body, good) + "}"
		if !json.Valid([]byte(body)) {
			t.Fatalf("%s: %s", name, body)
		}
		resp, err := ParseCompletion([]byte(body))
		if err != nil || resp.Text != good || resp.PromptTokens != c.prompt || resp.AnswerTokens != c.answer {
			t.Errorf("%s: %+v, %v", name, resp, err)
		}
	}
}

// What the server says it broke off, withheld or cut is no answer, wherever it says so.
func TestBrokenAnswersAreNone(t *testing.T) {
	for body, want := range map[string]mllm.Class{
		`{"choices":[{"finish_reason":"error","error":{"code":502,"message":"upstream lost"},"message":{"content":"A blue toy and a"}}]}`: mllm.CutOff,
		`{"choices":[{"finish_reason":"stop","error":{"message":"upstream lost"},"message":{"content":"A blue toy and a"}}]}`:             mllm.CutOff,
		`{"choices":[{"finish_reason":"network_error","message":{"content":""}}]}`:                                                        mllm.CutOff,
		`{"choices":[{"finish_reason":"sensitive","message":{"content":"A blue toy and a"}}]}`:                                            mllm.Refused,
		`{"choices":[{"finish_reason":"refusal","message":{"content":"A blue toy and a"}}]}`:                                              mllm.Refusal,
		`{"choices":[{"finish_reason":"tool_calls","message":{"content":"Let me look."}}]}`:                                               mllm.Empty,
		`{"choices":[{"finish_reason":"length","message":{"content":null,"reasoning_content":"I think"}}]}`:                               mllm.CutOff,
		`{"choices":[{"finish_reason":"stop","message":{"content":"","refusal":"I cannot."}}]}`:                                           mllm.Refusal,
		`{"error":{"message":"Provider returned error","code":429},"choices":[]}`:                                                         mllm.Server,
	} {
		if _, err := ParseCompletion([]byte(body)); mllm.ClassOf(err) != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	// A limit is left to the checks of the text, which the word must reach.
	for body, want := range map[string]string{
		`{"choices":[{"finish_reason":null,"finish_details":{"type":"max_tokens"},"message":{"content":"A blue toy and a"}}]}`: "max_tokens",
		`{"choices":[{"native_finish_reason":"MAX_TOKENS","message":{"content":"A blue toy and a"}}]}`:                         "MAX_TOKENS",
	} {
		if resp, err := ParseCompletion([]byte(body)); err != nil || resp.FinishReason != want {
			t.Errorf("%s: %+v, %v", body, resp, err)
		}
	}
}

func FuzzParseCompletion(f *testing.F) {
	f.Add(`{"choices":[{"finish_reason":"stop","message":{"content":"x"}}],"usage":{"prompt_tokens":4.5e99}}`)
	f.Add(`{"choices":[{"finish_details":[],"message":{"content":[{"text":1}]}}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		resp, err := ParseCompletion([]byte(body))
		if err == nil && strings.TrimSpace(resp.Text) == "" || resp.PromptTokens < 0 || resp.AnswerTokens < 0 {
			t.Errorf("%+v from %q", resp, body)
		}
	})
}

// The address is the user's: routes are below it, and below /v1 only for a bare host.
func TestRoutesAreBelowTheGivenAddress(t *testing.T) {
	for given, want := range map[string]string{
		"":                  "/v1/chat/completions",
		"/":                 "/v1/chat/completions",
		"/v1":               "/v1/chat/completions",
		"/v1/":              "/v1/chat/completions",
		"/v1beta/openai":    "/v1beta/openai/chat/completions",
		"/api/paas/v4/":     "/api/paas/v4/chat/completions",
		"/api/v3":           "/api/v3/chat/completions",
		"/openai/v1":        "/openai/v1/chat/completions",
		"/deployments/gpt4": "/deployments/gpt4/chat/completions",
	} {
		var asked []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.Path)
			w.Write([]byte(`{"model":"m","data":[{"id":"m"}],"choices":[{"finish_reason":"stop","message":{"content":"A blue toy."}}]}`)) //nolint:errcheck // the client says what it got
		}))
		c, err := New(Config{BaseURL: srv.URL + given})
		if err == nil {
			_, err = c.Generate(t.Context(), mllm.Request{Model: "m", Prompt: "Hi"})
		}
		if err == nil {
			_, err = c.Describe(t.Context())
		}
		srv.Close()
		if models := strings.TrimSuffix(want, "chat/completions") + "models"; err != nil || len(asked) != 2 || asked[0] != want || asked[1] != models {
			t.Errorf("below %q: asked %v, %v", given, asked, err)
		}
	}
}

// What a refusal names is left out or renamed, once and for all requests, also of those that
// were sent at the same time; what names nothing is a refusal.
func TestRefusalsTeachTheClient(t *testing.T) {
	for name, c := range map[string]struct {
		refuse func(body map[string]any) string
		tries  int // most requests for eight questions
		notes  int
		note   string
	}{
		"max_tokens": {func(b map[string]any) string {
			if _, has := b["max_tokens"]; has {
				return "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
			}
			return ""
		}, 16, 1, "max_completion_tokens"},
		"temperature and seed": {func(b map[string]any) string {
			if v, has := b["temperature"]; has && v != 1.0 {
				return "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported."
			}
			if _, has := b["seed"]; has {
				return "seed: Extra inputs are not permitted"
			}
			return ""
		}, 24, 2, "temperature is left out"},
	} {
		var mu sync.Mutex
		tries := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body map[string]any
			err := json.NewDecoder(r.Body).Decode(&body)
			mu.Lock()
			tries++
			mu.Unlock()
			if why := c.refuse(body); err != nil || why != "" {
				w.WriteHeader(http.StatusBadRequest)
				json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": why}}) //nolint:errcheck // the client says what it got
				return
			}
			if body["max_tokens"] == nil && body["max_completion_tokens"] == nil {
				t.Errorf("%s: no limit was sent", name)
			}
			w.Write([]byte(`{"choices":[{"finish_reason":"stop","message":{"content":"A blue toy."}}]}`)) //nolint:errcheck // the client says what it got
		}))
		client, err := New(Config{BaseURL: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		var work sync.WaitGroup
		for range 8 {
			work.Go(func() {
				if _, err := client.Generate(t.Context(), mllm.Request{Model: "m", Prompt: "Hi", MaxTokens: 9, Seed: 3}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		work.Wait()
		srv.Close()
		notes := strings.Join(client.Notes(), "\n")
		if tries > c.tries || !strings.Contains(notes, "from now on") || !strings.Contains(notes, c.note) || len(client.Notes()) != c.notes {
			t.Errorf("%s: %d requests, notes: %s", name, tries, notes)
		}
	}
	for _, said := range []string{"max_tokens is too large: 9999", "this model's maximum context length is 128 tokens", "temperature must be between 0 and 2", "content policy"} {
		if _, change, ok := learn(BodyOptions{}, &mllm.Error{Class: mllm.Refused, Status: 400, Err: errors.New(said)}); ok {
			t.Errorf("%q teaches that %s", said, change)
		}
	}
}
