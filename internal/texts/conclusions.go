package texts

import (
	"context"
	"fmt"
	"time"
)

// StageStep is the stage of the conclusions in between that a reasoner draws from the
// parts of a history too long for one question.
const StageConclusion = "step"

// Steps keeps such conclusions in a store, beside the answers. It implements the step
// store of package reason/served.
type StoredConclusions struct{ Store Store }

// Step returns the answer kept under key.
func (s StoredConclusions) Conclusion(ctx context.Context, key string) (Answer, bool, error) {
	found, err := s.Store.Get(ctx, []string{key})
	if err != nil {
		return Answer{}, false, fmt.Errorf("look up a step: %w", err)
	}
	g, known := found[key]
	if !known || g.Status != StatusOK {
		return Answer{}, false, nil
	}
	return Answer{Text: g.Text, Model: g.Model, ModelDigest: g.ModelDigest, PromptHash: g.PromptHash, PromptTokens: g.PromptTokens,
		AnswerTokens: g.AnswerTokens, Seconds: g.Seconds, Attempt: g.Attempt, Finish: g.Finish}, true, nil
}

// PutStep keeps an answer under key, at once.
func (s StoredConclusions) PutConclusion(ctx context.Context, key string, r ReasonRequest, a Answer) error {
	g := Generation{Key: key, Stage: StageConclusion, Subject: r.User, Fold: r.Fold, Status: StatusOK, Text: a.Text,
		Attempt: 1, Created: time.Now().UTC()}
	addAttempt(&g, a)
	if err := s.Store.Put(context.WithoutCancel(ctx), []Generation{g}); err != nil {
		return fmt.Errorf("store a step: %w", err)
	}
	return nil
}
