package reasoning

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Writer writes the preference of somebody never seen from item rows, oldest first.
type Writer func(ctx context.Context, items []int32) (string, error)

// WriterOf returns a writer of preferences by whoever wrote those under an address, or by
// the one that mllm names, if it is not empty.
func WriterOf(ctx context.Context, s *stage.Session, address, mllm string) (Writer, error) {
	ws := s.WS
	a, ok := ws.Artefact(address)
	if !ok {
		return nil, stage.NotReady(ws, workspace.StageReason)
	}
	opt, err := Recorded(a)
	if err != nil {
		return nil, err
	}
	if mllm != "" && mllm != opt.Writer.MLLM {
		opt = Options{Writer: backend.Options{MLLM: mllm}}
	}
	w := opt.Writer
	offline := fmt.Sprintf("Let plain rules write it: %s offline.", usererr.Option("mllm"))
	if w.MLLM == connect.OpenAI && len(w.Servers.BaseURLs) == 0 {
		return nil, usererr.New(offline, "the workspace's preferences are by %s on the servers of workers, which cannot be asked from here", w.Model())
	}
	if err := s.Consent.Allow("the record of "+address, w.Grants()...); err != nil {
		return nil, err
	}
	b, err := backend.Open(w)
	if err != nil {
		return nil, err
	}
	catalogue, corpus, err := Catalogue(ws, a.Inputs[workspace.KindItemTexts].Address)
	if err != nil {
		return nil, err
	}
	r, err := b.Reasoner(ctx, corpus, opt.Long, nil)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("the workspace's preferences are by %s, which is to write this one too: %w", w.Label(), err), "Start the server. "+offline)
	}
	domain := ws.Manifest().Domain
	return func(ctx context.Context, items []int32) (string, error) {
		req := texts.ReasonRequest{Fold: texts.FullFold, Domain: domain, Attempt: 1}
		for _, i := range items {
			req.Items = append(req.Items, catalogue[i])
		}
		answer, err := r.Reason(ctx, req)
		if err != nil {
			return "", fmt.Errorf("write a preference from %d items: %w", len(items), err)
		}
		return answer.Text, nil
	}, nil
}
