package texts

import (
	"context"
	"fmt"
	"time"
)

// StageConclusion is the stage of intermediate conclusions: those that a reasoner draws
// from the first parts of a history that is too long for one request. Stored ledgers have
// the value "step".
const StageConclusion = "step"

// StoredConclusions keeps intermediate conclusions in a store, beside the answers. It
// implements writer.ConclusionStore.
type StoredConclusions struct{ Store Store }

// Conclusion returns the conclusion stored under key, and whether there is one.
func (s StoredConclusions) Conclusion(ctx context.Context, key string) (Answer, bool, error) {
	found, err := s.Store.Get(ctx, []string{key})
	if err != nil {
		return Answer{}, false, fmt.Errorf("look up a conclusion: %w", err)
	}
	g, known := found[key]
	if !known || g.Status != StatusOK {
		return Answer{}, false, nil
	}
	return Answer{Text: g.Text, Model: g.Model, ModelDigest: g.ModelDigest, PromptHash: g.PromptHash, PromptTokens: g.PromptTokens,
		AnswerTokens: g.AnswerTokens, Seconds: g.Seconds, Attempt: g.Attempt, Finish: g.Finish}, true, nil
}

// PutConclusion stores a conclusion under key at once.
func (s StoredConclusions) PutConclusion(ctx context.Context, key string, r ReasonRequest, a Answer) error {
	g := Generation{Key: key, Stage: StageConclusion, Subject: r.User, Fold: r.Fold, Status: StatusOK, Text: a.Text,
		Attempt: 1, Created: time.Now().UTC()}
	addAttempt(&g, a)
	if err := s.Store.Put(context.WithoutCancel(ctx), []Generation{g}); err != nil {
		return fmt.Errorf("store a conclusion: %w", err)
	}
	return nil
}
