// Package mllm speaks to servers of multimodal language models: what to ask
// (Request), what came back (Response), what went wrong (Error and its Class), and a
// Pool that spreads requests over several servers within their limits. It carries the
// calls of Eq. 1 (image description) and Eq. 3–4 (user preference) of the paper but
// knows nothing of items, users or recommendation; package reason does.
//
// The clients themselves live in mllm/ollama and mllm/openai, the safe preparation of
// pictures in mllm/image, the checks of an answer in mllm/check, files for batch
// services in mllm/batch.
package mllm

import (
	"context"
	"time"
)

// Image is one picture, ready to be sent: small, upright, free of metadata.
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
	// NumCtx is the context window to ask of servers that take one (Ollama). 0 lets the
	// client derive it from the prompt, the images and MaxTokens.
	NumCtx int
	// Timeout bounds one attempt, the reading of the answer included. 0 means the
	// client's own default.
	Timeout time.Duration
	// ModelDigest, when set, is the digest of the weights that must answer; an answer
	// from others is a wrong-model failure. Only servers that report digests can meet it.
	ModelDigest string
}

// Response is one answer. When Generate returns an error beside it, the fields known
// by then are still filled, so that tokens paid for a useless answer can be booked.
type Response struct {
	Text         string
	FinishReason string // stop | length | content_filter | as the server says
	Model        string // as the server names it
	ModelDigest  string // of the weights, where the server reports one
	Endpoint     string // who answered, without credentials
	PromptTokens int    // as counted by the server; 0 = not reported
	AnswerTokens int    // as counted by the server; 0 = not reported
	NumCtx       int    // context window asked for; 0 = left to the server
	Attempts     int    // requests sent for this answer, this one included
	Seconds      float64
}

// ModelInfo is what a server tells about one model. Fields it does not tell are zero.
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

// ServerInfo is what a server tells about itself.
type ServerInfo struct {
	Kind     string // ollama | openai | pool
	Endpoint string
	Version  string
	Models   []ModelInfo
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
