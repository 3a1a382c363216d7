package texts

import (
	"context"
	"fmt"
)

// Ask asks questions that another process prepared (see [UnansweredDescriptions]), on a
// machine that need not hold the data set. It skips questions that have a stored answer and
// stores new answers under the questions' keys, with the retries and failures of
// [DescribeItems] and [ReasonUsers]. [StageDescribe] needs the describer, [StageReason]
// the reasoner.
func Ask(ctx context.Context, stage string, questions []Question, d Describer, reasoner Reasoner, store Store, opt Options) (Report, error) {
	for _, q := range questions {
		if q.About.Stage != stage || (stage == StageDescribe && (q.Describe == nil || d == nil)) || (stage == StageReason && (q.Reason == nil || reasoner == nil)) {
			return Report{}, fmt.Errorf("%s: the question about %q cannot be asked", stage, q.About.Subject)
		}
	}
	_, report, err := runQuestions(ctx, stage, len(questions), store, opt, func(_ context.Context, _ *run, i int) (*question, error) {
		q := questions[i]
		ask := func(ctx context.Context, attempt int) (Answer, error) {
			if stage == StageDescribe {
				r := *q.Describe
				r.Attempt = attempt
				return d.Describe(ctx, r)
			}
			r := *q.Reason
			r.Attempt = attempt
			return reasoner.Reason(ctx, r)
		}
		return &question{about: q.About, ask: ask, describe: q.Describe, reason: q.Reason}, nil
	})
	return report, err
}
