package texts

import (
	"context"
	"fmt"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/secret"
)

// Question is a question without a stored answer, for callers that do not ask it in a run:
// estimates, files for batch services, and the queue.
type Question struct {
	About    Generation // key, stage, subject, fold, provenance, and what failed attempts took
	Describe *DescribeRequest
	Reason   *ReasonRequest
}

// Settle returns the generation to store for the answer a, or for the failure err.
func (q Question) Settle(a Answer, err error) Generation {
	g := q.About
	g.Attempt++
	addAttempt(&g, a)
	g.Created = time.Now().UTC()
	if err == nil {
		g.Status, g.Text, g.Class, g.Error = StatusOK, a.Text, "", ""
	} else {
		g.Status, g.Class, g.Error = StatusQuarantined, className(mllm.ClassOf(err)), secret.Redact(err.Error())
	}
	return g
}

// UnansweredDescriptions calls fn with each question that [DescribeItems] would ask now,
// in the order of the items, and returns the items whose picture cannot be read. An error
// of fn ends it.
func UnansweredDescriptions(ctx context.Context, items []dataset.Item, images ImageSource, d Describer, store Store, opt DescribeOptions, fn func(Question) error) ([]Failure, error) {
	w := &descriptionWriter{items: items, images: images, describer: d, opt: opt}
	report, err := unanswered(ctx, StageDescribe, len(items), store, opt.Options, fn, w.question)
	return report.Failures, err
}

// UnansweredPreferences calls fn with each question that [ReasonUsers] would ask now, in
// the order of the users. An error of fn ends it.
func UnansweredPreferences(ctx context.Context, h *dataset.Histories, users []string, catalogue []HistoryItem, reasoner Reasoner, store Store, opt ReasonOptions, fn func(Question) error) error {
	w, err := newPreferenceWriter(h, users, catalogue, reasoner, opt)
	if err != nil {
		return err
	}
	_, err = unanswered(ctx, StageReason, len(w.tasks), store, opt.Options, fn, w.question)
	return err
}

func unanswered(ctx context.Context, stage string, n int, store Store, opt Options, fn func(Question) error, prepare preparer) (Report, error) {
	r := newRun(stage, n, store, opt, func(error) {})
	for lo := 0; lo < n; lo += blockSize {
		open, err := r.unansweredBlock(ctx, lo, min(lo+blockSize, n), prepare)
		if err != nil {
			return r.report, fmt.Errorf("%s: %w", stage, err)
		}
		for _, q := range open {
			if err := fn(Question{About: q.about, Describe: q.describe, Reason: q.reason}); err != nil {
				return r.report, err
			}
		}
	}
	return r.report, nil
}
