package texts

import (
	"context"
	"fmt"
)

// Ask settles questions that were made elsewhere (see [UnansweredDescriptions]), on a
// machine that holds no data set: it asks those that have no stored answer and stores
// the answers under the questions' keys, with the care of [DescribeItems] and
// [ReasonUsers]. The describer is needed in [StageDescribe], the reasoner in
// [StageReason].
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
