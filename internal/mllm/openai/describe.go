package openai

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/wire"
)

const describeTimeout = 30 * time.Second

// listed is one model as servers list it. Servers add members of their own to OpenAI's; they
// are read leniently, since a list in an unknown form is no reason to stop.
type listed struct {
	ID      string `json:"id"`
	OwnedBy any    `json:"owned_by"`

	// The context window in tokens.
	MaxModelLen      wire.Count `json:"max_model_len"`         // vLLM, SGLang
	ContextLength    wire.Count `json:"context_length"`        // OpenRouter, Together
	ContextWindow    wire.Count `json:"context_window"`        // Groq
	MaxContextLength wire.Count `json:"max_context_length"`    // Mistral, LM Studio
	LoadedContext    wire.Count `json:"loaded_context_length"` // LM Studio: of the loaded model
	Meta             any        `json:"meta"`                  // llama.cpp: n_ctx

	Architecture any `json:"architecture"` // OpenRouter, llama.cpp: input_modalities
	Capabilities any `json:"capabilities"` // Mistral: {"vision": true}
	Type         any `json:"type"`         // LM Studio: llm, vlm, embeddings
}

type list struct{ Data []listed }

// UnmarshalJSON implements json.Unmarshaler. A bare array, as Together writes it, is a list too.
func (l *list) UnmarshalJSON(raw []byte) error {
	var v struct {
		Data []listed `json:"data"`
	}
	if json.Unmarshal(raw, &l.Data) == nil {
		return nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	l.Data = v.Data
	return nil
}

// props is what llama.cpp's server says of itself at /props.
type props struct {
	Settings struct {
		Context wire.Count `json:"n_ctx"` // of one slot
	} `json:"default_generation_settings"`
	Modalities map[string]any `json:"modalities"`
}

// Describe lists the server's models, with the context window and the kinds of input where the
// server says them: vLLM, SGLang, llama.cpp, LM Studio and several hosted services do.
func (c *Client) Describe(ctx context.Context) (mllm.ServerInfo, error) {
	info := mllm.ServerInfo{Kind: "openai", Endpoint: c.Endpoint()}
	var out list
	if err := c.wire.Call(ctx, describeTimeout, c.root+"/models", "", nil, &out); err != nil {
		return info, err
	}
	if own := c.lmStudio(ctx, out); own != nil {
		out.Data = own
	}
	for _, m := range out.Data {
		info.Models = append(info.Models, m.info())
	}
	info.Complete = len(out.Data) > 0 && !c.cfg.AnyModel
	if len(out.Data) == 1 && is(out.Data[0].OwnedBy, "llamacpp") {
		c.llamaCPP(ctx, &info.Models[0])
	}
	return info, nil
}

func (m listed) info() mllm.ModelInfo {
	info := mllm.ModelInfo{Name: m.ID}
	for _, n := range []wire.Count{m.LoadedContext, m.MaxModelLen, count(member(m.Meta, "n_ctx")), m.ContextLength, m.ContextWindow, m.MaxContextLength} {
		if n > 0 {
			info.ContextLength = int(n)
			break
		}
	}
	if list, ok := member(m.Architecture, "input_modalities").([]any); ok {
		for _, v := range list {
			if name, ok := v.(string); ok {
				info.Capabilities = append(info.Capabilities, name)
			}
		}
	}
	if sees, ok := member(m.Capabilities, "vision").(bool); ok {
		info.Capabilities = append(info.Capabilities, modalities(sees)...)
	}
	if is(m.Type, "llm") || is(m.Type, "vlm") {
		info.Capabilities = append(info.Capabilities, modalities(is(m.Type, "vlm"))...)
	}
	info.Vision = slices.Contains(info.Capabilities, "image")
	return info
}

// llamaCPP asks llama.cpp's server for the context window of one request and for the kinds of
// input: its list of models has them in newer versions only, and the window that the model was
// trained for is not the one that the server was started with.
func (c *Client) llamaCPP(ctx context.Context, m *mllm.ModelInfo) {
	var p props
	if err := c.wire.Call(ctx, describeTimeout, "/props", "", nil, &p); err != nil {
		return // started without that route
	}
	if n := int(p.Settings.Context); n > 0 {
		m.ContextLength = n
	}
	if sees, ok := p.Modalities["vision"].(bool); ok {
		m.Vision, m.Capabilities = sees, modalities(sees)
	}
}

// lmStudio asks LM Studio for its own list, which says more; nil where the server is another.
func (c *Client) lmStudio(ctx context.Context, of list) []listed {
	if len(of.Data) == 0 || !is(of.Data[0].OwnedBy, "organization_owner") {
		return nil
	}
	var own list
	if err := c.wire.Call(ctx, describeTimeout, "/api/v0/models", "", nil, &own); err != nil {
		return nil
	}
	return own.Data
}

// modalities are the kinds of input of a model that sees pictures, or that does not.
func modalities(sees bool) []string {
	if sees {
		return []string{"text", "image"}
	}
	return []string{"text"}
}

// member returns a member of a JSON object, nil where v is none.
func member(v any, name string) any {
	object, _ := v.(map[string]any)
	return object[name]
}

func count(v any) wire.Count {
	n, _ := v.(float64)
	return wire.Count(n)
}

func is(v any, text string) bool {
	s, ok := v.(string)
	return ok && strings.EqualFold(s, text)
}
