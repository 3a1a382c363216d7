package image

import (
	"context"
	"sync"
)

// hosts bounds the number of downloads from one host at a time.
type hosts struct {
	limit int

	mu    sync.Mutex
	slots map[string]*hostSlots
}

type hostSlots struct {
	free  chan struct{} // holds an element for each running download
	users int           // downloads running and waiting; at zero the entry is removed
}

func newHosts(limit int) *hosts { return &hosts{limit: limit, slots: map[string]*hostSlots{}} }

// acquire waits for a slot of the host; release must be called once.
func (h *hosts) acquire(ctx context.Context, host string) (release func(), err error) {
	h.mu.Lock()
	s := h.slots[host]
	if s == nil {
		s = &hostSlots{free: make(chan struct{}, h.limit)}
		h.slots[host] = s
	}
	s.users++
	h.mu.Unlock()
	leave := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(h.slots, host)
		}
	}
	select {
	case s.free <- struct{}{}:
		return func() { <-s.free; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
