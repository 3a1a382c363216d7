package mllmrec_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/mllmrec/mllmrec"
)

func TestHistoryIsLeftOut(t *testing.T) {
	rec := open(t, "shop.ws")
	history, err := rec.History("u01")
	if err != nil {
		t.Fatal(err)
	}
	mine := map[string]bool{}
	for _, it := range history {
		mine[it.ID] = true
	}
	items, err := rec.ForUser(t.Context(), "u01", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if want := 40 - len(history); len(history) == 0 || len(items) != want {
		t.Fatalf("%d items, want the catalogue less the history of %d: %d", len(items), len(history), want)
	}
	for i, it := range items {
		if mine[it.Item] {
			t.Errorf("%s is in the history", it.Item)
		}
		if it.Rank != i+1 || i > 0 && it.Score > items[i-1].Score {
			t.Errorf("place %d has rank %d and score %v, the one before %v", i+1, it.Rank, it.Score, items[max(i-1, 0)].Score)
		}
	}
}

func TestColdStartFollowsTheHistory(t *testing.T) {
	rec := open(t, "shop.ws")
	for _, kind := range []string{"mug", "lamp", "sneaker", "tent"} {
		history := []string{kind + "-00", kind + "-03", kind + "-06"}
		items, err := rec.ForHistory(t.Context(), history, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			if !strings.HasPrefix(it.Item, kind) || strings.Contains(strings.Join(history, " "), it.Item) {
				t.Errorf("%v get %s", history, it.Item)
			}
		}
	}
}

// A model whose users are made of their items places a history as it is: no text, no writer.
func TestColdStartWithoutAnyText(t *testing.T) {
	ctx := t.Context()
	if err := importShop(ctx, "pool.ws", ""); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{"seed": "random", "embedding_dim": "16", "epochs": "100", "lr": "0.02", "scale": "5"}
	if _, err := mllmrec.Build(ctx, "pool.ws", mllmrec.BuildOptions{Model: "pool", Settings: settings}); err != nil {
		t.Fatal(err)
	}
	rec := open(t, "pool.ws")
	items, err := rec.ForHistory(ctx, []string{"lamp-00", "lamp-03", "lamp-06"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if !strings.HasPrefix(it.Item, "lamp") || it.Item == "lamp-00" || it.Item == "lamp-03" || it.Item == "lamp-06" {
			t.Errorf("three lamps get %s", it.Item)
		}
	}
	// A user of the data set and a stranger with the same history are one person.
	history, err := rec.History("u07")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, it := range history {
		ids = append(ids, it.ID)
	}
	known, err := rec.ForUser(ctx, "u07", 9)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := rec.ForHistory(ctx, ids, 9)
	if err != nil || !reflect.DeepEqual(known, stranger) {
		t.Errorf("u07 gets %v, somebody with the same history %v (%v)", known, stranger, err)
	}
	_, err = rec.ForText(ctx, "a mug", 5)
	wantKind(t, "a sentence", err, mllmrec.KindMistake, "only by the items they chose")
	_, err = open(t, "pool.ws", mllmrec.WithWriter("offline")).ForHistory(ctx, ids, 5)
	wantKind(t, "a writer without a use", err, mllmrec.KindMistake, "no preference is written")
}

func TestSimilarLeavesTheItemOutAndCosinesFall(t *testing.T) {
	for _, dir := range []string{"shop.ws", "clicks.ws"} {
		rec := open(t, dir)
		items, err := rec.Similar(t.Context(), "mug-00", 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(items) != 39 {
			t.Errorf("%s: %d similar items, want all others", dir, len(items))
		}
		last := 1 + 1e-6
		for _, it := range items {
			if it.Item == "mug-00" || it.Score > last || it.Score < -1-1e-6 {
				t.Errorf("%s: %s at %v after %v", dir, it.Item, it.Score, last)
			}
			last = it.Score
		}
	}
}

var (
	histories = [][]string{{"mug-01"}, {"lamp-02", "lamp-04", "mug-01"}, {"tent-00", "tent-00"}, {"sneaker-09", "tent-01", "lamp-05", "mug-03"}}
	sentences = []string{"a red striped mug", "something for camping, waterproof", "Warm light. For the bedside!"}
)

// Each of several asked at once gets what it would get alone, to the last bit.
func TestSeveralAtOnceGetWhatEachGets(t *testing.T) {
	rec := open(t, "shop.ws")
	ctx := t.Context()
	check := func(kind string, all [][]mllmrec.Recommendation, err error, n int, single func(n int) ([]mllmrec.Recommendation, error)) {
		t.Helper()
		if err != nil || len(all) != n {
			t.Fatalf("%s: %d lists, want %d: %v", kind, len(all), n, err)
		}
		for i := range all {
			one, err := single(i)
			if err != nil || len(one) == 0 || !reflect.DeepEqual(all[i], one) {
				t.Errorf("%s %d: together %v, alone %v, %v", kind, i, all[i], one, err)
			}
		}
	}
	users := rec.Users()
	all, err := rec.ForUsers(ctx, users, 7)
	check("user", all, err, shoppers, func(n int) ([]mllmrec.Recommendation, error) { return rec.ForUser(ctx, users[n], 7) })
	all, err = rec.ForHistories(ctx, histories, 7)
	check("history", all, err, len(histories), func(n int) ([]mllmrec.Recommendation, error) { return rec.ForHistory(ctx, histories[n], 7) })
	all, err = rec.ForTexts(ctx, sentences, 7)
	check("sentence", all, err, len(sentences), func(n int) ([]mllmrec.Recommendation, error) { return rec.ForText(ctx, sentences[n], 7) })
	for kind, ask := range map[string]func() ([][]mllmrec.Recommendation, error){
		"users":     func() ([][]mllmrec.Recommendation, error) { return rec.ForUsers(ctx, nil, 7) },
		"histories": func() ([][]mllmrec.Recommendation, error) { return rec.ForHistories(ctx, nil, 7) },
		"sentences": func() ([][]mllmrec.Recommendation, error) { return rec.ForTexts(ctx, nil, 7) },
	} {
		if lists, err := ask(); err != nil || len(lists) != 0 {
			t.Errorf("no %s: %v, %v", kind, lists, err)
		}
	}
}

// asker asks one question of each kind.
func asker(t *testing.T, rec *mllmrec.Recommender) []func() (any, error) {
	ctx := t.Context()
	return []func() (any, error){
		func() (any, error) { return rec.ForUser(ctx, "u07", 5) },
		func() (any, error) { return rec.ForUsers(ctx, []string{"u01", "u02", "u79"}, 40) },
		func() (any, error) { return rec.ForHistory(ctx, histories[1], 5) },
		func() (any, error) { return rec.ForHistories(ctx, histories, 5) },
		func() (any, error) { return rec.ForText(ctx, sentences[0], 5) },
		func() (any, error) { return rec.ForTexts(ctx, sentences, 5) },
		func() (any, error) { return rec.Similar(ctx, "mug-00", 5) },
		func() (any, error) { return rec.History("u07") },
		func() (any, error) { return rec.Item("mug-00") },
	}
}

// Everything that is read later is first asked for by many at once here.
func TestManyAskAtOnce(t *testing.T) {
	var want []any
	for _, ask := range asker(t, open(t, "shop.ws")) {
		got, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, got)
	}
	questions := asker(t, open(t, "shop.ws"))
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for n := range questions {
				n = (n + g) % len(questions)
				if got, err := questions[n](); err != nil || !reflect.DeepEqual(got, want[n]) {
					t.Errorf("goroutine %d, question %d: %v, %v; want %v", g, n, got, err, want[n])
				}
			}
		})
	}
	wg.Wait()
}

func TestCloseWhileOthersAsk(t *testing.T) {
	rec := open(t, "shop.ws")
	questions := asker(t, rec)
	var wg sync.WaitGroup
	begun := make(chan struct{}, len(questions))
	for n, ask := range questions {
		wg.Go(func() {
			for first := true; ; first = false {
				_, err := ask()
				if first {
					begun <- struct{}{}
				}
				if err != nil {
					if mllmrec.KindOf(err) != mllmrec.KindMistake || !strings.Contains(err.Error(), "is closed") {
						t.Errorf("question %d of a closed recommender: %v", n, err)
					}
					return
				}
			}
		})
	}
	for range questions {
		<-begun
	}
	for range 2 {
		if err := rec.Close(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if rec.Run().ID == "" || rec.Users() != nil {
		t.Errorf("closed: run %q, %d users", rec.Run().ID, len(rec.Users()))
	}
}

func TestRunsAreListedAndKeepTheirAnswers(t *testing.T) {
	runs, err := mllmrec.Runs(t.Context(), "shop.ws")
	if err != nil || len(runs) != 2 || runs[0].ID == runs[1].ID {
		t.Fatalf("%v, %v; want two runs", runs, err)
	}
	answers := map[string][]mllmrec.Recommendation{}
	for _, run := range runs {
		rec := open(t, "shop.ws", mllmrec.WithRun(run.ID))
		if !reflect.DeepEqual(rec.Run(), run) || run.Model != "mllmrec" || run.Seed != 999 || run.Leaky || run.Provenance != "train-only" || run.Valid["recall@20"] <= 0 {
			t.Errorf("run %+v, listed %+v", rec.Run(), run)
		}
		if answers[run.ID], err = rec.ForText(t.Context(), "a red mug", 5); err != nil {
			t.Error(err)
		}
	}
	if reflect.DeepEqual(answers[runs[0].ID], answers[runs[1].ID]) {
		t.Error("an epoch and a whole training answer the same, to the bit")
	}
}
