package ollama

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/mllm"
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

// Describe lists the server's models with digest, context length and capabilities. Of a
// model that the server cannot show (a damaged one, which need not be the one wanted)
// only the listing is told.
func (c *Client) Describe(ctx context.Context) (mllm.ServerInfo, error) {
	info := mllm.ServerInfo{Kind: "ollama", Endpoint: c.Endpoint()}
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

// show adds what /api/show tells: context length and capabilities.
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

// info returns what the server says about the model, asked anew every few minutes so
// that weights exchanged during a run are noticed. Concurrent callers share one asking.
func (c *Client) info(ctx context.Context, m *model, name string) (mllm.ModelInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.fetched.IsZero() && time.Since(m.fetched) < infoLifetime {
		return m.info, nil
	}
	var tags tagsResponse
	if err := c.wire.Call(ctx, listTimeout, "/api/tags", name, nil, &tags); err != nil {
		return mllm.ModelInfo{}, err
	}
	for _, t := range tags.Models {
		info := t.info()
		if !mllm.SameModel(name, info.Name) {
			continue
		}
		if err := c.show(ctx, &info); err != nil {
			return mllm.ModelInfo{}, err
		}
		m.info, m.fetched = info, time.Now()
		return info, nil
	}
	e := c.wire.Fail(mllm.NotFound, name, "the server does not have this model")
	e.Err = usererr.Wrap(e.Err, fmt.Sprintf("run: ollama pull %s", name))
	return mllm.ModelInfo{}, e
}
