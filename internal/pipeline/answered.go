package pipeline

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// An answer is found by a key, of which an estimate, that asks nobody, lacks two parts:
// the digest of the server's weights, and the hash of each picture as it is sent. Both
// stand beside the answers in the ledger and are taken to be as they were; all else
// (titles, prompts, parameters, histories) is compared.

// mostWeights bounds the digests that are tried, the latest.
const mostWeights = 4

// knownWeights returns the digests under which answers of the model may be kept, those of
// the latest answers first, and no digest at all.
func knownWeights(ctx context.Context, store texts.Store, stage, model string) ([]string, error) {
	last := map[string]time.Time{}
	err := store.Each(ctx, stage, func(g texts.Generation) error {
		if g.Model == model && g.Status == texts.StatusOK && g.Created.After(last[g.ModelDigest]) {
			last[g.ModelDigest] = g.Created
		}
		return nil
	})
	var digests []string
	for d := range last {
		if d != "" {
			digests = append(digests, d)
		}
	}
	slices.SortFunc(digests, func(a, b string) int { return last[b].Compare(last[a]) })
	return append(digests[:min(len(digests), mostWeights)], ""), err
}

// rememberingAuthor is a silent author whose model has these weights.
func rememberingAuthor(opt AuthorOptions, digest string) (*author, error) {
	a, err := silentAuthor(opt)
	if err == nil && digest != "" {
		a.client = nobody{models: []mllm.ModelInfo{{Name: opt.model(), Digest: digest}}}
	}
	return a, err
}

// describedItems finds the items whose description is in the ledger, if their pictures
// and the model's weights are as they were.
func describedItems(ctx context.Context, store texts.Store, opt AuthorOptions, domain string, items []dataset.Item) (map[string]bool, error) {
	weights, err := knownWeights(ctx, store, texts.StageDescribe, opt.model())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, digest := range weights {
		a, err := rememberingAuthor(opt, digest)
		if err != nil {
			return nil, err
		}
		d, err := a.describer(ctx)
		if err != nil {
			return nil, err
		}
		ids = append(ids, d.ID())
	}
	byID := make(map[string]dataset.Item, len(items))
	for _, it := range items {
		byID[it.ID] = it
	}
	described := map[string]bool{}
	err = store.Each(ctx, texts.StageDescribe, func(g texts.Generation) error {
		it, ok := byID[g.Subject]
		if !ok || g.Status != texts.StatusOK || g.Model != opt.model() {
			return nil
		}
		asked := texts.DescribeRequest{Item: it, Domain: domain, Image: mllm.Image{SHA256: g.ImageHash}}
		for _, id := range ids {
			if texts.DescribeKey(id, asked) == g.Key {
				described[g.Subject] = true
			}
		}
		return nil
	})
	return described, err
}

// likelyReasoner returns the reasoner with the weights that wrote most of the preferences
// asked for, and how many those are; count counts what a reasoner finds.
func likelyReasoner(ctx context.Context, store texts.Store, opt AuthorOptions, count func(texts.Reasoner) (int, error)) (best texts.Reasoner, answered int, err error) {
	weights, err := knownWeights(ctx, store, texts.StageReason, opt.model())
	if err != nil {
		return nil, 0, err
	}
	for _, digest := range weights {
		a, err := rememberingAuthor(opt, digest)
		if err != nil {
			return nil, 0, err
		}
		r, err := a.reasoner(ctx, nil, nil)
		if err != nil {
			return nil, 0, err
		}
		n, err := count(r)
		if err != nil {
			return nil, 0, err
		}
		if best == nil || n > answered {
			best, answered = r, n
		}
	}
	return best, answered, nil
}

// countingStore counts the answers that it is asked for and has.
type countingStore struct {
	texts.Store
	found *atomic.Int64
}

func (s countingStore) Statuses(ctx context.Context, keys []string) (map[string]texts.AnswerStatus, error) {
	got, err := s.Store.Statuses(ctx, keys)
	for _, g := range got {
		if g.Status == texts.StatusOK {
			s.found.Add(1)
		}
	}
	return got, err
}
