package mllm_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

func TestRetryCountsByOutcome(t *testing.T) {
	failure := errors.New("failure")
	for name, c := range map[string]struct {
		next mllm.Next
		want int
	}{
		"final": {mllm.GiveUp, 1}, "backoff": {mllm.AfterBackoff, 3}, "pause": {mllm.AfterPause, 3}, "rate limit": {mllm.AfterRateLimit, 15},
	} {
		sent := 0
		err := mllm.Retry{Attempts: 3, Backoff: time.Microsecond, MaxBackoff: time.Millisecond}.Do(t.Context(), func(number int) (mllm.Next, error) {
			if sent++; number != sent {
				t.Errorf("%s: attempt %d is called number %d", name, sent, number)
			}
			return c.next, failure
		})
		if !errors.Is(err, failure) || sent != c.want {
			t.Errorf("%s: %d attempts, %v; want %d", name, sent, err, c.want)
		}
	}
	sent := 0
	err := mllm.Retry{Attempts: 1}.Do(t.Context(), func(int) (mllm.Next, error) {
		if sent++; sent <= 20 {
			return mllm.Elsewhere, failure
		}
		return mllm.GiveUp, nil
	})
	if err != nil || sent != 21 {
		t.Errorf("attempts that go elsewhere are counted: %d, %v", sent, err)
	}
}

func TestRetryPausesDoubleUpToTheMost(t *testing.T) {
	var pauses []time.Duration
	retry := mllm.Retry{Attempts: 6, Backoff: 2, MaxBackoff: 9, Jitter: func(d time.Duration) time.Duration {
		pauses = append(pauses, d)
		return 0
	}}
	_ = retry.Do(t.Context(), func(int) (mllm.Next, error) { return mllm.AfterBackoff, errors.New("failure") })
	want := []time.Duration{2, 4, 8, 9, 9}
	if len(pauses) != len(want) {
		t.Fatalf("pauses %v, want %v", pauses, want)
	}
	for i, d := range want {
		if pauses[i] != d {
			t.Errorf("pauses %v, want %v", pauses, want)
		}
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := mllm.Retry{Attempts: 3, Backoff: time.Hour, MaxBackoff: time.Hour}.Do(ctx, func(int) (mllm.Next, error) {
		cancel()
		return mllm.AfterBackoff, errors.New("failure")
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
