package model_test

import (
	"math"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
)

// Preference texts that a run is told to listen to move the scores in proportion to their weight, of
// whoever has a history, and nothing else; with the weight 0 they are left out.
func TestHybridListensAsItIsTold(t *testing.T) {
	data := modeltest.Make(tiny, 3)
	in := timed(data.Inputs)
	stranger := []model.Person{{History: []int32{3, 7, 1}, Preference: in.Preferences.Row(2)}, {Preference: in.Preferences.Row(2)}}
	for _, own := range []string{"true", "false"} { // the run has the view already, or has not
		r, _ := fit(t, "hybrid", in, eval.NewJudge(data.Dataset), map[string]string{"pool": "false", "preferences": own})
		before := scores(t, r, stranger)
		sayable := r.(model.Sayable)
		with := func(w float32) model.Ranker { return sayable.WithPreferences(in.ItemVectors[model.Text], w) }
		none := scores(t, with(0), stranger)
		if less := scores(t, r.(model.Viewed).Without("preference"), stranger); !slices.Equal(none.Row(0), less.Row(0)) {
			t.Error("weight 0 is not the same as without")
		}
		one, two := scores(t, with(0.5), stranger), scores(t, with(1), stranger)
		moved := 0.0
		for i := range none.Row(0) {
			a, b := float64(one.Row(0)[i]-none.Row(0)[i]), float64(two.Row(0)[i]-none.Row(0)[i])
			if moved += math.Abs(a); math.Abs(2*a-b) > 1e-4 {
				t.Errorf("item %d moves by %g at half the weight, by %g at the whole", i, a, b)
			}
		}
		if moved == 0 {
			t.Error("the texts move nothing")
		}
		if !slices.Equal(one.Row(1), two.Row(1)) {
			t.Error("somebody without a history is scored by the weight of those who have one")
		}
		checkShares(t, with(0.5), stranger[0], one.Row(0))
		// Who said it themselves: the preference's weight is that of all else together.
		hears := scores(t, sayable.Listening(in.ItemVectors[model.Text]), stranger)
		low, high := math.Inf(1), 0.0
		for i := range none.Row(0) {
			if unit := float64(two.Row(0)[i] - none.Row(0)[i]); math.Abs(unit) > 0.1 {
				w := float64(hears.Row(0)[i]-none.Row(0)[i]) / unit
				low, high = min(low, w), max(high, w)
			}
		}
		if !(low > 0.1 && high-low < 1e-3*high) || !slices.Equal(hears.Row(1), none.Row(1)) {
			t.Errorf("listening has weights of %g to %g", low, high)
		}
		if !slices.Equal(scores(t, r, stranger).Data, before.Data) {
			t.Error("the ranker itself has changed")
		}
	}
}
