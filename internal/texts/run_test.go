package texts_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/offline"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// flakyStore fails now and then, as a full disk or a lost connection does, and checks
// that nothing is asked whose answer it has.
type flakyStore struct {
	texts.Store
	mu   sync.Mutex
	rng  *rand.Rand
	rate float64
}

func (s *flakyStore) Put(ctx context.Context, gs []texts.Generation) error {
	s.mu.Lock()
	fail := s.rng.Float64() < s.rate
	s.mu.Unlock()
	if fail {
		return errors.New("injected: store failed")
	}
	return s.Store.Put(ctx, gs)
}

// Whatever goes wrong, a run that is repeated until it is through leaves the same ledger
// and the same texts as an undisturbed one, and no stored answer is asked for again.
func TestFaultsCancellationsAndStoreFailures(t *testing.T) {
	d, catalogue := shop(300, 50, 6)
	h := d.TrainHistories()
	opt := texts.ReasonOptions{Options: texts.Options{Concurrency: 6, Backoff: time.Microsecond, Attempts: 2}, Folds: 2}
	calm := newLedger(t)
	wantTexts, _, err := reasonUsers(t.Context(), h, d.UserIDs, catalogue, &echo{id: "e"}, calm, opt)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var mu sync.Mutex
		roll := func() float64 { mu.Lock(); defer mu.Unlock(); return rng.Float64() }
		inner := newLedger(t)
		store := &flakyStore{Store: inner, rng: rand.New(rand.NewPCG(seed, 1)), rate: 0.01}
		classes := mllm.Classes()
		opt.CommitEvery = time.Duration(seed%2) * time.Millisecond
		runs, stopped := 0, 0
		for {
			if runs++; runs > 400 {
				t.Fatal("the run never gets through")
			}
			answered := map[string]bool{}
			for _, g := range contents(t, inner, texts.StageReason) {
				if g.Status == texts.StatusOK {
					answered[subject(g.Subject, g.Fold)] = true
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			e := &echo{id: "e", fault: func(texts.ReasonRequest) error {
				switch p := roll(); {
				case p < 0.002:
					cancel()
				case p < 0.003:
					panic("injected")
				case p < 0.05:
					return failWith(classes[int(p*1e6)%len(classes)])
				}
				return nil
			}}
			written, report, err := reasonUsers(ctx, h, d.UserIDs, catalogue, e, store, opt)
			cancel()
			for s := range e.asked {
				if answered[s] {
					t.Fatalf("%s was asked again", s)
				}
			}
			if err != nil {
				stopped++
				if written != nil || report.Done() == report.Total && !errors.Is(err, context.Canceled) {
					t.Fatalf("texts of a stopped run, or none left undone: %+v, %v", report, err)
				}
				continue
			}
			if report.Pending != 0 {
				t.Fatalf("report %+v", report)
			}
			if report.Quarantined > 0 {
				continue
			}
			if diff := cmp.Diff(wantTexts, written); diff != "" {
				t.Fatal(diff)
			}
			break
		}
		if stopped == 0 {
			t.Error("nothing was injected")
		}
		if diff := cmp.Diff(contents(t, calm, texts.StageReason), contents(t, inner, texts.StageReason)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestQuarantineFallsBackVisiblyAndIsTriedAgain(t *testing.T) {
	d, catalogue := shop(20, 40, 4)
	s := newLedger(t)
	bad := true
	e := &echo{id: "e", fault: func(r texts.ReasonRequest) error {
		if bad && r.User == "u3" {
			return failWith(mllm.Repetition)
		}
		return nil
	}}
	opt := texts.ReasonOptions{Options: quick, Fallback: offline.NewReasoner(nil)}
	written, report, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, e, s, opt)
	if err != nil {
		t.Fatal(err)
	}
	if x := written[3]; x.Status != workspace.StatusFallback || x.By != offline.ReasonerModel || x.Text == "" || x.Key == "" || len(x.Sources) != 3 {
		t.Errorf("fallback %+v", x)
	}
	if report.Quarantined != 1 || report.Classes["repetition"] != 3 || len(report.Failures) != 1 || report.Failures[0].Subject != "u3" || report.Failures[0].Attempt != 3 {
		t.Errorf("report %+v", report)
	}
	if report.PromptTokens != int64(10*report.Asked) {
		t.Errorf("tokens of failed requests are not booked: %+v", report)
	}
	bad = false
	written, report, err = reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, e, s, opt)
	if err != nil || report.Asked != 1 || report.Answered != 1 || written[3].Status != workspace.StatusOK {
		t.Errorf("second run: %+v, %v", report, err)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4}, e.attempts["u3/-1"]); diff != "" {
		t.Errorf("attempts: %s", diff)
	}
	g, err := s.Find(t.Context(), texts.StageReason, "u3")
	if err != nil || len(g) != 1 || g[0].Attempt != 4 || g[0].PromptTokens != 40 || g[0].Status != texts.StatusOK || g[0].Error != "" || g[0].Params != `{"a":2,"b":1}` {
		t.Errorf("stored %+v, %v", g, err)
	}
}

func TestPermanentFailuresAreNotRetried(t *testing.T) {
	d, catalogue := shop(3, 9, 2)
	e := &echo{id: "e", fault: func(texts.ReasonRequest) error { return failWith(mllm.Refused) }}
	_, report, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, e, newLedger(t), texts.ReasonOptions{Options: quick})
	if err != nil || report.Asked != 2 || report.Quarantined != 2 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestUnusableServerStopsTheRun(t *testing.T) {
	d, catalogue := shop(2000, 40, 4)
	for _, class := range []mllm.Class{mllm.Auth, mllm.NotFound, mllm.WrongModel, mllm.Unavailable, mllm.OverBudget} {
		s := newLedger(t)
		e := &echo{id: "e", fault: func(r texts.ReasonRequest) error {
			if r.User == "u101" {
				return failWith(class)
			}
			return nil
		}}
		written, report, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, e, s, texts.ReasonOptions{Options: quick})
		if mllm.ClassOf(err) != class || written != nil || report.Asked > 200 || report.Quarantined != 0 {
			t.Errorf("%s: %v, report %+v", class, err, report)
		}
		if n := len(contents(t, s, texts.StageReason)); n != report.Answered || n == 0 {
			t.Errorf("%s: %d stored of %d answered", class, n, report.Answered)
		}
	}
}

func TestCancelKeepsWhatIsInFlight(t *testing.T) {
	d, catalogue := shop(500, 40, 4)
	s := newLedger(t)
	ctx, cancel := context.WithCancel(t.Context())
	e := &echo{id: "e", pause: 20 * time.Millisecond, fault: func(texts.ReasonRequest) error { cancel(); return nil }}
	_, report, err := reasonUsers(ctx, d.TrainHistories(), d.UserIDs, catalogue, e, s, texts.ReasonOptions{Options: texts.Options{Concurrency: 8}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := len(contents(t, s, texts.StageReason)); n != e.total() || n != report.Answered || n == 0 {
		t.Errorf("%d asked, %d answered, %d stored", e.total(), report.Answered, n)
	}
}

func TestGraceEnds(t *testing.T) {
	d, catalogue := shop(5, 40, 4)
	for _, grace := range []time.Duration{10 * time.Millisecond, -1} {
		ctx, cancel := context.WithCancel(t.Context())
		e := &echo{id: "e", pause: time.Hour}
		time.AfterFunc(20*time.Millisecond, cancel)
		start := time.Now()
		_, report, err := reasonUsers(ctx, d.TrainHistories(), d.UserIDs, catalogue, e, newLedger(t), texts.ReasonOptions{Options: texts.Options{Concurrency: 2, Grace: grace}})
		if !errors.Is(err, context.Canceled) || report.Quarantined != 0 || time.Since(start) > 10*time.Second {
			t.Errorf("after %v: %+v, %v", time.Since(start), report, err)
		}
	}
}

func TestConcurrencyLimitAndProgress(t *testing.T) {
	d, catalogue := shop(400, 40, 4)
	var seen []texts.Progress
	opt := texts.ReasonOptions{Options: texts.Options{Concurrency: 7, Progress: func(p texts.Progress) { seen = append(seen, p) }}}
	e := &echo{id: "e", pause: time.Millisecond}
	if _, _, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, e, newLedger(t), opt); err != nil {
		t.Fatal(err)
	}
	if m := e.most.Load(); m != 7 {
		t.Errorf("%d in flight at most, want 7", m)
	}
	last := seen[len(seen)-1]
	if last.Done != 400 || last.Total != 400 || last.Answered != 320 || last.Stage != texts.StageReason {
		t.Errorf("last progress %+v", last)
	}
	for i := 1; i < len(seen); i++ {
		if seen[i].Done < seen[i-1].Done {
			t.Errorf("progress went back: %d after %d", seen[i].Done, seen[i-1].Done)
		}
	}
}

func TestLimitLeavesTheRestPending(t *testing.T) {
	d, catalogue := shop(100, 40, 4)
	s := newLedger(t)
	opt := texts.ReasonOptions{Options: quick, Fallback: offline.NewReasoner(nil)}
	opt.Limit = 30
	asked := 0
	for _, want := range []int{50, 20, 0} { // 80 users have items
		e := &echo{id: "e"}
		written, report, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, e, s, opt)
		if err != nil || report.Pending != want {
			t.Fatalf("pending %d, want %d; %v", report.Pending, want, err)
		}
		asked += e.total()
		fallback := 0
		for _, x := range written {
			if x.Status == workspace.StatusFallback {
				fallback++
			}
		}
		if fallback != want {
			t.Errorf("%d fallback texts for %d pending", fallback, want)
		}
	}
	if asked != 80 {
		t.Errorf("%d asked", asked)
	}
}

// Answers that gather must not wait for the next one: the last batch is stored when it
// is due, and a paid answer at once.
func TestCommitEvery(t *testing.T) {
	for _, every := range []time.Duration{0, 30 * time.Millisecond} {
		d, catalogue := shop(5, 40, 4)
		s := newLedger(t)
		hold := make(chan struct{})
		e := &echo{id: "e", fault: func(r texts.ReasonRequest) error {
			if r.User == "u4" {
				<-hold
			}
			return nil
		}}
		done := make(chan error)
		go func() {
			_, _, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, e, s, texts.ReasonOptions{Options: texts.Options{Concurrency: 2, CommitEvery: every}})
			done <- err
		}()
		deadline := time.Now().Add(10 * time.Second)
		for len(contents(t, s, texts.StageReason)) < 3 {
			if time.Now().After(deadline) {
				t.Fatalf("commit every %v: answers are not stored while another is awaited", every)
			}
			time.Sleep(2 * time.Millisecond)
		}
		close(hold)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkReasonOffline(b *testing.B) {
	d, catalogue := shop(20_000, 5000, 8)
	var corpus []string
	for _, it := range catalogue {
		corpus = append(corpus, it.Text())
	}
	r := offline.NewReasoner(corpus)
	for b.Loop() {
		s := newLedger(b)
		opt := texts.ReasonOptions{Options: texts.Options{Concurrency: 2, CommitEvery: time.Second}}
		if _, rep, err := reasonUsers(b.Context(), d.TrainHistories(), d.UserIDs, catalogue, r, s, opt); err != nil || rep.Pending > 0 {
			b.Fatal(rep, err)
		}
	}
}

func TestFaultsOnTheWayChangeNothing(t *testing.T) {
	d, catalogue := shop(20, 40, 4)
	failed := map[string]int{}
	var mu sync.Mutex
	e := &echo{id: "e", fault: func(r texts.ReasonRequest) error {
		mu.Lock()
		defer mu.Unlock()
		if failed[r.User]++; failed[r.User] <= 2 {
			return failWith(mllm.Network)
		}
		return nil
	}}
	if _, _, err := reasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, e, newLedger(t), texts.ReasonOptions{Options: quick}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 1, 1}, e.attempts["u3/-1"]); diff != "" {
		t.Errorf("attempts that differ in what is asked: %s", diff)
	}
}
