package texts_test

import (
	"testing"

	"github.com/mllmrec/mllmrec/internal/texts"
)

// Whoever has others ask tells beforehand how many texts a run will write.
func TestTextsAreAsManyAsARunWrites(t *testing.T) {
	d, catalogue := shop(40, 30, 7)
	h := d.TrainHistories()
	for _, opt := range []texts.ReasonOptions{{}, {Folds: 2}, {Folds: 5}, {Folds: 5, FoldMinItems: 3}, {Folds: 3, FoldMinItems: 100}, {Folds: 256}} {
		total := 0
		ropt := opt
		ropt.Options = quick
		ropt.Progress = func(p texts.Progress) { total = p.Total }
		_, _, err := texts.ReasonUsers(t.Context(), h, d.UserIDs, catalogue, &echo{id: "e"}, newLedger(t), ropt)
		if got := opt.CountTexts(h); err != nil || got != total || got < 40 {
			t.Errorf("folds %d for %d: %d texts, a run has %d, %v", opt.Folds, opt.FoldMinItems, got, total, err)
		}
	}
}
