package openai

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// ChatPath is the route of a chat completion in batch files.
const ChatPath = "/v1/chat/completions"

// BodyOptions adapt the body of a chat completion to a server. The zero value is right for
// vLLM, SGLang, llama.cpp's server and LM Studio.
type BodyOptions struct {
	// CompletionTokens sends the limit as max_completion_tokens, which OpenAI's newer models
	// require instead of max_tokens.
	CompletionTokens bool
	// OmitSampling leaves out temperature and seed, which OpenAI's reasoning models reject.
	OmitSampling bool
	// Detail is OpenAI's image detail: low, high or auto; "" leaves it out.
	Detail string
	// Extra members are added to the body as they are, such as
	// {"chat_template_kwargs": {"enable_thinking": false}}. They may not replace one
	// that the request sets.
	Extra map[string]any

	learnt learnt
}

// Message is one message of a chat; Content is a string or a []Part.
type Message struct {
	Role    string `json:"role"`
	Content any    `json:"content"`
}

// Part is one piece of a message: text or a picture.
type Part struct {
	Type     string    `json:"type"` // text | image_url
	Text     string    `json:"text,omitempty"`
	ImageURL *ImageURL `json:"image_url,omitempty"`
}

// ImageURL carries a picture as a data URI.
type ImageURL struct {
	URL    string `json:"url"`
	Detail string `json:"detail,omitempty"`
}

// Messages returns the chat messages of r: the system message, if any, and the user's,
// pictures before the text.
func Messages(r mllm.Request, detail string) []Message {
	var out []Message
	if r.System != "" {
		out = append(out, Message{Role: "system", Content: r.System})
	}
	if len(r.Images) == 0 {
		return append(out, Message{Role: "user", Content: r.Prompt})
	}
	parts := make([]Part, 0, len(r.Images)+1)
	for _, img := range r.Images {
		parts = append(parts, Part{Type: "image_url", ImageURL: &ImageURL{URL: DataURI(img), Detail: detail}})
	}
	parts = append(parts, Part{Type: "text", Text: r.Prompt})
	return append(out, Message{Role: "user", Content: parts})
}

// DataURI returns the picture as a base64 data URI (RFC 2397).
func DataURI(img mllm.Image) string {
	return "data:" + img.MIME + ";base64," + base64.StdEncoding.EncodeToString(img.Data)
}

// Extra reads further members of a body from the text of a JSON object; "" has none.
func Extra(text string) (map[string]any, error) {
	if text == "" {
		return nil, nil
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil || members == nil {
		return nil, usererr.New(`Write it like {"reasoning_effort": "low"}.`, "the extra members of a request are no JSON object: %s", text)
	}
	return members, nil
}

// Body returns the JSON body of a chat completion for r. Equal arguments give equal bytes.
func Body(r mllm.Request, opt BodyOptions) (json.RawMessage, error) {
	body := map[string]any{"model": r.Model, "messages": Messages(r, opt.Detail)}
	if r.MaxTokens > 0 {
		name := "max_tokens"
		if opt.CompletionTokens != opt.learnt.otherLimit {
			name = "max_completion_tokens"
		}
		body[name] = r.MaxTokens
	}
	if !opt.OmitSampling && !opt.learnt.noTemperature {
		body["temperature"] = r.Temperature
	}
	if !opt.OmitSampling && !opt.learnt.noSeed {
		body["seed"] = r.Seed
	}
	if r.Think != nil { // as vLLM, SGLang and llama.cpp's server take it
		body["chat_template_kwargs"] = map[string]any{"enable_thinking": *r.Think}
	}
	own, err := Extra(r.Extra)
	if err != nil {
		return nil, err
	}
	for _, extra := range []map[string]any{opt.Extra, own} {
		for _, key := range slices.Sorted(maps.Keys(extra)) {
			if _, taken := body[key]; taken || key == "stream" || key == "n" {
				return nil, usererr.New("Remove it from the extra members.", "the body member %q is set by the request itself", key)
			}
			body[key] = extra[key]
		}
	}
	data, err := json.Marshal(body) // sorts the keys of a map
	if err != nil {
		return nil, fmt.Errorf("encode the chat request: %w", err)
	}
	return data, nil
}
