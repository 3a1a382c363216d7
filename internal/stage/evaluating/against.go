package evaluating

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Duel compares two runs user by user.
type Duel struct {
	Run     string     `json:"run"`
	Against string     `json:"against"`
	Leaky   bool       `json:"leaky,omitempty"` // one of them is
	Metrics []Contrast `json:"metrics"`
	Tied    float64    `json:"tied"` // share of the test users with the same R@20 by both
}

// Contrast is how far two runs lie apart in one metric on one split: the first less the second.
type Contrast struct {
	Split string `json:"split"`
	eval.Comparison
}

// duelMetrics are compared.
var duelMetrics = []string{"recall@10", "recall@20", "ndcg@10", "ndcg@20"}

const duelResamples = 4000 // of the bootstrap

// Against compares a run ("": the current one) with another on the same users.
func Against(ctx context.Context, s *stage.Session, runID, otherID string) (*Duel, error) {
	run, address, err := training.Find(s.WS, runID)
	if err != nil {
		return nil, err
	}
	other, otherAddress, err := training.Find(s.WS, otherID)
	if err != nil {
		return nil, err
	}
	if run.ID == other.ID {
		return nil, usererr.New("Name two runs.", "run %s is compared with itself", run.ID)
	}
	one, err := scorerOf(s, run, address)
	if err != nil {
		return nil, err
	}
	two, err := scorerOf(s, other, otherAddress)
	if err != nil {
		return nil, err
	}
	judge, err := s.Judge()
	if err != nil {
		return nil, err
	}
	judged, err := judge.Rank(ctx, eval.Contender{Name: "run " + run.ID, Scorer: one}, eval.Contender{Name: "run " + other.ID, Scorer: two})
	if err != nil {
		return nil, fmt.Errorf("compare %w", err)
	}
	d := &Duel{Run: run.ID, Against: other.ID, Leaky: run.Leaky || other.Leaky}
	for _, label := range []dataset.Label{dataset.Valid, dataset.Test} {
		a, b := judged[0].PerUser(label), judged[1].PerUser(label)
		if len(a.Users) < 2 {
			continue
		}
		for _, metric := range duelMetrics {
			c, err := eval.Compare(a, b, metric, duelResamples, randomSeed)
			if err != nil {
				return nil, err
			}
			d.Metrics = append(d.Metrics, Contrast{label.String(), c})
		}
		if label == dataset.Test {
			d.Tied = tied(a.Of(worthMetric), b.Of(worthMetric))
		}
	}
	return d, nil
}

// tied is the share of equal values.
func tied(a, b []float64) float64 {
	n := 0
	for j := range a {
		if a[j] == b[j] {
			n++
		}
	}
	return float64(n) / float64(len(a))
}
