package mllm_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// fake is a Client in memory: under synctest its clock, and the pool's, are virtual.
type fake struct {
	name     string
	delay    time.Duration
	answer   func(n int, r mllm.Request) (mllm.Response, error) // n counts from 1
	asked    atomic.Int32
	inFlight atomic.Int32
	most     atomic.Int32
	mu       sync.Mutex
	times    []time.Time
}

func (f *fake) Endpoint() string { return f.name }

func (f *fake) Describe(context.Context) (mllm.ServerInfo, error) {
	return mllm.ServerInfo{Endpoint: f.name}, nil
}

func (f *fake) Generate(ctx context.Context, r mllm.Request) (mllm.Response, error) {
	n := int(f.asked.Add(1))
	f.mu.Lock()
	f.times = append(f.times, time.Now())
	f.mu.Unlock()
	now := f.inFlight.Add(1)
	defer f.inFlight.Add(-1)
	for old := f.most.Load(); now > old && !f.most.CompareAndSwap(old, now); old = f.most.Load() {
	}
	select {
	case <-time.After(f.delay):
	case <-ctx.Done():
		return mllm.Response{}, &mllm.Error{Class: mllm.Cancelled, Endpoint: f.name, Err: ctx.Err()}
	}
	if f.answer == nil {
		return mllm.Response{Text: "fine", PromptTokens: 100, AnswerTokens: 100, Endpoint: f.name}, nil
	}
	return f.answer(n, r)
}

func failure(class mllm.Class) error {
	return &mllm.Error{Class: class, Err: errors.New("made to fail")}
}

func newPool(t *testing.T, opt mllm.PoolOptions, endpoints ...mllm.EndpointConfig) *mllm.Pool {
	t.Helper()
	p, err := mllm.NewPool(endpoints, opt)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ask sends n requests at once and returns their errors.
func ask(ctx context.Context, p *mllm.Pool, n int) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = p.Generate(ctx, mllm.Request{Model: "m", Prompt: fmt.Sprint(i), MaxTokens: 100}) })
	}
	wg.Wait()
	return errs
}

func TestPoolHoldsEveryLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a", delay: time.Second}
		p := newPool(t, mllm.PoolOptions{}, mllm.EndpointConfig{Client: f, Concurrency: 8})
		start := time.Now()
		if err := errors.Join(ask(t.Context(), p, 80)...); err != nil {
			t.Fatal(err)
		}
		if f.most.Load() != 8 || time.Since(start) != 10*time.Second {
			t.Errorf("80 requests of a second: %d in flight, %v", f.most.Load(), time.Since(start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a"}
		p := newPool(t, mllm.PoolOptions{}, mllm.EndpointConfig{Client: f, Concurrency: 50, RequestsPerMinute: 120})
		start := time.Now()
		if err := errors.Join(ask(t.Context(), p, 122)...); err != nil {
			t.Fatal(err)
		}
		// Two at once, then one each half second.
		if took := time.Since(start); took < 59*time.Second || took > 61*time.Second {
			t.Errorf("122 requests at 120 a minute took %v", took)
		}
		for i := range f.times[:len(f.times)-20] {
			if d := f.times[i+20].Sub(f.times[i]); d < 8900*time.Millisecond {
				t.Fatalf("21 requests within %v", d)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a"} // each uses 200 tokens, whatever was estimated
		p := newPool(t, mllm.PoolOptions{}, mllm.EndpointConfig{Client: f, Concurrency: 50, TokensPerMinute: 6000})
		start := time.Now()
		if err := errors.Join(ask(t.Context(), p, 63)...); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 115*time.Second || took > 126*time.Second {
			t.Errorf("63×200 tokens at 6000 a minute took %v", took)
		}
	})
}

func TestPoolSharesByWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{name: "a", delay: time.Second}, &fake{name: "b", delay: time.Second}
		p := newPool(t, mllm.PoolOptions{}, mllm.EndpointConfig{Client: a, Weight: 3, Concurrency: 100}, mllm.EndpointConfig{Client: b, Weight: 1, Concurrency: 100})
		for range 25 {
			if err := errors.Join(ask(t.Context(), p, 4)...); err != nil {
				t.Fatal(err)
			}
		}
		if a.asked.Load() != 75 || b.asked.Load() != 25 {
			t.Errorf("shares %d and %d, want 75 and 25", a.asked.Load(), b.asked.Load())
		}
	})
}

func TestPoolHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a", answer: func(n int, _ mllm.Request) (mllm.Response, error) {
			if n == 1 {
				return mllm.Response{}, &mllm.Error{Class: mllm.RateLimit, RetryAfter: 40 * time.Second, HasRetryAfter: true}
			}
			return mllm.Response{Text: "fine"}, nil
		}}
		p := newPool(t, mllm.PoolOptions{}, mllm.EndpointConfig{Client: f, Concurrency: 1})
		start := time.Now()
		if err := errors.Join(ask(t.Context(), p, 5)...); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 40*time.Second || took > 46*time.Second || f.asked.Load() != 6 {
			t.Errorf("%d requests in %v: the whole endpoint must pause for 40 s", f.asked.Load(), took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		// Without the header: pauses that double, and no request is wasted meanwhile.
		f := &fake{name: "a", answer: func(n int, _ mllm.Request) (mllm.Response, error) {
			if n <= 6 {
				return mllm.Response{}, failure(mllm.RateLimit)
			}
			return mllm.Response{Text: "fine"}, nil
		}}
		p := newPool(t, mllm.PoolOptions{Backoff: time.Second}, mllm.EndpointConfig{Client: f, Concurrency: 1})
		start := time.Now()
		if err := errors.Join(ask(t.Context(), p, 3)...); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 61*time.Second || took > 72*time.Second || f.asked.Load() != 9 {
			t.Errorf("%d requests in %v, want 9 in about 1+2+4+8+16+30 s", f.asked.Load(), took)
		}
	})
}

func TestPoolTriesTransientFailuresAgainAndNoOthers(t *testing.T) {
	for _, class := range mllm.Classes() {
		if class == mllm.Unavailable || class == mllm.OverBudget || class == mllm.Cancelled {
			continue // the pool's own
		}
		synctest.Test(t, func(t *testing.T) {
			f := &fake{name: "a", answer: func(n int, _ mllm.Request) (mllm.Response, error) {
				if n < 3 {
					return mllm.Response{}, failure(class)
				}
				return mllm.Response{Text: "fine"}, nil
			}}
			var seen []mllm.Class
			p := newPool(t, mllm.PoolOptions{OnAttempt: func(a mllm.Attempt) { seen = append(seen, a.Class) }}, mllm.EndpointConfig{Client: f})
			resp, err := p.Generate(t.Context(), mllm.Request{Model: "m"})
			wantAttempts, wantClass := 3, mllm.Class("")
			if !class.Transient() {
				wantAttempts, wantClass = 1, class
			}
			if mllm.ClassOf(err) != wantClass || len(seen) != wantAttempts || int(f.asked.Load()) != wantAttempts || resp.Attempts != wantAttempts {
				t.Errorf("%s: %d attempts (%v), the response says %d: %v", class, f.asked.Load(), seen, resp.Attempts, err)
			}
			if got := p.Stats().Failures[class]; got != min(2, wantAttempts) {
				t.Errorf("%s: %d failures are counted", class, got)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a", answer: func(int, mllm.Request) (mllm.Response, error) { return mllm.Response{}, failure(mllm.Server) }}
		p := newPool(t, mllm.PoolOptions{Attempts: 4}, mllm.EndpointConfig{Client: f})
		if _, err := p.Generate(t.Context(), mllm.Request{Model: "m"}); mllm.ClassOf(err) != mllm.Server || f.asked.Load() != 4 {
			t.Errorf("after %d attempts: %v", f.asked.Load(), err)
		}
	})
}

func TestPoolBreaksTheCircuitAndProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		f := &fake{name: "a", delay: 10 * time.Millisecond}
		f.answer = func(int, mllm.Request) (mllm.Response, error) {
			if time.Since(start) < time.Minute {
				return mllm.Response{}, failure(mllm.Network)
			}
			return mllm.Response{Text: "fine"}, nil
		}
		p := newPool(t, mllm.PoolOptions{Attempts: 30, OpenAfter: 5, Cooldown: 5 * time.Second}, mllm.EndpointConfig{Client: f, Concurrency: 5})
		if err := errors.Join(ask(t.Context(), p, 40)...); err != nil {
			t.Fatal(err)
		}
		// Five at first, four that took the places of the first to fail, single probes
		// after 5, 15, 35 and 75 s, then all that is left.
		if wasted := f.asked.Load() - 40; wasted != 12 {
			t.Errorf("%d requests were wasted on a dead server, want 9 and 3 probes", wasted)
		}
		if took := time.Since(start); took < 75*time.Second || took > 77*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestPoolMovesAwayFromABadEndpoint(t *testing.T) {
	for class, most := range map[mllm.Class]int32{mllm.Server: 3, mllm.Auth: 1, mllm.NotFound: 30} {
		synctest.Test(t, func(t *testing.T) {
			bad := &fake{name: "bad", answer: func(int, mllm.Request) (mllm.Response, error) { return mllm.Response{}, failure(class) }}
			good := &fake{name: "good", delay: time.Millisecond}
			p := newPool(t, mllm.PoolOptions{OpenAfter: 3, Cooldown: time.Hour, Backoff: time.Millisecond},
				mllm.EndpointConfig{Client: bad, Concurrency: 1}, mllm.EndpointConfig{Client: good, Concurrency: 1})
			if err := errors.Join(ask(t.Context(), p, 30)...); err != nil {
				t.Errorf("%s: %v", class, err)
			}
			if n := bad.asked.Load(); n == 0 || n > most {
				t.Errorf("%s: the bad endpoint was asked %d times, want at most %d", class, n, most)
			}
		})
	}
}

func TestPoolFailsWhenNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a", answer: func(int, mllm.Request) (mllm.Response, error) { return mllm.Response{}, failure(mllm.Auth) }}
		p := newPool(t, mllm.PoolOptions{}, mllm.EndpointConfig{Client: f, Concurrency: 1})
		for i, err := range ask(t.Context(), p, 10) {
			if mllm.ClassOf(err) != mllm.Auth {
				t.Errorf("request %d: %v", i, err)
			}
		}
		if f.asked.Load() != 1 {
			t.Errorf("a refused key was sent %d times", f.asked.Load())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a", answer: func(int, mllm.Request) (mllm.Response, error) { return mllm.Response{}, failure(mllm.Network) }}
		p := newPool(t, mllm.PoolOptions{OpenAfter: 2, Attempts: 100, GiveUp: 10 * time.Minute}, mllm.EndpointConfig{Client: f, Concurrency: 2})
		start := time.Now()
		for i, err := range ask(t.Context(), p, 10) {
			// Those that were tried say why; those that never were say that nobody answers.
			if c := mllm.ClassOf(err); c != mllm.Unavailable && c != mllm.Network {
				t.Errorf("request %d: %v", i, err)
			}
		}
		if took := time.Since(start); took < 10*time.Minute || took > 13*time.Minute {
			t.Errorf("gave up after %v", took)
		}
	})
}

func TestPoolStopsCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a", delay: 10 * time.Second}
		p := newPool(t, mllm.PoolOptions{Grace: 20 * time.Second}, mllm.EndpointConfig{Client: f, Concurrency: 4})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(15*time.Second, cancel)
		start := time.Now()
		answered, cancelled := 0, 0
		for _, err := range ask(ctx, p, 40) {
			switch mllm.ClassOf(err) {
			case "":
				answered++
			case mllm.Cancelled:
				cancelled++
			}
		}
		if answered != 8 || cancelled != 32 || f.asked.Load() != 8 || time.Since(start) != 20*time.Second {
			t.Errorf("%d answered, %d cancelled, %d asked, %v: the four in flight must finish and no other start", answered, cancelled, f.asked.Load(), time.Since(start))
		}
		if s := p.Stats(); s.InFlight != 0 || s.Waiting != 0 {
			t.Errorf("left behind: %+v", s)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a", delay: time.Hour}
		p := newPool(t, mllm.PoolOptions{Grace: 20 * time.Second}, mllm.EndpointConfig{Client: f})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := p.Generate(ctx, mllm.Request{Model: "m"})
		if mllm.ClassOf(err) != mllm.Cancelled || time.Since(start) != 21*time.Second {
			t.Errorf("after %v: %v; the grace ends too", time.Since(start), err)
		}
	})
}

func TestPoolKeepsToItsBudget(t *testing.T) {
	prices := &mllm.PriceTable{Currency: "USD", Models: map[string]mllm.Price{"m": {Input: 1000, Output: 1000}}} // at most 0.14 an answer
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a", delay: time.Second}
		f.answer = func(n int, _ mllm.Request) (mllm.Response, error) { // some shorter than allowed for
			return mllm.Response{Text: "fine", PromptTokens: 40, AnswerTokens: 20 + n%80}, nil
		}
		p := newPool(t, mllm.PoolOptions{Budget: mllm.Budget{MaxCost: 3, Prices: prices}}, mllm.EndpointConfig{Client: f, Concurrency: 20})
		ok := 0
		for _, err := range ask(t.Context(), p, 40) {
			switch mllm.ClassOf(err) {
			case "":
				ok++
			case mllm.OverBudget:
				if _, mine := usererr.Hint(err); !mine {
					t.Errorf("no hint: %v", err)
				}
			default:
				t.Error(err)
			}
		}
		if s := p.Stats(); s.Cost > 3 || s.Cost < 2.85 || s.Unpriced {
			t.Errorf("%d answers for %.2f", ok, s.Cost)
		}
		if _, err := p.Generate(t.Context(), mllm.Request{Model: "unknown"}); mllm.ClassOf(err) != mllm.OverBudget {
			t.Errorf("a model without a price: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a", delay: time.Minute}
		p := newPool(t, mllm.PoolOptions{Budget: mllm.Budget{MaxTime: 10*time.Minute + time.Second}}, mllm.EndpointConfig{Client: f, Concurrency: 1})
		ok := 0
		for _, err := range ask(t.Context(), p, 40) {
			if err == nil {
				ok++
			} else if mllm.ClassOf(err) != mllm.OverBudget {
				t.Error(err)
			}
		}
		if ok != 11 {
			t.Errorf("%d answers in ten minutes of one a minute, the eleventh in flight at the end", ok)
		}
	})
}

func TestPoolChecksItsOptions(t *testing.T) {
	f := &fake{name: "a"}
	for name, try := range map[string]func() (*mllm.Pool, error){
		"no endpoint": func() (*mllm.Pool, error) { return mllm.NewPool(nil, mllm.PoolOptions{}) },
		"negative weight": func() (*mllm.Pool, error) {
			return mllm.NewPool([]mllm.EndpointConfig{{Client: f, Weight: -1}}, mllm.PoolOptions{})
		},
		"no prices": func() (*mllm.Pool, error) {
			return mllm.NewPool([]mllm.EndpointConfig{{Client: f}}, mllm.PoolOptions{Budget: mllm.Budget{MaxCost: 1}})
		},
	} {
		if _, err := try(); err == nil {
			t.Errorf("%s was accepted", name)
		} else if _, mine := usererr.Hint(err); !mine {
			t.Errorf("%s: %v is the user's to mend", name, err)
		}
	}
}
