package answering

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestKeptIsMadeOnceAndTriedAgain(t *testing.T) {
	broken := errors.New("away")
	var made atomic.Int32
	k := keep(func(context.Context) (int, error) {
		if made.Add(1) == 1 {
			return 0, broken
		}
		return 7, nil
	})
	if _, err := k.get(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("first: %v", err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if v, err := k.get(t.Context()); v != 7 || err != nil {
				t.Errorf("%d, %v", v, err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 2 {
		t.Errorf("made %d times, want once after the failure", made.Load())
	}
}

func TestWaitingForAKeptValueEndsWithTheContext(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	k := keep(func(context.Context) (int, error) {
		close(begun)
		<-end
		return 7, nil
	})
	done := make(chan int)
	go func() {
		v, _ := k.get(context.Background())
		done <- v
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.get(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("while another makes it: %v", err)
	}
	close(end)
	if v := <-done; v != 7 {
		t.Errorf("made %d", v)
	}
	if v, err := k.get(ctx); v != 7 || err != nil {
		t.Errorf("once made, an ended context does no harm: %d, %v", v, err)
	}
}
