package train

import "math"

// stopper picks the best epoch and says when to give up.
type stopper struct {
	Best  int     `json:"best_epoch"` // 0: none yet
	Score float64 `json:"best_score"`
	Stale int     `json:"stale"` // epochs in a row without gain
}

// newStopper starts below any metric, as the reference framework does.
func newStopper() stopper { return stopper{Score: -1} }

// observe takes an epoch's score and reports whether it is a new best: strictly
// greater than all before it.
func (s *stopper) observe(epoch int, score float64, round bool) bool {
	if round {
		score = math.Round(score*1e4) / 1e4
	}
	if score > s.Score {
		*s = stopper{Best: epoch, Score: score}
		return true
	}
	s.Stale++
	return false
}

// done: the count must exceed patience, so that with 20 the 21st epoch in a row
// without gain is the last.
func (s *stopper) done(patience int) bool { return s.Stale > patience }
