// Package mllm defines how to ask servers of multimodal language models: a [Request], its
// [Response], failures ([Error] and its [Class]), and the [Client] interface. A [Pool] is a
// Client that spreads requests over several servers, within their rate limits and a budget,
// and opens a circuit breaker for a server that fails. Requests carry the questions of Eq. 1
// (description of a picture) and Eq. 3–4 (preference of a user), but this package knows
// nothing of items and users; package texts does.
//
// The clients are in mllm/ollama and mllm/openai (package wire holds what they share,
// package connect makes a pool of them), the safe preparation of pictures in mllm/image, the
// checks of answers in mllm/check, files for batch services in mllm/batch.
package mllm

import (
	"context"
	"time"
)

// Image is one picture, prepared for sending: small, upright, without metadata.
type Image struct {
	Data   []byte // encoded bytes
	MIME   string // such as image/jpeg
	SHA256 string // of Data, lower-case hex
	Width  int    // pixels; 0 if not known
	Height int    // pixels; 0 if not known
}

// Request is one question to one model.
type Request struct {
	Model       string
	System      string // system message; may be empty
	Prompt      string // user message
	Images      []Image
	MaxTokens   int     // longest answer in tokens; 0 leaves it to the server
	Temperature float64 // 0 = greedy
	Seed        int64
	// Think switches the reasoning of thinking models on or off; nil leaves it to the model.
	Think *bool
	// Extra are further members of the request's body, a JSON object, for OpenAI-compatible
	// servers; "" is none. They may not replace one that the request has.
	Extra string
	// NumCtx is the context window, in tokens, to request from servers that take one
	// (Ollama). 0 lets the client derive it from the prompt, the images and MaxTokens.
	NumCtx int
	// Timeout bounds one attempt, including reading the answer. 0 means the client's
	// default.
	Timeout time.Duration
	// ModelDigest, when set, is the digest of the weights that must answer; an answer from
	// other weights is a failure of class WrongModel. Only servers that report digests can
	// answer such a request.
	ModelDigest string
}

// Response is one answer. When Generate also returns an error, the fields known by then are
// filled, so that the tokens paid for a useless answer can be counted.
type Response struct {
	Text         string
	FinishReason string // stop | length | content_filter | as the server says
	Model        string // as the server names it
	ModelDigest  string // of the weights, where the server reports one
	Endpoint     string // of the server that answered, without credentials
	PromptTokens int    // as counted by the server; 0 = not reported
	AnswerTokens int    // as counted by the server; 0 = not reported
	NumCtx       int    // context window asked for; 0 = left to the server
	Attempts     int    // requests sent for this answer, this one included
	Seconds      float64
}

// ModelInfo is what a server reports about one model. Fields that it does not report are
// zero.
type ModelInfo struct {
	Name          string
	Digest        string
	ContextLength int // tokens
	Family        string
	Parameters    string
	Quantization  string
	Vision        bool // takes images; only meaningful if Capabilities is not empty
	Capabilities  []string
}

// ServerInfo is what a server reports about itself.
type ServerInfo struct {
	Kind     string // ollama | openai | pool
	Endpoint string
	Version  string
	Models   []ModelInfo
	// Complete says that Models are all that the server answers for. Gateways may answer for
	// more than they list.
	Complete bool
	// Unreachable lists the endpoints of a pool that did not answer.
	Unreachable []string
}

// Find returns the information about the named model.
func (s ServerInfo) Find(name string) (ModelInfo, bool) {
	if m := s.find(name); m != nil {
		return *m, true
	}
	return ModelInfo{}, false
}

func (s ServerInfo) find(name string) *ModelInfo {
	for i, m := range s.Models {
		if SameModel(name, m.Name) {
			return &s.Models[i]
		}
	}
	return nil
}

// Client asks one server, or a pool of them. It is safe for concurrent use. Every
// error it returns is, or wraps, an *Error, and carries no key.
type Client interface {
	// Generate sends one request and waits for the whole answer.
	Generate(ctx context.Context, r Request) (Response, error)
	// Describe asks the server which models it has.
	Describe(ctx context.Context) (ServerInfo, error)
	// Endpoint names the server, without credentials.
	Endpoint() string
}
