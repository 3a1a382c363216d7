package texts_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// shop returns users with 0, 1, 2, … train items each, cyclically up to most, and two
// held-out ones, and a catalogue of n items.
func shop(users, n, most int) (*dataset.Dataset, []texts.HistoryItem) {
	d := &dataset.Dataset{Domain: "test goods"}
	var catalogue []texts.HistoryItem
	for i := range n {
		it := dataset.Item{ID: fmt.Sprint("i", i), Title: fmt.Sprintf("thing%d", i)}
		d.Items = append(d.Items, it)
		catalogue = append(catalogue, texts.HistoryItem{Item: it})
	}
	for u := range users {
		d.UserIDs = append(d.UserIDs, fmt.Sprint("u", u))
		train := u % (most + 1)
		for k := range train + 2 {
			label := dataset.Train
			if k >= train {
				label = dataset.Valid + dataset.Label(k-train)
			}
			d.Append(dataset.Interaction{User: int32(u), Item: int32((u*7 + k) % n), Label: label, Time: int64(k)})
		}
	}
	return d, catalogue
}

// echo answers with what it was shown. fault, if set, may fail an attempt.
type echo struct {
	id    string
	fault func(r texts.ReasonRequest) error
	pause time.Duration

	mu       sync.Mutex
	asked    map[string]int // by user and fold
	attempts map[string][]int
	flying   atomic.Int32
	most     atomic.Int32
}

func subject(user string, fold int) string { return fmt.Sprintf("%s/%d", user, fold) }

func (e *echo) ID() string { return e.id }

func (e *echo) Reason(ctx context.Context, r texts.ReasonRequest) (texts.Answer, error) {
	n := e.flying.Add(1)
	defer e.flying.Add(-1)
	for m := e.most.Load(); n > m && !e.most.CompareAndSwap(m, n); m = e.most.Load() {
	}
	e.mu.Lock()
	if e.asked == nil {
		e.asked, e.attempts = map[string]int{}, map[string][]int{}
	}
	e.asked[subject(r.User, r.Fold)]++
	e.attempts[subject(r.User, r.Fold)] = append(e.attempts[subject(r.User, r.Fold)], r.Attempt)
	e.mu.Unlock()
	if e.pause > 0 {
		select {
		case <-time.After(e.pause):
		case <-ctx.Done():
			return texts.Answer{}, ctx.Err()
		}
	}
	if e.fault != nil {
		if err := e.fault(r); err != nil {
			return texts.Answer{PromptTokens: 10}, err
		}
	}
	return texts.Answer{Text: shownText(r), Model: "echo", ModelDigest: "d1", PromptTokens: 10, AnswerTokens: 5, Params: map[string]any{"b": 1, "a": 2}}, nil
}

func shownText(r texts.ReasonRequest) string {
	var titles []string
	for _, it := range r.Items {
		titles = append(titles, it.Item.Title)
	}
	return "likes " + strings.Join(titles, " ")
}

func (e *echo) total() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, k := range e.asked {
		n += k
	}
	return n
}

func failWith(c mllm.Class) error {
	return &mllm.Error{Class: c, Err: errors.New("injected")}
}

func newLedger(t testing.TB) *ledger.SQLite {
	t.Helper()
	return openLedger(t, filepath.Join(t.TempDir(), "generations.db"))
}

func openLedger(t testing.TB, path string) *ledger.SQLite {
	t.Helper()
	s, err := ledger.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// contents returns what a ledger holds, without what may differ between equal runs.
func contents(t *testing.T, s texts.Store, stage string) []texts.Generation {
	t.Helper()
	var all []texts.Generation
	if err := s.Each(t.Context(), stage, func(g texts.Generation) error {
		g.Created, g.Seconds, g.Attempt, g.PromptTokens, g.AnswerTokens = time.Time{}, 0, 0, 0, 0
		all = append(all, g)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

var quick = texts.Options{Concurrency: 4, Backoff: time.Microsecond}

// reasonUsers is texts.ReasonUsers with its texts read.
func reasonUsers(ctx context.Context, h *dataset.Histories, users []string, catalogue []texts.HistoryItem, r texts.Reasoner, s texts.Store, opt texts.ReasonOptions) ([]workspace.UserText, texts.Report, error) {
	written, report, err := texts.ReasonUsers(ctx, h, users, catalogue, r, s, opt)
	return read(written, report, err)
}

// describeItems is texts.DescribeItems with its texts read.
func describeItems(ctx context.Context, items []dataset.Item, images texts.ImageSource, d texts.Describer, s texts.Store, opt texts.DescribeOptions) ([]workspace.ItemText, texts.Report, error) {
	written, report, err := texts.DescribeItems(ctx, items, images, d, s, opt)
	return read(written, report, err)
}

func read[T any](written *texts.Texts[T], report texts.Report, err error) ([]T, texts.Report, error) {
	if err != nil {
		return nil, report, err
	}
	all, err := written.Collect(context.Background())
	return all, report, err
}
