// Package wire sends a JSON request over HTTP to a model server and reads its JSON answer,
// for the clients of chat and embedding servers. It bounds the size and the time of an
// answer, gives every failure its class, and keeps the API key out of errors.
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// maxBody is the default of Caller.MaxBody. Answers of language models have at most a few
// thousand tokens, and lists of models are shorter too.
const maxBody = 4 << 20

// quotedBytes is how many bytes of an answer that is not JSON an error quotes at most, before
// it is shortened.
const quotedBytes = 64 << 10

// Caller reaches one server.
type Caller struct {
	MaxBody int64 // longest answer, in bytes

	endpoint string
	key      mllm.Key
	http     *http.Client
}

// New checks baseURL and returns a Caller for it. A nil transport means one made for
// many requests in flight to one host.
func New(baseURL string, key mllm.Key, transport http.RoundTripper) (*Caller, error) {
	u, err := url.Parse(strings.TrimSpace(baseURL))
	if err != nil {
		// The parser's message repeats the URL, which may hold a password.
		return nil, usererr.New("Write it like http://localhost:11434.", "the base URL is not a URL")
	}
	switch {
	case u.User != nil:
		return nil, usererr.New("Put the key into an environment variable and name that variable.", "the base URL must not carry a user name or password")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, usererr.New("Write it like http://localhost:11434.", "base URL %q: the scheme must be http or https", baseURL)
	case u.Host == "":
		return nil, usererr.New("Write it like http://localhost:11434.", "base URL %q names no host", baseURL)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, usererr.New("Put the key into an environment variable and name that variable.", "the base URL must not carry a query or a fragment")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConns = 0
		t.MaxIdleConnsPerHost = 1024 // the default of 2 would reconnect for nearly every request
		transport = t
	}
	return &Caller{
		MaxBody:  maxBody,
		endpoint: u.String(),
		key:      key,
		http: &http.Client{
			Transport: transport,
			// A redirect would turn a POST into a GET, or send the key to another server.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// OpenAIRoot is the address below which an OpenAI-compatible server has /chat/completions,
// /models and /embeddings: what the user gave, since many have it at a path of their own;
// below /v1 where the address is a bare host.
func OpenAIRoot(baseURL string) string {
	baseURL = strings.TrimRight(strings.TrimSpace(baseURL), "/")
	if u, err := url.Parse(baseURL); err == nil && u.Host != "" && u.Path == "" && u.RawQuery == "" && u.Fragment == "" {
		return baseURL + "/v1"
	}
	return baseURL
}

// Endpoint returns the base URL.
func (c *Caller) Endpoint() string { return c.endpoint }

// String names the server and hides the key.
func (c *Caller) String() string { return c.endpoint }

// Fail makes an error of the given class of this server. It removes the key from the message
// before shortening it, so that no part of the key remains.
func (c *Caller) Fail(class mllm.Class, model, format string, args ...any) *mllm.Error {
	return &mllm.Error{Class: class, Endpoint: c.endpoint, Model: model,
		Err: errors.New(Excerpt(c.key.Redact(fmt.Sprintf(format, args...))))}
}

// Call sends in to path below the base URL, by GET if in is nil, else by POST, and decodes
// the answer into out. A timeout of 0 means none but that of ctx. model is for errors.
func (c *Caller) Call(ctx context.Context, timeout time.Duration, path, model string, in, out any) error {
	attempt := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		attempt, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	method, body := http.MethodGet, io.Reader(nil)
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return c.Fail(mllm.Refused, model, "encode the request: %v", err)
		}
		method, body = http.MethodPost, bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(attempt, method, c.endpoint+path, body)
	if err != nil {
		return c.Fail(mllm.Refused, model, "build the request: %v", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "mllmrec")
	c.key.Authorize(req.Header)

	resp, err := c.http.Do(req)
	if err != nil {
		return c.transportError(ctx, attempt, model, 0, "no answer", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, c.MaxBody+1))
	if resp.StatusCode != http.StatusOK {
		return c.statusError(resp, data, model)
	}
	if err != nil {
		return c.transportError(ctx, attempt, model, resp.StatusCode, fmt.Sprintf("the answer broke off after %d bytes", len(data)), err)
	}
	if int64(len(data)) > c.MaxBody {
		return c.badResponse(resp, model, "the answer is larger than %d bytes", c.MaxBody)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return c.badResponse(resp, model, "the answer is not the JSON expected: %v, in %s", err, data[:min(len(data), quotedBytes)])
	}
	secret.Clean(out) // decoded, so that no escape hides a key that the server repeats
	return nil
}

func (c *Caller) badResponse(resp *http.Response, model, format string, args ...any) error {
	e := c.Fail(mllm.BadResponse, model, format, args...)
	e.Status = resp.StatusCode
	return e
}

// transportError gives an error of the transport its class: Cancelled, Timeout or Network.
func (c *Caller) transportError(parent, attempt context.Context, model string, status int, what string, err error) error {
	class := mllm.Network
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(parent.Err(), context.Canceled):
		class = mllm.Cancelled
	case attempt.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		class = mllm.Timeout
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // the error names the endpoint already
	}
	e := c.Fail(class, model, "%s: %v", what, err)
	e.Status = status
	return e
}

// statusError makes an error of an HTTP status other than 200.
func (c *Caller) statusError(resp *http.Response, body []byte, model string) error {
	e := StatusError(resp.StatusCode, body, c.key)
	e.Endpoint, e.Model = c.endpoint, model
	if location := resp.Header.Get("Location"); location != "" && resp.StatusCode/100 == 3 {
		e.Err = usererr.New("Give the address it points to as the base URL.", "the server redirects to %s; requests are not redirected", c.key.Redact(location))
	}
	e.RetryAfter, e.HasRetryAfter = retryAfter(resp.Header, time.Now())
	return e
}
