package mllm

import (
	"context"
	"errors"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Describe asks every endpoint. Those that cannot be reached are listed as such, unless
// none can be. A model that several have is described so that it is true of all: with
// the shortest window, and with a digest only if all tell it. One model with different
// weights on two endpoints is a user's mistake.
func (p *Pool) Describe(ctx context.Context) (ServerInfo, error) {
	info := ServerInfo{Kind: "pool", Endpoint: p.Endpoint()}
	vouched := map[string]ServerInfo{} // model name to the first endpoint that tells its digest
	var failures []error
	for _, e := range p.endpoints {
		one, err := e.client.Describe(ctx)
		p.noteDescribed(e, err)
		if err != nil {
			failures = append(failures, err)
			info.Unreachable = append(info.Unreachable, e.client.Endpoint())
			continue
		}
		if len(p.endpoints) == 1 {
			return one, nil
		}
		for _, m := range one.Models {
			have := info.find(m.Name)
			if have == nil {
				info.Models = append(info.Models, m)
				have = &info.Models[len(info.Models)-1]
			}
			if err := checkSameWeights(vouched, have.Name, m, one.Endpoint); err != nil {
				return info, err
			}
			have.merge(m)
		}
	}
	if len(failures) == len(p.endpoints) {
		return info, errors.Join(failures...)
	}
	return info, nil
}

// sameWeights refuses a model whose digest differs from that which vouched holds for it.
func checkSameWeights(vouched map[string]ServerInfo, name string, m ModelInfo, endpoint string) error {
	if m.Digest == "" {
		return nil
	}
	first, known := vouched[name]
	if !known {
		vouched[name] = ServerInfo{Endpoint: endpoint, Models: []ModelInfo{m}}
		return nil
	}
	if digest := first.Models[0].Digest; digest != m.Digest {
		return usererr.New("Pull the same version on every server.",
			"model %s: %s and %s hold different weights (%.12s and %.12s)", m.Name, first.Endpoint, endpoint, digest, m.Digest)
	}
	return nil
}

// noteDescribed keeps why an endpoint did not answer, for those who watch.
func (p *Pool) noteDescribed(e *endpoint, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.last = err
}

// merge keeps what is true of both.
func (m *ModelInfo) merge(other ModelInfo) {
	if other.Digest == "" {
		m.Digest = "" // an answer may be by weights that nobody vouches for
	}
	if m.ContextLength == 0 || other.ContextLength != 0 && other.ContextLength < m.ContextLength {
		m.ContextLength = other.ContextLength
	}
	if len(m.Capabilities) == 0 {
		m.Capabilities, m.Vision = other.Capabilities, other.Vision
	}
}
