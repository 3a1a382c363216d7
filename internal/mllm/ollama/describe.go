package ollama

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const listTimeout = 30 * time.Second

type tagsResponse struct {
	Models []tag `json:"models"`
}

type tag struct {
	Name    string  `json:"name"`
	Model   string  `json:"model"`
	Digest  string  `json:"digest"`
	Details details `json:"details"`
}

type details struct {
	Family        string `json:"family"`
	ParameterSize string `json:"parameter_size"`
	Quantization  string `json:"quantization_level"`
}

type showResponse struct {
	Details      details        `json:"details"`
	ModelInfo    map[string]any `json:"model_info"`
	Capabilities []string       `json:"capabilities"`
}

// Describe lists the server's models with digest, context length and capabilities. A model
// that the server lists but cannot show, because it is damaged, has the digest only.
func (c *Client) Describe(ctx context.Context) (mllm.ServerInfo, error) {
	info := mllm.ServerInfo{Kind: "ollama", Endpoint: c.Endpoint(), Complete: true}
	var version struct {
		Version string `json:"version"`
	}
	if err := c.wire.Call(ctx, listTimeout, "/api/version", "", nil, &version); err != nil {
		return info, err
	}
	info.Version = version.Version
	var tags tagsResponse
	if err := c.wire.Call(ctx, listTimeout, "/api/tags", "", nil, &tags); err != nil {
		return info, err
	}
	for _, t := range tags.Models {
		m := t.info()
		if err := c.show(ctx, &m); err != nil && mllm.ClassOf(err) != mllm.Server && mllm.ClassOf(err) != mllm.NotFound {
			return info, err
		}
		info.Models = append(info.Models, m)
	}
	return info, nil
}

func (t tag) info() mllm.ModelInfo {
	name := t.Model
	if name == "" {
		name = t.Name
	}
	return mllm.ModelInfo{Name: name, Digest: t.Digest, Family: t.Details.Family,
		Parameters: t.Details.ParameterSize, Quantization: t.Details.Quantization}
}

// show adds what /api/show reports: context length and capabilities.
func (c *Client) show(ctx context.Context, m *mllm.ModelInfo) error {
	var out showResponse
	if err := c.wire.Call(ctx, listTimeout, "/api/show", m.Name, map[string]string{"model": m.Name}, &out); err != nil {
		return err
	}
	for key, value := range out.ModelInfo {
		// One such key exists, prefixed by the architecture: gemma3.context_length.
		if n, ok := value.(float64); ok && n > 0 && strings.HasSuffix(key, ".context_length") && strings.Count(key, ".") == 1 {
			m.ContextLength = int(n)
		}
	}
	m.Capabilities = out.Capabilities
	for _, capability := range out.Capabilities {
		m.Vision = m.Vision || capability == "vision"
	}
	return nil
}

func (c *Client) model(name string) *model {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.models[name]
	if m == nil {
		m = &model{}
		m.estimator.PerImage = c.cfg.PerImage
		c.models[name] = m
	}
	return m
}

// lookup is one question to the server about a model, shared by all requests that wait for
// the answer.
type lookup struct {
	done chan struct{} // closed when info and err are set
	info mllm.ModelInfo
	err  error
}

// info returns what the server reports about the model. It asks again every few minutes, to
// notice weights that are replaced during a run. Requests that need it at the same time share
// one question and its outcome, so that with a server that hangs they wait together, not one
// after the other.
func (c *Client) info(ctx context.Context, m *model, name string) (mllm.ModelInfo, error) {
	m.mu.Lock()
	if !m.fetched.IsZero() && time.Since(m.fetched) < infoLifetime {
		defer m.mu.Unlock()
		return m.known, nil
	}
	l := m.asking
	if l == nil {
		l = &lookup{done: make(chan struct{})}
		m.asking = l
		// Other requests wait for it too: it must not end when the first is cancelled.
		go c.look(context.WithoutCancel(ctx), m, name, l)
	}
	m.mu.Unlock()
	select {
	case <-l.done:
		return l.info, l.err
	case <-ctx.Done():
		class := mllm.Cancelled
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			class = mllm.Timeout
		}
		return mllm.ModelInfo{}, c.wire.Fail(class, name, "waiting for the list of models: %v", ctx.Err())
	}
}

func (c *Client) look(ctx context.Context, m *model, name string, l *lookup) {
	l.info, l.err = c.find(ctx, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asking = nil
	if l.err == nil {
		m.known, m.fetched = l.info, time.Now()
	}
	close(l.done)
}

// find asks the server about one model.
func (c *Client) find(ctx context.Context, name string) (mllm.ModelInfo, error) {
	info, err := c.list(ctx, name)
	if err == nil {
		err = c.show(ctx, &info)
	}
	return info, err
}

// list returns what the server's list says of one model.
func (c *Client) list(ctx context.Context, name string) (mllm.ModelInfo, error) {
	var tags tagsResponse
	if err := c.wire.Call(ctx, listTimeout, "/api/tags", name, nil, &tags); err != nil {
		return mllm.ModelInfo{}, err
	}
	for _, t := range tags.Models {
		if info := t.info(); mllm.SameModel(name, info.Name) {
			return info, nil
		}
	}
	e := c.wire.Fail(mllm.NotFound, name, "the server does not have this model")
	e.Err = usererr.Wrap(e.Err, fmt.Sprintf("Pull the model with Ollama (ollama pull %s), or name one that the server has.", name))
	return mllm.ModelInfo{}, e
}
