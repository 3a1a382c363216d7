package train

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// FullRanking returns the default evaluator: it ranks the whole catalogue for every
// user with held-out items of the asked label, train items masked, and averages the
// metrics of package eval at 5, 10, 20 and 50. For a label without interactions it
// returns nil.
func FullRanking(train *dataset.Histories, ds *dataset.Dataset) Evaluator {
	lists := map[dataset.Label]*dataset.Lists{dataset.Valid: ds.HeldOut(dataset.Valid), dataset.Test: ds.HeldOut(dataset.Test)}
	users := map[dataset.Label][]int32{}
	for label, l := range lists {
		for u := range l.Len() {
			if len(l.Of(u)) > 0 {
				users[label] = append(users[label], int32(u))
			}
		}
	}
	return func(ctx context.Context, u, i *tensor.Matrix, label dataset.Label) (map[string]float64, error) {
		if len(users[label]) == 0 {
			return nil, nil
		}
		cutoffs := eval.DefaultCutoffs
		r, err := eval.Rank(ctx, eval.DotScorer(u, i), train.Lists(), users[label], cutoffs[len(cutoffs)-1])
		if err != nil {
			return nil, err
		}
		return eval.PerUser(r, lists[label], eval.Options{Cutoffs: cutoffs}).Means(), nil
	}
}

// checkHeldOut refuses a split by which no epoch could be chosen.
func checkHeldOut(ds *dataset.Dataset) error {
	for _, x := range ds.Interactions {
		if x.Label == dataset.Valid {
			return nil
		}
	}
	return usererr.New("import again with a split that holds out validation interactions",
		"no interaction is labelled validation, so no epoch can be chosen (split %q)", ds.Split)
}

func selected(valid map[string]float64, key string) (float64, error) {
	score, ok := valid[key]
	if !ok || score != score {
		return 0, fmt.Errorf("validation metric %q was not measured", key)
	}
	return score, nil
}
