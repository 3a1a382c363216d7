package queue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
)

// shop returns users with two to five train items each.
func shop(users int) (*dataset.Dataset, []texts.HistoryItem) {
	const n = 60
	d := &dataset.Dataset{Domain: "test goods"}
	var catalogue []texts.HistoryItem
	for i := range n {
		it := dataset.Item{ID: fmt.Sprint("i", i), Title: fmt.Sprintf("thing%d", i), Categories: []string{"things"}, Image: "somewhere"}
		d.Items = append(d.Items, it)
		catalogue = append(catalogue, texts.HistoryItem{Item: it, ImageText: fmt.Sprintf("picture %d", i)})
	}
	for u := range users {
		d.UserIDs = append(d.UserIDs, fmt.Sprint("u", u))
		for k := range 2 + u%4 {
			d.Append(dataset.Interaction{User: int32(u), Item: int32((u*7 + k) % n), Label: dataset.Train, Time: int64(k)})
		}
	}
	return d, catalogue
}

// asking is what a fake model is asked.
type asking struct {
	Worker, User string
	Fold         int
	Attempt      int
	Shown        string
}

func (a asking) subject() string { return fmt.Sprintf("%s/%d", a.User, a.Fold) }

// model is a fake model behind HTTP. It says nothing to some first attempts, refuses some
// users always, and counts.
type model struct {
	*httptest.Server
	stored func(a asking) bool // whether the answer is stored already
	delay  func(a asking) time.Duration

	mu         sync.Mutex
	asked      map[string]int
	byWorker   map[string]int
	violations []string
	total      atomic.Int64
}

func newModel(t testing.TB) *model {
	m := &model{asked: map[string]int{}, byWorker: map[string]int{}}
	m.Server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.Close)
	return m
}

func (m *model) serve(w http.ResponseWriter, r *http.Request) {
	var a asking
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	m.total.Add(1)
	again := m.stored != nil && m.stored(a)
	m.mu.Lock()
	m.asked[a.subject()]++
	m.byWorker[a.Worker]++
	if again {
		m.violations = append(m.violations, a.subject())
	}
	m.mu.Unlock()
	if m.delay != nil {
		select {
		case <-time.After(m.delay(a)):
		case <-r.Context().Done():
			return
		}
	}
	var n int
	fmt.Sscanf(a.User, "u%d", &n)
	switch {
	case n%101 == 100:
		http.Error(w, "never", http.StatusBadRequest)
	case n%37 == 0 && a.Attempt == 1:
		// An empty answer: the next attempt is another one.
	default:
		fmt.Fprintf(w, "likes %s", a.Shown)
	}
}

func (m *model) askedBy(worker string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byWorker[worker]
}

// caller is a reasoner, and a describer, that asks a model.
type caller struct {
	URL, Model, Worker string
}

// client keeps as many connections as there may be questions in flight.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

func (c *caller) ID() string { return "caller " + c.Model }

func (c *caller) Reason(ctx context.Context, r texts.ReasonRequest) (texts.Answer, error) {
	var shown []string
	for _, it := range r.Items {
		shown = append(shown, it.Text())
	}
	return c.ask(ctx, asking{c.Worker, r.User, r.Fold, r.Attempt, r.Domain + ": " + strings.Join(shown, " | ")})
}

func (c *caller) Describe(ctx context.Context, r texts.DescribeRequest) (texts.Answer, error) {
	a, err := c.ask(ctx, asking{c.Worker, r.Item.ID, texts.FullFold, r.Attempt, fmt.Sprintf("%s %s %s %d×%d", r.Item.Title, r.Image.Data, r.Image.MIME, r.Image.Width, r.Image.Height)})
	a.ImageHash = r.Image.SHA256
	return a, err
}

func (c *caller) ask(ctx context.Context, a asking) (texts.Answer, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return texts.Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(raw))
	if err != nil {
		return texts.Answer{}, err
	}
	answer := texts.Answer{Model: c.Model, ModelDigest: "d", PromptTokens: 10, AnswerTokens: 2, Seconds: 0.01, Params: map[string]any{"b": 1, "a": 2}}
	resp, err := client.Do(req)
	if err != nil {
		class := mllm.Network
		if ctx.Err() != nil {
			class = mllm.Cancelled
		}
		return answer, &mllm.Error{Class: class, Err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return answer, &mllm.Error{Class: mllm.Network, Err: err}
	case resp.StatusCode == http.StatusBadRequest:
		return answer, &mllm.Error{Class: mllm.Refused, Err: errors.New("refused")}
	case resp.StatusCode != http.StatusOK:
		return answer, &mllm.Error{Class: mllm.Server, Err: errors.New("no luck")}
	}
	answer.Text = string(text)
	return answer, nil
}

func (c *caller) spec() json.RawMessage {
	raw, err := json.Marshal(map[string]string{"url": c.URL, "model": c.Model})
	if err != nil {
		panic(err)
	}
	return raw
}

// workerOptions are those of a worker named name.
func workerOptions(name string) queue.WorkerOptions {
	make := func(spec json.RawMessage) (*caller, error) {
		c := &caller{Worker: name}
		return c, json.Unmarshal(spec, c)
	}
	return queue.WorkerOptions{
		Reasoner: func(_ context.Context, spec json.RawMessage, _ texts.Store) (texts.Reasoner, error) {
			return make(spec)
		},
		Describer: func(_ context.Context, spec json.RawMessage, _ texts.Store) (texts.Describer, error) {
			return make(spec)
		},
		Concurrency: 4, Backoff: time.Millisecond, Grace: 10 * time.Second, Log: quiet(),
	}
}

// shortLease is for tests that wait for a heartbeat or for a lease to end. Others keep the
// usual one, which a busy machine does not outlast.
func shortLease(opt queue.WorkerOptions, d time.Duration) queue.WorkerOptions {
	opt.Lease = d
	return opt
}

// quiet drops what River says about databases that are restarted on purpose.
func quiet() *slog.Logger {
	if os.Getenv("MLLMREC_TEST_LOG") != "" {
		return slog.Default()
	}
	return slog.New(slog.DiscardHandler)
}

func openCoordinator(t testing.TB, address string) *queue.Coordinator {
	t.Helper()
	store, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	f, err := queue.New(t.Context(), store, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// startWorker runs a worker in this process until stop is called or the test ends.
func startWorker(t testing.TB, address string, opt queue.WorkerOptions) (stop func() (texts.Report, error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var report texts.Report
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		report, err = queue.RunWorker(ctx, address, opt)
	}()
	stop = func() (texts.Report, error) {
		cancel()
		<-done
		return report, err
	}
	t.Cleanup(func() { stop() })
	return stop
}

// contents is a ledger without what may differ between equal runs.
func contents(t testing.TB, s texts.Store, stage string) []texts.Generation {
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

var quick = texts.Options{Domain: "test goods", Concurrency: 8, Backoff: time.Millisecond}

// read puts texts together.
func read[T any](t *testing.T, texts *texts.Texts[T]) []T {
	t.Helper()
	all, err := texts.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// coordinate has users reasoned about in the background; the error, or nil, comes when
// that has ended.
func coordinate(t *testing.T, f *queue.Coordinator, d *dataset.Dataset, catalogue []texts.HistoryItem, c *caller) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, _, err := f.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, c, texts.ReasonOptions{Options: quick}, queue.JobOptions{Spec: c.spec()})
		done <- err
	}()
	return done
}
