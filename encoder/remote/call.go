package remote

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

const (
	maxAnswer     = 256 << 20 // bytes of one answer; honest ones are far smaller
	maxMessage    = 300       // bytes of a server's message that an error repeats
	maxRetryAfter = time.Hour
)

// caller sends one request and classifies what goes wrong.
type caller struct {
	endpoint, model string
	key             mllm.Key
	timeout         time.Duration
	client          *http.Client
}

func newCaller(base string, cfg Config) caller {
	return caller{endpoint: base, model: cfg.Model, key: cfg.Key, timeout: cfg.Timeout, client: &http.Client{
		Transport: cfg.Transport,
		// A redirect would take the key and the texts elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c caller) fail(class mllm.Class, format string, args ...any) *mllm.Error {
	return &mllm.Error{Class: class, Endpoint: c.endpoint, Model: c.model, Err: errors.New(c.shorten(fmt.Sprintf(format, args...)))}
}

// missing is the user's mistake of asking for a model that is not there.
func (c caller) missing(format string, args ...any) error {
	return usererr.Wrap(c.fail(mllm.NotFound, format, args...), "name a model that the server has, or pull it there first")
}

// shorten removes the key and puts a message on one short line.
func (c caller) shorten(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(c.key.Redact(s), "?")), " ")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}

func (c caller) get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, nil, out)
}

func (c caller) post(ctx context.Context, path string, in, out any) error {
	data, err := json.Marshal(in)
	if err != nil {
		return c.fail(mllm.Refused, "writing the request: %v", err)
	}
	return c.do(ctx, http.MethodPost, path, data, out)
}

func (c caller) do(parent context.Context, method, path string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(parent, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return c.fail(mllm.Refused, "building the request: %v", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "mllmrec")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.key.Authorize(req.Header)
	res, err := c.client.Do(req)
	if err != nil {
		return c.broken(parent, ctx, "no answer", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return c.status(res)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return c.broken(parent, ctx, "the answer broke off", err)
	case len(data) > maxAnswer:
		return c.fail(mllm.BadResponse, "the answer is larger than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return c.fail(mllm.BadResponse, "the answer is not the JSON expected: %v", err)
	}
	return nil
}

// broken classifies an error of the transport: we stopped, the time is up, or the
// network.
func (c caller) broken(parent, ctx context.Context, what string, err error) error {
	if parent.Err() != nil {
		return parent.Err()
	}
	class := mllm.Network
	if ctx.Err() != nil {
		class = mllm.Timeout
	}
	var u *url.Error
	if errors.As(err, &u) { // the endpoint is named already
		err = u.Err
	}
	return c.fail(class, "%s: %v", what, err)
}

// status classifies an answer other than 200.
func (c caller) status(res *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	class, hint := mllm.Refused, ""
	switch code := res.StatusCode; {
	case code == http.StatusTooManyRequests && strings.Contains(string(data), "insufficient_quota"):
		class, hint = mllm.Auth, "the account's quota is used up"
	case code == http.StatusTooManyRequests:
		class = mllm.RateLimit
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusPaymentRequired:
		class, hint = mllm.Auth, "check the key and its permissions; it is read from the environment"
	case code == http.StatusNotFound:
		class, hint = mllm.NotFound, "check the base URL and the model's name"
	case code == http.StatusRequestTimeout:
		class = mllm.Timeout
	case code >= 500:
		class = mllm.Server
	}
	e := c.fail(class, "%s", data)
	e.Status = res.StatusCode
	if hint != "" {
		e.Err = usererr.Wrap(e.Err, hint)
	}
	e.RetryAfter, e.HasRetryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	return e
}

// retryAfter reads seconds or a date (RFC 9110 §10.2.3).
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		return time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second)), seconds >= 0
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(date.Sub(now), 0), maxRetryAfter), true
}
