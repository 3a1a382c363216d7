package answering

import (
	"context"
	"sync/atomic"
)

// kept is a value that is made when it is first asked for, by one goroutine while others
// wait, and then kept. An error is not kept: a model server that did not answer may
// answer the next time.
type kept[T any] struct {
	make  func(context.Context) (T, error)
	value atomic.Pointer[T]
	turn  chan struct{} // full while somebody makes the value
}

func keep[T any](produce func(context.Context) (T, error)) *kept[T] {
	return &kept[T]{make: produce, turn: make(chan struct{}, 1)}
}

// get returns the value. Waiting for another goroutine that makes it ends with ctx.
func (k *kept[T]) get(ctx context.Context) (T, error) {
	if v := k.value.Load(); v != nil {
		return *v, nil
	}
	var none T
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if v := k.value.Load(); v != nil {
		return *v, nil
	}
	v, err := k.make(ctx)
	if err != nil {
		return none, err
	}
	k.value.Store(&v)
	return v, nil
}
