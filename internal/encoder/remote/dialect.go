package remote

import (
	"context"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// dialect is the API of one kind of server.
type dialect struct {
	needsModel, dimensions, truncates bool

	embed func(ctx context.Context, c *Client, inputs []string) ([]vector, error)
	// describe returns the digest of the weights, "" if the server does not report it.
	describe func(ctx context.Context, c *Client) (string, error)
}

var dialects = map[string]dialect{
	"openai": {needsModel: true, dimensions: true, embed: embedOpenAI,
		describe: func(context.Context, *Client) (string, error) { return "", nil }},
	"ollama": {needsModel: true, truncates: true, embed: embedOllama, describe: describeOllama},
	"tei":    {truncates: true, embed: embedTEI, describe: describeTEI},
}

func (c *Client) describe(ctx context.Context) (digest string, err error) {
	err = c.retry(ctx, func() error {
		digest, err = c.kind.describe(ctx, c)
		return err
	})
	return digest, err
}

func embedOpenAI(ctx context.Context, c *Client, inputs []string) ([]vector, error) {
	in := struct {
		Model      string   `json:"model"`
		Input      []string `json:"input"`
		Format     string   `json:"encoding_format"`
		Dimensions int      `json:"dimensions,omitempty"`
	}{c.cfg.Model, inputs, "float", c.cfg.Dimensions}
	var out struct {
		Data []struct {
			Index     *int   `json:"index"`
			Embedding vector `json:"embedding"`
		} `json:"data"`
	}
	if err := c.post(ctx, "/embeddings", in, &out); err != nil {
		return nil, err
	}
	// The indices define the order, not the positions in the list.
	if len(out.Data) != len(inputs) {
		return nil, c.fail(mllm.BadResponse, "%d vectors came for %d texts", len(out.Data), len(inputs))
	}
	vectors := make([]vector, len(inputs))
	for place, d := range out.Data {
		i := place
		if d.Index != nil {
			i = *d.Index
		}
		if i < 0 || i >= len(vectors) || vectors[i] != nil {
			return nil, c.fail(mllm.BadResponse, "the answer numbers its vectors wrongly: %d", i)
		}
		vectors[i] = d.Embedding
	}
	return vectors, nil
}

func embedOllama(ctx context.Context, c *Client, inputs []string) ([]vector, error) {
	in := struct {
		Model    string   `json:"model"`
		Input    []string `json:"input"`
		Truncate bool     `json:"truncate"`
	}{c.cfg.Model, inputs, c.cfg.Truncate}
	var out struct {
		Embeddings []vector `json:"embeddings"`
		Error      string   `json:"error"`
	}
	if err := c.post(ctx, "/api/embed", in, &out); err != nil {
		return nil, err
	}
	if out.Error != "" {
		return nil, c.fail(mllm.Server, "%s", out.Error)
	}
	return out.Embeddings, nil
}

// describeOllama finds the model and its digest in the list of the server's models.
func describeOllama(ctx context.Context, c *Client) (string, error) {
	var out struct {
		Models []struct{ Name, Model, Digest string } `json:"models"`
	}
	if err := c.get(ctx, "/api/tags", &out); err != nil {
		return "", err
	}
	want := c.cfg.Model
	if !strings.Contains(want[strings.LastIndexByte(want, '/')+1:], ":") {
		want += ":latest"
	}
	var names []string
	for _, m := range out.Models {
		if m.Name == want || m.Model == want {
			return m.Digest, nil
		}
		names = append(names, m.Name)
	}
	return "", c.missing("the server has no model %s; it has: %s", want, strings.Join(names, ", "))
}

func embedTEI(ctx context.Context, c *Client, inputs []string) ([]vector, error) {
	in := struct {
		Inputs    []string `json:"inputs"`
		Normalize bool     `json:"normalize"`
		Truncate  bool     `json:"truncate"`
	}{inputs, true, c.cfg.Truncate}
	var out []vector
	return out, c.post(ctx, "/embed", in, &out)
}

// describeTEI asks which model the server has and how many texts a request may have.
func describeTEI(ctx context.Context, c *Client) (string, error) {
	var out struct {
		Model    string `json:"model_id"`
		SHA      string `json:"model_sha"`
		MaxBatch int    `json:"max_client_batch_size"`
	}
	if err := c.get(ctx, "/info", &out); err != nil {
		return "", err
	}
	if c.cfg.Model != "" && out.Model != c.cfg.Model {
		return "", c.missing("the server has the model %s, not %s", out.Model, c.cfg.Model)
	}
	c.cfg.Model = out.Model
	if out.MaxBatch > 0 {
		c.cfg.Batch = min(c.cfg.Batch, out.MaxBatch)
	}
	return out.SHA, nil
}
