package openai

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// TestDescribeReadsWhatServersSay has lists of models as servers write them.
func TestDescribeReadsWhatServersSay(t *testing.T) {
	text, both := []string{"text"}, []string{"text", "image"}
	for name, c := range map[string]struct {
		routes map[string]string
		want   []mllm.ModelInfo
	}{
		"OpenAI": {map[string]string{"/v1/models": `{"object":"list","data":[{"id":"gpt-4o","object":"model","created":1.7e9,"owned_by":"system"}]}`},
			[]mllm.ModelInfo{{Name: "gpt-4o"}}},
		"vLLM": {map[string]string{"/v1/models": `{"data":[{"id":"google/gemma-3-27b-it","max_model_len":32768,"root":"x","permission":[]}]}`},
			[]mllm.ModelInfo{{Name: "google/gemma-3-27b-it", ContextLength: 32768}}},
		"llama.cpp, new": {map[string]string{"/v1/models": `{"data":[{"id":"m","owned_by":"llamacpp","architecture":{"input_modalities":["text","image","video"]},"meta":{"n_ctx":4096,"n_ctx_train":8192}}]}`},
			[]mllm.ModelInfo{{Name: "m", ContextLength: 4096, Vision: true, Capabilities: []string{"text", "image", "video"}}}},
		"llama.cpp, text alone": {map[string]string{
			"/v1/models": `{"data":[{"id":"m","owned_by":"llamacpp","meta":{"n_ctx_train":131072}}]}`,
			"/props":     `{"default_generation_settings":{"n_ctx":2048},"modalities":{"vision":false,"audio":false}}`},
			[]mllm.ModelInfo{{Name: "m", ContextLength: 2048, Capabilities: text}}},
		"llama.cpp, old": {map[string]string{
			"/v1/models": `{"data":[{"id":"m","owned_by":"llamacpp","meta":{"n_ctx_train":131072}}]}`,
			"/props":     `{"default_generation_settings":{"n_ctx":2048},"total_slots":1}`},
			[]mllm.ModelInfo{{Name: "m", ContextLength: 2048}}},
		"llama.cpp without props": {map[string]string{"/v1/models": `{"data":[{"id":"m","owned_by":"llamacpp","meta":{"n_ctx_train":131072}}]}`},
			[]mllm.ModelInfo{{Name: "m"}}},
		"LM Studio": {map[string]string{
			"/v1/models":     `{"data":[{"id":"qwen2-vl","owned_by":"organization_owner"},{"id":"llama","owned_by":"organization_owner"}]}`,
			"/api/v0/models": `{"data":[{"id":"qwen2-vl","type":"vlm","max_context_length":32768,"loaded_context_length":4096},{"id":"llama","type":"llm","max_context_length":8192}]}`},
			[]mllm.ModelInfo{{Name: "qwen2-vl", ContextLength: 4096, Vision: true, Capabilities: both}, {Name: "llama", ContextLength: 8192, Capabilities: text}}},
		"OpenRouter": {map[string]string{"/v1/models": `{"data":[{"id":"a/b","context_length":"65536","architecture":{"modality":"text+image->text","input_modalities":["image","text"]}}]}`},
			[]mllm.ModelInfo{{Name: "a/b", ContextLength: 65536, Vision: true, Capabilities: []string{"image", "text"}}}},
		"Mistral": {map[string]string{"/v1/models": `{"data":[{"id":"pixtral","max_context_length":131072,"capabilities":{"vision":true}},{"id":"codestral","capabilities":{"vision":false}}]}`},
			[]mllm.ModelInfo{{Name: "pixtral", ContextLength: 131072, Vision: true, Capabilities: both}, {Name: "codestral", Capabilities: text}}},
		"Together": {map[string]string{"/v1/models": `[{"id":"a","type":"chat","context_length":8192}]`},
			[]mllm.ModelInfo{{Name: "a", ContextLength: 8192}}},
		"members of other types": {map[string]string{"/v1/models": `{"data":[{"id":"a","owned_by":7,"meta":"none","architecture":[],"capabilities":["chat"],"context_length":{}}]}`},
			[]mllm.ModelInfo{{Name: "a"}}},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, ok := c.routes[r.URL.Path]
			if !ok {
				http.NotFound(w, r)
				return
			}
			w.Write([]byte(body)) //nolint:errcheck // the client says what it got
		}))
		client, err := New(Config{BaseURL: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.Describe(t.Context())
		srv.Close()
		if err != nil || !got.Complete || !slices.EqualFunc(got.Models, c.want, func(a, b mllm.ModelInfo) bool {
			return a.Name == b.Name && a.ContextLength == b.ContextLength && a.Vision == b.Vision && slices.Equal(a.Capabilities, b.Capabilities)
		}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestThinkingAndExtraMembersAreSent, and members that the request has are not replaced.
func TestThinkingAndExtraMembersAreSent(t *testing.T) {
	off := false
	raw, err := Body(mllm.Request{Model: "m", Prompt: "Hi", Think: &off, Extra: `{"reasoning_effort":"low","top_k":5}`}, BodyOptions{})
	var body struct {
		Kwargs map[string]any `json:"chat_template_kwargs"`
		Effort string         `json:"reasoning_effort"`
		TopK   int            `json:"top_k"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &body)
	}
	if err != nil || body.Kwargs["enable_thinking"] != false || body.Effort != "low" || body.TopK != 5 {
		t.Errorf("%s, %v", raw, err)
	}
	for _, extra := range []string{`{"model":"other"}`, `{"messages":[]}`, `{"n":3}`, `{"chat_template_kwargs":{}}`, `[]`, `null`, `{`} {
		if raw, err := Body(mllm.Request{Model: "m", Prompt: "Hi", Think: &off, Extra: extra}, BodyOptions{}); err == nil {
			t.Errorf("%s: %s", extra, raw)
		}
	}
}
