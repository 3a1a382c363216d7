package mllm

import (
	"context"
	"errors"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Describe asks every endpoint for its models. Endpoints that do not answer are listed as
// unreachable; if none answers, that is an error. A model that several endpoints have is
// described by what holds for all of them: the shortest context window, and a digest only if
// all report one. A model with different weights on two endpoints is an error of the user.
func (p *Pool) Describe(ctx context.Context) (ServerInfo, error) {
	info := ServerInfo{Kind: "pool", Endpoint: p.Endpoint()}
	withDigest := map[string]ServerInfo{} // model name to the first endpoint that reported its digest
	var failures []error
	info.Complete = true
	for _, e := range p.endpoints {
		one, err := e.client.Describe(ctx)
		p.noteDescribed(e, err)
		if err != nil {
			failures = append(failures, err)
			info.Unreachable = append(info.Unreachable, e.client.Endpoint())
			info.Complete = false
			continue
		}
		if len(p.endpoints) == 1 {
			return one, nil
		}
		info.Complete = info.Complete && one.Complete
		for _, m := range one.Models {
			have := info.find(m.Name)
			if have == nil {
				info.Models = append(info.Models, m)
				have = &info.Models[len(info.Models)-1]
			}
			if err := checkSameWeights(withDigest, have.Name, m, one.Endpoint); err != nil {
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

// checkSameWeights refuses a model whose digest differs from that in withDigest.
func checkSameWeights(withDigest map[string]ServerInfo, name string, m ModelInfo, endpoint string) error {
	if m.Digest == "" {
		return nil
	}
	first, known := withDigest[name]
	if !known {
		withDigest[name] = ServerInfo{Endpoint: endpoint, Models: []ModelInfo{m}}
		return nil
	}
	if digest := first.Models[0].Digest; digest != m.Digest {
		return usererr.New("Put the same version of the model on every server.",
			"model %s: %s and %s hold different weights (%.12s and %.12s)", m.Name, first.Endpoint, endpoint, digest, m.Digest)
	}
	return nil
}

// noteDescribed keeps the error of an endpoint that did not answer, for Stats.
func (p *Pool) noteDescribed(e *endpoint, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.last = err
}

// merge keeps what holds for both.
func (m *ModelInfo) merge(other ModelInfo) {
	if other.Digest == "" {
		m.Digest = "" // the other endpoint may answer with other weights
	}
	if m.ContextLength == 0 || other.ContextLength != 0 && other.ContextLength < m.ContextLength {
		m.ContextLength = other.ContextLength
	}
	if len(m.Capabilities) == 0 {
		m.Capabilities, m.Vision = other.Capabilities, other.Vision
	}
}
