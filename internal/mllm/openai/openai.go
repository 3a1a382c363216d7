// Package openai is a client of OpenAI-compatible servers (chat/completions with
// image parts, models): vLLM, SGLang, llama.cpp's server, LM Studio, and hosted
// services. Do not use it for Ollama, whose OpenAI-compatible route cuts long prompts and
// does not report it; use package ollama.
package openai

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/wire"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// defaultTimeout bounds one attempt unless the request sets a timeout.
const defaultTimeout = 5 * time.Minute

// Config configures a Client.
type Config struct {
	BaseURL  string        // such as http://localhost:8000; a bare host is asked below /v1
	Key      mllm.Key      // sent as a bearer token
	Timeout  time.Duration // of one attempt; 0 = DefaultTimeout
	PerImage int           // tokens a picture, for the estimate; 0 = mllm.ImageTokens
	Body     BodyOptions
	// Aliases are further names that the server may give the requested model in answers.
	Aliases []string
	// AnyModel accepts an answer whatever model it names.
	AnyModel  bool
	Transport http.RoundTripper // nil = one made for many requests in flight
}

// Client asks one server. It is safe for concurrent use.
type Client struct {
	wire *wire.Caller
	cfg  Config
	root string // of its routes below the endpoint: /v1, or nothing

	mu         sync.Mutex
	estimators map[string]*mllm.Estimator
	notes      []string
}

var _ mllm.Client = (*Client)(nil)

// New checks the configuration and returns a Client. It does not contact the server.
func New(cfg Config) (*Client, error) {
	if strings.TrimSpace(cfg.BaseURL) == "" {
		return nil, usererr.New("Give the server's address, such as http://localhost:8000.", "no base URL for the OpenAI-compatible server")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if _, err := Body(mllm.Request{MaxTokens: 1}, cfg.Body); err != nil {
		return nil, err
	}
	base, below := strings.CutSuffix(wire.OpenAIRoot(cfg.BaseURL), "/v1")
	w, err := wire.New(base, cfg.Key, cfg.Transport)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(strings.ToLower(w.Endpoint()), "//api.openai.com") {
		cfg.Body.CompletionTokens = true
	}
	c := &Client{wire: w, cfg: cfg, estimators: map[string]*mllm.Estimator{}}
	if below {
		c.root = "/v1"
	}
	return c, nil
}

// Endpoint returns the server's base URL, without /v1.
func (c *Client) Endpoint() string { return c.wire.Endpoint() }

// String names the client and hides the key.
func (c *Client) String() string { return "openai " + c.wire.Endpoint() }

// Generate implements mllm.Client. r.NumCtx is an error, since these servers set the context
// window when they start, and so is r.ModelDigest, since they report no digests. Both errors
// have class NotFound: this server cannot answer any such request.
func (c *Client) Generate(ctx context.Context, r mllm.Request) (mllm.Response, error) {
	start := time.Now()
	resp := mllm.Response{Endpoint: c.Endpoint()}
	if r.NumCtx != 0 {
		return resp, c.wire.Fail(mllm.NotFound, r.Model, "an OpenAI-compatible server takes no context window (num_ctx) with a request")
	}
	if r.ModelDigest != "" {
		return resp, c.wire.Fail(mllm.NotFound, r.Model, "an OpenAI-compatible server reports no digest, and these weights are wanted: %s", r.ModelDigest)
	}
	timeout := r.Timeout
	if timeout == 0 {
		timeout = c.cfg.Timeout
	}
	var out completion
	for {
		opt := c.bodyOptions()
		body, err := Body(r, opt)
		if err != nil {
			return resp, c.label(fail(mllm.Refused, "%w", err), r.Model)
		}
		resp.Attempts++
		err = c.wire.Call(ctx, timeout, c.root+"/chat/completions", r.Model, body, &out)
		if err == nil {
			break
		}
		if !c.adapt(opt, err) { // each refusal that teaches changes what is sent: this ends
			resp.Seconds = time.Since(start).Seconds()
			return resp, err
		}
	}
	sent := resp.Attempts
	resp, err := out.response()
	resp.Endpoint, resp.Attempts, resp.Seconds = c.Endpoint(), sent, time.Since(start).Seconds()
	if cut := c.judge(r, resp, mllm.ClassOf(err)); cut != nil {
		err = cut
	}
	if err != nil {
		return resp, c.label(err, r.Model)
	}
	return resp, nil
}

// judge finds why a well-formed answer is unusable, apart from its text.
func (c *Client) judge(r mllm.Request, resp mllm.Response, class mllm.Class) error {
	if class == mllm.BadResponse || class == mllm.Server {
		return nil // nothing to judge
	}
	if !c.accepts(r.Model, resp.Model) {
		return fail(mllm.WrongModel, "model %q answered", resp.Model)
	}
	e := c.estimator(r.Model)
	if mllm.PromptWasCut(r, resp.PromptTokens, 0) {
		return fail(mllm.PromptCut, "the server read %d tokens of a prompt estimated at %d", resp.PromptTokens, e.Prompt(r))
	}
	e.Observe(r, resp.PromptTokens)
	return nil
}

// accepts reports whether an answer by the named model is accepted. Some servers name none.
func (c *Client) accepts(wanted, answered string) bool {
	if c.cfg.AnyModel || answered == "" || mllm.SameModel(wanted, answered) {
		return true
	}
	for _, alias := range c.cfg.Aliases {
		if mllm.SameModel(alias, answered) {
			return true
		}
	}
	return false
}

// label adds the endpoint and the model to an error, and removes the key from it.
func (c *Client) label(err error, model string) error {
	var e *mllm.Error
	if !errors.As(err, &e) {
		return c.wire.Fail(mllm.BadResponse, model, "%v", err)
	}
	out := c.wire.Fail(e.Class, model, "%v", e.Err)
	out.Status = e.Status
	return out
}

func (c *Client) estimator(model string) *mllm.Estimator {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.estimators[model]
	if e == nil {
		e = &mllm.Estimator{PerImage: c.cfg.PerImage}
		c.estimators[model] = e
	}
	return e
}
