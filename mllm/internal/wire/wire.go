// Package wire sends one JSON request to a model server and reads one JSON answer,
// bounded in size and time, with every failure classified and the key kept out of it.
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
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/mllm"
)

// MaxBody bounds the answer that is read from a server, in bytes. The longest honest
// answer is a few thousand tokens; listings of models stay below too.
const MaxBody = 4 << 20

// Caller reaches one server.
type Caller struct {
	base     *url.URL
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
		return nil, usererr.New("write it like http://localhost:11434", "the base URL is not a URL")
	}
	switch {
	case u.User != nil:
		return nil, usererr.New("put the key into the environment and name the variable", "the base URL must not carry a user name or password")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, usererr.New("write it like http://localhost:11434", "base URL %q: the scheme must be http or https", baseURL)
	case u.Host == "":
		return nil, usererr.New("write it like http://localhost:11434", "base URL %q names no host", baseURL)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, usererr.New("put a key into the environment and name the variable", "the base URL must not carry a query or a fragment")
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
		base:     u,
		endpoint: u.String(),
		key:      key,
		http: &http.Client{
			Transport: transport,
			// A redirect would turn a POST into a GET, or take the key elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Endpoint returns the base URL.
func (c *Caller) Endpoint() string { return c.endpoint }

// String names the server and hides the key.
func (c *Caller) String() string { return c.endpoint }

// Fail builds a classified error of this server with the key removed from its message.
func (c *Caller) Fail(class mllm.Class, model, format string, args ...any) *mllm.Error {
	return &mllm.Error{Class: class, Endpoint: c.endpoint, Model: model,
		Err: errors.New(c.key.Redact(fmt.Sprintf(format, args...)))}
}

// Call sends in (nil for GET) to path below the base URL and decodes the answer into
// out. timeout 0 means none beyond ctx. model only labels errors.
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
		return c.broken(ctx, attempt, model, 0, "no answer", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if resp.StatusCode != http.StatusOK {
		return c.status(resp, data, model)
	}
	if err != nil {
		return c.broken(ctx, attempt, model, resp.StatusCode, fmt.Sprintf("the answer broke off after %d bytes", len(data)), err)
	}
	if len(data) > MaxBody {
		return c.bad(resp, model, "the answer is larger than %d bytes", MaxBody)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return c.bad(resp, model, "the answer is not the JSON expected: %v, in %s", err, excerpt(data))
	}
	return nil
}

func (c *Caller) bad(resp *http.Response, model, format string, args ...any) error {
	e := c.Fail(mllm.BadResponse, model, format, args...)
	e.Status = resp.StatusCode
	return e
}

// broken classifies a transport error: ours (cancelled), the clock's, or the network's.
func (c *Caller) broken(parent, attempt context.Context, model string, status int, what string, err error) error {
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
		err = ue.Err // the endpoint is named already
	}
	e := c.Fail(class, model, "%s: %v", what, err)
	e.Status = status
	return e
}

// status classifies an answer other than 200.
func (c *Caller) status(resp *http.Response, body []byte, model string) error {
	message := errorMessage(body)
	e := c.Fail(classOfStatus(resp.StatusCode, message), model, "%s", message)
	e.Status = resp.StatusCode
	if location := resp.Header.Get("Location"); location != "" && resp.StatusCode/100 == 3 {
		e.Err = usererr.New("give the address it points to as the base URL", "the server redirects to %s; requests are not redirected", c.key.Redact(location))
	}
	e.RetryAfter, e.HasRetryAfter = retryAfter(resp.Header, time.Now())
	switch e.Class {
	case mllm.Auth:
		e.Err = usererr.Wrap(e.Err, "check the key, its permissions and the account's quota; the key is read from the environment")
	case mllm.NotFound:
		e.Err = usererr.Wrap(e.Err, "check the base URL and the model's name; the server must have the model already")
	}
	return e
}

func classOfStatus(status int, message string) mllm.Class {
	message = strings.ToLower(message)
	switch {
	case status == http.StatusTooManyRequests && strings.Contains(message, "insufficient_quota"):
		return mllm.Auth // waiting does not mend it
	case status == http.StatusTooManyRequests:
		return mllm.RateLimit
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusPaymentRequired:
		return mllm.Auth
	case status == http.StatusNotFound:
		return mllm.NotFound
	case status == http.StatusRequestTimeout:
		return mllm.Timeout
	case status >= 500:
		return mllm.Server
	case status/100 == 4 && tooLongForModel(message):
		return mllm.PromptCut
	case status/100 == 2:
		return mllm.BadResponse
	}
	return mllm.Refused
}

// tooLongForModel recognises how servers say that a prompt exceeds the context.
func tooLongForModel(message string) bool {
	for _, sign := range []string{"context_length_exceeded", "maximum context length", "exceed_context_size",
		"exceeds the available context", "longer than the maximum model length", "exceeds context length", "input length exceeds"} {
		if strings.Contains(message, sign) {
			return true
		}
	}
	return false
}

// errorMessage finds the message in the error bodies of Ollama ({"error":"…"}), OpenAI
// ({"error":{"message","type","code"}}) and others; anything else is shown as it came.
func errorMessage(body []byte) string {
	var outer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  any             `json:"detail"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return excerpt(body)
	}
	if message := ErrorText(outer.Error); message != "" {
		return message
	}
	switch {
	case outer.Message != "":
		return excerpt([]byte(outer.Message))
	case outer.Detail != nil:
		return excerpt(fmt.Append(nil, outer.Detail))
	}
	return excerpt(body)
}

// ErrorText returns the text of an "error" member, a string or an object; "" if there
// is none.
func ErrorText(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return excerpt([]byte(text))
	}
	var obj struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Code    any    `json:"code"`
	}
	if json.Unmarshal(raw, &obj) != nil || obj.Message == "" {
		return excerpt(raw)
	}
	message := obj.Message
	if obj.Code != nil {
		message = fmt.Sprintf("%s (%v)", message, obj.Code)
	} else if obj.Type != "" {
		message = fmt.Sprintf("%s (%s)", message, obj.Type)
	}
	return excerpt([]byte(message))
}

// excerpt shortens a body for an error message, on one line.
func excerpt(body []byte) string {
	const most = 300
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 4*most)]), "�")), " ")
	if s == "" {
		return "an empty body"
	}
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// retryAfter reads Retry-After (seconds, whole or fractional, or an HTTP date; RFC 9110
// §10.2.3). A date in the past means now; waits are capped at an hour, since a clock that
// is wrong by days must not stop a run for days.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	const most = time.Hour
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds >= 0) {
			return 0, false
		}
		return time.Duration(min(seconds, most.Seconds()) * float64(time.Second)), true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(date.Sub(now), 0), most), true
}
