// Package remote encodes texts by an embedding server: OpenAI-compatible /v1/embeddings,
// Ollama's /api/embed or Hugging Face's text-embeddings-inference /embed. It takes the place
// of the sentence encoder of Eq. 5 and 13.
//
// Texts are sent in batches, several at a time. Failed requests are sent again by the rules of
// mllm.Retry, after the pause that the server asks for. An answer must have one vector for
// each text, all of the same length, with finite numbers.
package remote

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/wire"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Kinds lists the kinds of servers.
func Kinds() []string { return []string{"openai", "ollama", "tei"} }

// Config describes a server and how it may be used. The zero value of a number means
// its default.
type Config struct {
	BaseURL           string   // "http://localhost:11434"; for openai with /v1
	Model             string   // needed by openai and ollama; a tei server has one model
	Key               mllm.Key // from mllm.KeyFromEnv
	Prefix            string   // put before each text: "query: " for E5
	Dimensions        int      // ask for shorter vectors (openai only); 0: the model's own
	Truncate          bool     // let the server cut texts that are too long for the model; else they are an error
	Batch             int      // texts a request; 32
	Concurrency       int      // requests in flight; 4
	RequestsPerMinute float64  // 0: no limit
	Timeout           time.Duration
	Retries           int           // further tries of a request; 5, negative: none
	Backoff           time.Duration // before the first of them, doubled each time up to a minute; 1 s
	Transport         http.RoundTripper
}

const (
	defaultBatch       = 32
	defaultConcurrency = 4
	defaultTimeout     = 2 * time.Minute
	defaultRetries     = 5
	maxBackoff         = time.Minute
)

// Client is an encoder.Encoder. It is safe for concurrent use.
type Client struct {
	cfg     Config
	kind    dialect
	wire    *wire.Caller
	limiter *rate.Limiter
	dim     int
	id      string

	mu          sync.Mutex
	pausedUntil time.Time // the server asked to wait until then
}

// Open contacts a server of the given kind and asks for its weights' digest and for the length
// of its vectors.
func Open(ctx context.Context, kind string, cfg Config) (*Client, error) {
	c, err := newClient(kind, cfg)
	if err != nil {
		return nil, err
	}
	digest, err := c.describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the embedding server for its models: %w", err)
	}
	probe, err := c.send(ctx, []string{"dimension"})
	if err != nil {
		return nil, fmt.Errorf("ask the embedding server for a vector: %w", err)
	}
	c.dim = len(probe[0])
	if cfg.Dimensions > 0 && c.dim != cfg.Dimensions {
		return nil, usererr.New("Leave the number of dimensions out, or choose a model that can shorten its vectors.",
			"%s: %d dimensions asked for, %d came", c.wire.Endpoint(), cfg.Dimensions, c.dim)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%d\n%t\n%q", kind, c.wire.Endpoint(), c.cfg.Model, digest, c.dim, cfg.Truncate, cfg.Prefix))
	c.id = fmt.Sprintf("%s/1 %s sha256:%x", kind, c.cfg.Model, sum)
	return c, nil
}

func newClient(kind string, cfg Config) (*Client, error) {
	d, ok := dialects[kind]
	if !ok {
		return nil, usererr.New("", "unknown kind of embedding server %q; valid: %s", kind, strings.Join(Kinds(), ", "))
	}
	if d.needsModel && cfg.Model == "" {
		return nil, usererr.New("Name the model that the server has.", "no embedding model is named")
	}
	if cfg.Dimensions != 0 && !d.dimensions {
		return nil, usererr.New("Leave the number of dimensions out.", "a server of kind %s cannot shorten vectors", kind)
	}
	if cfg.Truncate && !d.truncates {
		return nil, usererr.New("Shorten the texts.", "a server of kind %s cannot be asked to cut long texts", kind)
	}
	if cfg.Dimensions < 0 || cfg.Batch < 0 || cfg.Concurrency < 0 || cfg.RequestsPerMinute < 0 || cfg.Timeout < 0 || cfg.Backoff < 0 {
		return nil, usererr.New("", "a negative number in the settings of the embedding server")
	}
	if kind == "openai" {
		cfg.BaseURL = wire.OpenAIRoot(cfg.BaseURL)
	}
	w, err := wire.New(cfg.BaseURL, cfg.Key, cfg.Transport)
	if err != nil {
		return nil, err
	}
	w.MaxBody = maxAnswer
	orDefault(&cfg.Batch, defaultBatch)
	orDefault(&cfg.Concurrency, defaultConcurrency)
	orDefault(&cfg.Retries, defaultRetries)
	orDefault(&cfg.Timeout, defaultTimeout)
	orDefault(&cfg.Backoff, time.Second)
	limit := rate.Inf
	if cfg.RequestsPerMinute > 0 {
		limit = rate.Limit(cfg.RequestsPerMinute / 60)
	}
	return &Client{cfg: cfg, kind: d, wire: w, limiter: rate.NewLimiter(limit, 1)}, nil
}

func orDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// Dim returns the length of a vector.
func (c *Client) Dim() int { return c.dim }

// ID names the server, the model, its weights if the server reports them, and the settings.
func (c *Client) ID() string { return c.id }

// Encode returns a len(texts)×Dim matrix as the server sent it. An empty text is sent as
// a space, since servers refuse empty ones.
func (c *Client) Encode(ctx context.Context, texts []string) (*tensor.Matrix, error) {
	out := tensor.New(len(texts), c.dim)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(c.cfg.Concurrency)
	for lo := 0; lo < len(texts) && inner.Err() == nil; lo += c.cfg.Batch {
		hi := min(lo+c.cfg.Batch, len(texts))
		group.Go(func() error { return c.batch(inner, texts, lo, hi, out) })
	}
	err := group.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("encode texts: %w", err)
	}
	return out, nil
}

// batch encodes texts [lo,hi). If the server refuses the request, batch splits it in halves
// until it has found the text that is refused.
func (c *Client) batch(ctx context.Context, texts []string, lo, hi int, out *tensor.Matrix) error {
	inputs := make([]string, hi-lo)
	for i, text := range texts[lo:hi] {
		inputs[i] = c.cfg.Prefix + text
		if inputs[i] == "" {
			inputs[i] = " "
		}
	}
	vectors, err := c.send(ctx, inputs)
	var failure *mllm.Error
	if errors.As(err, &failure) && (failure.Class == mllm.Refused || failure.Class == mllm.PromptCut) {
		if hi-lo > 1 {
			mid := (lo + hi) / 2
			if err := c.batch(ctx, texts, lo, mid, out); err != nil {
				return err
			}
			return c.batch(ctx, texts, mid, hi, out)
		}
		return usererr.Wrap(fmt.Errorf("text %d (%d characters): %w", lo, len([]rune(texts[lo])), err),
			"Shorten the text, or let the server cut it if it can (truncate).")
	}
	if err != nil {
		return err
	}
	for i, v := range vectors {
		if len(v) != c.dim {
			return c.fail(mllm.BadResponse, "text %d has a vector of %d numbers, others of %d", lo+i, len(v), c.dim)
		}
		copy(out.Row(lo+i), v)
	}
	return nil
}

// send asks for the vectors of one batch, with retries.
func (c *Client) send(ctx context.Context, inputs []string) ([]vector, error) {
	var vectors []vector
	err := c.retry(ctx, func() error {
		var err error
		vectors, err = c.kind.embed(ctx, c, inputs)
		if err != nil {
			return err
		}
		return c.check(vectors, len(inputs))
	})
	return vectors, err
}

func (c *Client) check(vectors []vector, want int) error {
	if len(vectors) != want {
		return c.fail(mllm.BadResponse, "%d vectors came for %d texts", len(vectors), want)
	}
	for i, v := range vectors {
		if len(v) == 0 || len(v) != len(vectors[0]) {
			return c.fail(mllm.BadResponse, "vector %d has %d numbers, the first %d", i, len(v), len(vectors[0]))
		}
	}
	return nil
}

// retry calls try until it succeeds, fails finally, or the attempts are used up.
func (c *Client) retry(ctx context.Context, try func() error) error {
	retry := mllm.Retry{Attempts: 1 + max(c.cfg.Retries, 0), Backoff: c.cfg.Backoff, MaxBackoff: maxBackoff}
	return retry.Do(ctx, func(int) (mllm.Next, error) {
		err := c.waitTurn(ctx)
		if err == nil {
			err = try()
		}
		if err == nil || ctx.Err() != nil || !mllm.ClassOf(err).Transient() {
			return mllm.GiveUp, err
		}
		var failure *mllm.Error
		if errors.As(err, &failure) && failure.HasRetryAfter {
			c.pause(failure.RetryAfter)
			return mllm.AfterPause, err
		}
		return mllm.AfterBackoff, err
	})
}

// pause keeps all requests back for a while.
func (c *Client) pause(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := time.Now().Add(d); until.After(c.pausedUntil) {
		c.pausedUntil = until
	}
}

// waitTurn waits until the server's pause is over and the rate limit lets a request pass.
func (c *Client) waitTurn(ctx context.Context) error {
	c.mu.Lock()
	until := c.pausedUntil
	c.mu.Unlock()
	if err := mllm.Sleep(ctx, time.Until(until)); err != nil {
		return err
	}
	return c.limiter.Wait(ctx)
}
