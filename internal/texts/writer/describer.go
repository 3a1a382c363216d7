package writer

import (
	"context"
	"fmt"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Describer asks a model for descriptions of pictures (Eq. 1). It is safe for
// concurrent use.
type Describer struct {
	*server
	id string
}

var _ texts.Describer = (*Describer)(nil)

// NewDescriber asks the server about the model and returns a Describer. A model that is
// known to read no pictures is an error of the user.
func NewDescriber(ctx context.Context, client mllm.Client, opt Options) (*Describer, error) {
	s, err := connect(ctx, client, opt)
	if err != nil {
		return nil, err
	}
	if len(s.info.Capabilities) > 0 && !s.info.Vision {
		return nil, usererr.New("Choose a model with vision, such as gemma3:27b; with llama.cpp, start the server with the model's projector as well. Or have pictures measured without a model: "+usererr.Option("mllm").String()+" offline.",
			"%s: model %s sees no pictures; it takes: %s", client.Endpoint(), s.opt.Model, strings.Join(s.info.Capabilities, ", "))
	}
	return &Describer{s, s.opt.id(s.info.Digest, s.opt.Prompts.Hash(prompt.Describe))}, nil
}

// ID names the model and its digest, the parameters, and the hash of the template.
func (d *Describer) ID() string { return d.id }

// Describe sends one request. An Attempt above 1 changes the seed and, since greedy
// decoding ignores the seed, raises the temperature to at least 0.3. An answer that fails
// the checks is an *mllm.Error whose class says why; the Answer returned with it has the
// tokens and seconds that it took.
func (d *Describer) Describe(ctx context.Context, r texts.DescribeRequest) (texts.Answer, error) {
	p, err := d.Prompt(r)
	if err != nil {
		return texts.Answer{}, err
	}
	if len(p.Images) == 0 {
		return texts.Answer{}, fmt.Errorf("describe item %q: it has no picture", r.Item.ID)
	}
	a, err := d.ask(ctx, p, max(r.Attempt, 1)-1)
	if err != nil {
		return a, fmt.Errorf("describe item %q: %w", r.Item.ID, err)
	}
	return a, nil
}

// Prompt returns the prompt that Describe sends for r.
func (d *Describer) Prompt(r texts.DescribeRequest) (prompt.Prompt, error) {
	return d.opt.Prompts.Describe(r, d.opt.Limits)
}
