package texts_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/folds"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func TestFullTextsShowTrainItemsOnly(t *testing.T) {
	d, catalogue := shop(50, 40, 6)
	h := d.TrainHistories()
	written, report, err := reasonUsers(t.Context(), h, d.UserIDs, catalogue, &echo{id: "e"}, newLedger(t), texts.ReasonOptions{Options: quick})
	if err != nil {
		t.Fatal(err)
	}
	if len(written) != 50 || report.Total != 50 || report.Neutral != 8 || report.Answered != 42 || report.Pending != 0 {
		t.Fatalf("%d texts, report %+v", len(written), report)
	}
	for u, text := range written {
		var want []string
		for _, i := range h.Items(u) {
			want = append(want, d.Items[i].Title)
		}
		wantText, wantBy := "likes "+strings.Join(want, " "), "echo@d1"
		if len(want) == 0 {
			wantText, wantBy = texts.NeutralPreference, texts.ByNeutral
		}
		if text.User != d.UserIDs[u] || text.Fold != texts.FullFold || text.Text != wantText || text.By != wantBy || text.Status != workspace.StatusOK {
			t.Errorf("user %d: %+v, want %q by %s", u, text, wantText, wantBy)
		}
		if !slices.Equal(text.Sources, h.Sources(u)) || text.SplitHash != d.SplitHash() || text.Scope != "train" {
			t.Errorf("user %d: provenance %v %s %s", u, text.Sources, text.SplitHash, text.Scope)
		}
	}
}

func TestLeakyHistoriesSaySo(t *testing.T) {
	d, catalogue := shop(10, 40, 3)
	written, _, err := reasonUsers(t.Context(), d.LeakyHistories(), d.UserIDs, catalogue, &echo{id: "e"}, newLedger(t), texts.ReasonOptions{Options: quick})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range written {
		if x.Scope != string(dataset.ScopeAll) {
			t.Errorf("%s: scope %s", x.User, x.Scope)
		}
	}
}

func TestBlindTexts(t *testing.T) {
	const nFolds, seed = 3, 5
	d, catalogue := shop(64, 40, 7)
	h := d.TrainHistories()
	opt := texts.ReasonOptions{Options: quick, Folds: nFolds, Seed: seed}
	written, report, err := reasonUsers(t.Context(), h, d.UserIDs, catalogue, &echo{id: "e"}, newLedger(t), opt)
	if err != nil {
		t.Fatal(err)
	}
	foldOf := folds.All(h, d.UserIDs, nFolds, seed)
	byTask := map[string]workspace.UserText{}
	for _, x := range written {
		byTask[subject(x.User, int(x.Fold))] = x
	}
	if len(byTask) != len(written) || report.Total != len(written) {
		t.Fatalf("%d distinct texts of %d", len(byTask), len(written))
	}
	for u, id := range d.UserIDs {
		lo, hi := h.Lists().Offsets[u], h.Lists().Offsets[u+1]
		for fold := range nFolds {
			var sources []int32
			var titles []string
			for i := lo; i < hi; i++ {
				if int(foldOf[i]) != fold {
					sources = append(sources, h.Lists().Source[i])
					titles = append(titles, d.Items[h.Lists().Items[i]].Title)
				}
			}
			x, there := byTask[subject(id, fold)]
			if len(sources) == hi-lo { // nothing to be blind to
				if there {
					t.Errorf("user %s has a text for empty fold %d", id, fold)
				}
				continue
			}
			want := "likes " + strings.Join(titles, " ")
			if len(titles) == 0 {
				want = texts.NeutralPreference
			}
			if !there || x.Text != want || !slices.Equal(x.Sources, sources) {
				t.Errorf("user %s fold %d: %+v, want %q from %v", id, fold, x, want, sources)
			}
		}
	}
	full, blind, err := texts.Preferences(written, d.UserIDs)
	if err != nil || len(full) != 64 || len(blind) != nFolds {
		t.Fatalf("%d full, %d nFolds, %v", len(full), len(blind), err)
	}
	for u, id := range d.UserIDs {
		for fold := range nFolds {
			want := full[u]
			if x, there := byTask[subject(id, fold)]; there {
				want = x.Text
			}
			if blind[fold][u] != want {
				t.Errorf("user %s fold %d encodes %q, want %q", id, fold, blind[fold][u], want)
			}
		}
	}
}

func TestFoldsForSparesShortHistories(t *testing.T) {
	d, catalogue := shop(16, 40, 7)
	opt := texts.ReasonOptions{Options: quick, Folds: 2, FoldMinItems: 5}
	written, _, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, &echo{id: "e"}, newLedger(t), opt)
	if err != nil {
		t.Fatal(err)
	}
	if len(written) != 16+2*2*3 { // users with 5, 6, 7 items, twice
		t.Errorf("%d texts", len(written))
	}
	for _, bad := range []texts.ReasonOptions{{Folds: 1}, {Folds: -1}, {Folds: 257}, {FoldMinItems: 3}} {
		if _, _, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, &echo{}, newLedger(t), bad); err == nil {
			t.Errorf("folds %d for %d accepted", bad.Folds, bad.FoldMinItems)
		}
	}
}

func TestFoldsAreEvenSeededAndStable(t *testing.T) {
	count := make([]int, 5)
	for u := range 1000 {
		user := fmt.Sprint("u", u)
		for _, n := range []int{0, 1, 3, 5, 12} {
			f := folds.Of(user, n, 5, 1)
			per := make([]int, 5)
			for i, k := range f {
				per[k]++
				if n == 1 {
					count[k]++
				}
				if folds.Of(user, n, 5, 1)[i] != k {
					t.Fatal("FoldOf and Folds differ")
				}
			}
			if slices.Max(per)-slices.Min(per) > 1 {
				t.Fatalf("user %s: %d items dealt as %v", user, n, per)
			}
		}
	}
	if slices.Min(count) < 150 {
		t.Errorf("single items are dealt as %v", count)
	}
	if diff := cmp.Diff([]uint8{0, 2, 2, 3, 0, 3, 1, 1}, folds.Of("user 7", 8, 4, 42)); diff != "" {
		t.Errorf("folds changed; stored texts would no longer be blind to them: %s", diff)
	}
	if slices.Equal(folds.Of("u", 50, 5, 1), folds.Of("u", 50, 5, 2)) {
		t.Error("the seed changes nothing")
	}
}

// Changing one item asks again for those who have it and for nobody else.
func TestOnlyWhatChangedIsAskedAgain(t *testing.T) {
	d, catalogue := shop(60, 40, 6)
	h, s := d.TrainHistories(), newLedger(t)
	ask := func(id string, d2 *dataset.Dataset) *echo {
		e := &echo{id: id}
		if _, _, err := reasonUsers(t.Context(), d2.TrainHistories(), d2.UserIDs, catalogue, e, s, texts.ReasonOptions{Options: quick}); err != nil {
			t.Fatal(err)
		}
		return e
	}
	ask("model", d)
	if n := ask("model", d).total(); n != 0 {
		t.Errorf("%d questions asked again", n)
	}
	catalogue[11].ImageText = "now described"
	want := map[string]int{}
	for u, id := range d.UserIDs {
		if slices.Contains(h.Items(u), 11) {
			want[subject(id, texts.FullFold)] = 1
		}
	}
	if len(want) == 0 {
		t.Fatal("nobody has item 11")
	}
	if diff := cmp.Diff(want, ask("model", d).asked); diff != "" {
		t.Error(diff)
	}
	if n := ask("model 2", d).total(); n == 0 {
		t.Error("another model's answers were taken")
	}
	rows := labelledtest.Rows(d)
	for i := range rows {
		if x := &rows[i]; x.User == 6 && x.Label == dataset.Valid {
			x.Label = dataset.Train
		}
	}
	if n := ask("model", labelledtest.With(d, rows)).total(); n == 0 {
		t.Error("answers made under another split were taken")
	}
}

func TestItemsWithoutWordsAreNeutral(t *testing.T) {
	d, catalogue := shop(3, 5, 2)
	for i := range catalogue {
		catalogue[i].Item.Title = " \x00"
	}
	written, report, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, offline.NewReasoner(nil), newLedger(t), texts.ReasonOptions{})
	if err != nil || report.Neutral != 3 || written[2].By != texts.ByNeutral {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestCatalogueMustFit(t *testing.T) {
	items := []dataset.Item{{ID: "a"}, {ID: "b"}}
	if _, err := texts.Catalogue(items, []workspace.ItemText{{Item: "b"}, {Item: "a"}}); err == nil {
		t.Error("texts in another order accepted")
	}
	if _, err := texts.Catalogue(items, []workspace.ItemText{{Item: "a"}}); err == nil {
		t.Error("too few texts accepted")
	}
	got, err := texts.Catalogue(items, []workspace.ItemText{{Item: "a"}, {Item: "b", ImageText: "red"}})
	if err != nil || got[1].Text() != "red" {
		t.Errorf("%v, %v", got, err)
	}
}
