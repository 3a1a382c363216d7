// Package ollama is a client of Ollama's native API (/api/chat, /api/show, /api/tags).
//
// It uses the native API because Ollama's OpenAI-compatible one ignores num_ctx: it cuts a
// prompt longer than the default context window and answers with HTTP 200. This client
// derives the window from the prompt, and compares the server's count of prompt tokens with
// its own estimate; a prompt that was cut is a failure.
package ollama

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/wire"
)

// Defaults of the paper and of the server.
const (
	DefaultURL     = "http://localhost:11434"
	DefaultModel   = "gemma3:27b"
	defaultTimeout = 10 * time.Minute
)

// infoLifetime is how long what the server reported about a model is used.
const infoLifetime = 5 * time.Minute

// Config configures a Client. The zero value reaches a server on this machine.
type Config struct {
	BaseURL  string        // "" = DefaultURL
	Key      mllm.Key      // for servers behind a gateway; usually none
	Timeout  time.Duration // of one attempt, unless the request says otherwise; 0 = DefaultTimeout
	PerImage int           // tokens a picture, for the estimate; 0 = mllm.ImageTokens
	// MaxNumCtx is the largest window requested, in tokens; 0 = the model's context length.
	MaxNumCtx int
	// KeepAlive is how long the server keeps the model loaded after a request, such as
	// "30m"; "" leaves it to the server.
	KeepAlive string
	Transport http.RoundTripper // nil = one made for many requests in flight
}

// Client asks one Ollama server. It is safe for concurrent use.
type Client struct {
	wire *wire.Caller
	cfg  Config

	mu     sync.Mutex
	models map[string]*model // by requested name
}

// model is what the client knows of one model.
type model struct {
	estimator mllm.Estimator

	mu      sync.Mutex
	known   mllm.ModelInfo
	fetched time.Time
	asking  *lookup // nil unless the server is being asked now
	next    *lookup // the question that confirms answers which have come; nil: none waits
	numCtx  int     // largest window requested so far: a smaller one would make the server reload the model

	confirming bool // answers are being confirmed
}

var _ mllm.Client = (*Client)(nil)

// New checks the configuration and returns a Client. It does not contact the server.
func New(cfg Config) (*Client, error) {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultURL
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	w, err := wire.New(cfg.BaseURL, cfg.Key, cfg.Transport)
	if err != nil {
		return nil, err
	}
	return &Client{wire: w, cfg: cfg, models: map[string]*model{}}, nil
}

// Endpoint returns the server's base URL.
func (c *Client) Endpoint() string { return c.wire.Endpoint() }

// String names the client.
func (c *Client) String() string { return "ollama " + c.wire.Endpoint() }

type chatRequest struct {
	Model     string         `json:"model"`
	Messages  []message      `json:"messages"`
	Stream    bool           `json:"stream"`
	Options   map[string]any `json:"options"`
	KeepAlive string         `json:"keep_alive,omitempty"`
	Think     *bool          `json:"think,omitempty"`
	// With these, newer servers report a prompt that does not fit instead of cutting it;
	// others ignore them.
	Truncate bool `json:"truncate"`
	Shift    bool `json:"shift"`
}

type message struct {
	Role    string   `json:"role"`
	Content string   `json:"content"`
	Images  [][]byte `json:"images,omitempty"` // base64 in JSON
}

type chatResponse struct {
	Model           wire.Word       `json:"model"`
	Message         message         `json:"message"`
	Done            bool            `json:"done"`
	DoneReason      wire.Word       `json:"done_reason"`
	PromptEvalCount wire.Count      `json:"prompt_eval_count"`
	EvalCount       wire.Count      `json:"eval_count"`
	Error           json.RawMessage `json:"error"`
}

// Generate implements mllm.Client. If the window was too small, it sends the request again
// with a window of twice the size, up to the model's context length. It does not change a
// window set by r.NumCtx.
func (c *Client) Generate(ctx context.Context, r mllm.Request) (mllm.Response, error) {
	start := time.Now()
	if r.Extra != "" {
		return mllm.Response{Endpoint: c.Endpoint()}, c.wire.Fail(mllm.NotFound, r.Model, "Ollama takes no further members of a request's body")
	}
	m := c.model(r.Model)
	info, err := c.info(ctx, m, r.Model)
	if err != nil {
		return mllm.Response{Endpoint: c.Endpoint()}, err
	}
	if r.ModelDigest != "" && info.Digest != r.ModelDigest {
		return mllm.Response{Endpoint: c.Endpoint(), ModelDigest: info.Digest},
			c.otherWeights(r.Model, "the server's weights have digest %s, %s is wanted", short(info.Digest), short(r.ModelDigest))
	}
	limit := c.limit(info)
	window, fixed := r.NumCtx, r.NumCtx > 0
	if !fixed {
		if floor := mllm.FloorTokens(r.System) + mllm.FloorTokens(r.Prompt) + r.MaxTokens; limit > 0 && floor > limit {
			return mllm.Response{Endpoint: c.Endpoint()}, c.wire.Fail(mllm.PromptCut, r.Model,
				"prompt and answer need at least %d tokens, the window ends at %d", floor, limit)
		}
		window = m.window(r, limit)
	}
	var sent, promptTokens, answerTokens int
	for {
		resp, err := c.ask(ctx, m, r, window)
		sent++
		// Count the tokens of discarded attempts too.
		promptTokens, answerTokens = promptTokens+resp.PromptTokens, answerTokens+resp.AnswerTokens
		resp.Attempts, resp.ModelDigest, resp.Seconds = sent, info.Digest, time.Since(start).Seconds()
		if err == nil && info.Digest != "" {
			err = c.confirm(ctx, m, r.Model, info.Digest)
		}
		if mllm.ClassOf(err) != mllm.PromptCut {
			return resp, err
		}
		larger := 2 * window
		if limit > 0 {
			larger = min(larger, limit)
		}
		// If the count is far below the window, a larger window does not help.
		full := resp.PromptTokens+resp.AnswerTokens >= window-1
		if fixed || !full || larger <= window || limit == 0 {
			resp.PromptTokens, resp.AnswerTokens = promptTokens, answerTokens
			return resp, err
		}
		window = m.raise(larger)
	}
}

// ask sends one chat request with the given window.
func (c *Client) ask(ctx context.Context, m *model, r mllm.Request, window int) (mllm.Response, error) {
	options := map[string]any{"temperature": r.Temperature, "seed": r.Seed, "num_ctx": window}
	if r.MaxTokens > 0 {
		options["num_predict"] = r.MaxTokens
	}
	in := chatRequest{Model: r.Model, Options: options, KeepAlive: c.cfg.KeepAlive, Think: r.Think}
	if r.System != "" {
		in.Messages = append(in.Messages, message{Role: "system", Content: plain(r.System)})
	}
	user := message{Role: "user", Content: plain(r.Prompt)}
	for _, img := range r.Images {
		user.Images = append(user.Images, img.Data)
	}
	in.Messages = append(in.Messages, user)

	timeout := r.Timeout
	if timeout == 0 {
		timeout = c.cfg.Timeout
	}
	var out chatResponse
	resp := mllm.Response{Endpoint: c.Endpoint(), NumCtx: window}
	if err := c.wire.Call(ctx, timeout, "/api/chat", r.Model, in, &out); err != nil {
		return resp, err
	}
	resp.Text, resp.FinishReason, resp.Model = out.Message.Content, string(out.DoneReason), string(out.Model)
	resp.PromptTokens, resp.AnswerTokens = int(out.PromptEvalCount), int(out.EvalCount)
	return resp, c.judge(m, r, out, window)
}

// judge finds why a well-formed answer is unusable.
func (c *Client) judge(m *model, r mllm.Request, out chatResponse, window int) error {
	prompt, answer := int(out.PromptEvalCount), int(out.EvalCount)
	said := wire.ErrorText(out.Error)
	switch {
	case said != "":
		return c.wire.Fail(mllm.Server, r.Model, "%s", said)
	case !out.Done:
		return c.wire.Fail(mllm.BadResponse, r.Model, "the answer is not marked as done")
	case out.Model != "" && !mllm.SameModel(r.Model, string(out.Model)): // some gateways name none
		return c.wire.Fail(mllm.WrongModel, r.Model, "model %q answered", string(out.Model))
	case mllm.PromptWasCut(r, prompt, window):
		return c.wire.Fail(mllm.PromptCut, r.Model, "the server read %d tokens of a prompt estimated at %d, in a window of %d",
			prompt, m.estimator.Prompt(r), window)
	case prompt+answer > window:
		return c.wire.Fail(mllm.PromptCut, r.Model, "prompt (%d tokens) and answer (%d) overran the window of %d: the server dropped part of the prompt",
			prompt, answer, window)
	}
	m.estimator.Observe(r, prompt)
	class, why := mllm.Ending(string(out.DoneReason))
	blank := strings.TrimSpace(out.Message.Content) == ""
	switch {
	case class == mllm.CutOff && blank:
		return c.wire.Fail(mllm.CutOff, r.Model, "no text: %s", why)
	case class != "" && class != mllm.CutOff: // that of a limit is for the checks of the text, which may find more
		return c.wire.Fail(class, r.Model, "%s", why)
	case blank:
		return c.wire.Fail(mllm.Empty, r.Model, "the answer is empty")
	}
	return nil
}

func (c *Client) limit(info mllm.ModelInfo) int {
	if c.cfg.MaxNumCtx > 0 && (info.ContextLength == 0 || c.cfg.MaxNumCtx < info.ContextLength) {
		return c.cfg.MaxNumCtx
	}
	return info.ContextLength
}

// imageTag matches the server's mark for the place of a picture inside a prompt. In the text
// of an item it would move a picture or make the server fail.
var imageTag = regexp.MustCompile(`\[(img(?:-\d+)?)\]`)

func plain(s string) string {
	if !strings.Contains(s, "[img") { // nearly always; the regular expression takes longer than encoding the request
		return s
	}
	return imageTag.ReplaceAllString(s, "($1)")
}

func short(digest string) string {
	if digest == "" {
		return "unknown"
	}
	return digest[:min(12, len(digest))]
}
