package ollama

import (
	"context"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Ollama names weights by digest in its list of models and not in its answers. A model that
// is pulled or created again under its name in the middle of a run would go on answering,
// and its answers would be booked under the digest of the weights before it. Therefore the
// list is read again after each answer, by a question that was begun after the answer had
// come: an answer whose weights had one digest before it and another after it may be of
// either, and is not taken. Answers that come at about the same time share one question.
//
// A swap there and back between two answers goes unseen.

// confirm returns an error of class WrongModel if the model's digest is not what it was.
// Where the server cannot be asked the answer is taken, and the next request asks first.
func (c *Client) confirm(ctx context.Context, m *model, name, before string) error {
	digest, err := c.digestNow(ctx, m, name)
	if err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.fetched = time.Time{}
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if digest == before {
		if m.known.Digest == before {
			m.fetched = time.Now()
		}
		return nil
	}
	m.fetched = time.Time{} // the new weights may have another window
	return c.otherWeights(name, "the weights behind the name were exchanged while it answered: digest %s before, %s after", short(before), short(digest))
}

func (c *Client) otherWeights(name, format string, args ...any) error {
	e := c.wire.Fail(mllm.WrongModel, name, format, args...)
	e.OtherWeights = true
	e.Err = usererr.Wrap(e.Err, "Answers stored so far stay under the weights that wrote them. Run it again to ask the new ones, or put the old ones back.")
	return e
}

// digestNow returns the digest that the server lists after the call.
func (c *Client) digestNow(ctx context.Context, m *model, name string) (string, error) {
	m.mu.Lock()
	l := m.next
	if l == nil {
		l = &lookup{done: make(chan struct{})}
		m.next = l
		if !m.confirming {
			m.confirming = true
			// Other answers wait for it too: it must not end when the first is cancelled.
			go c.confirmAll(context.WithoutCancel(ctx), m, name)
		}
	}
	m.mu.Unlock()
	select {
	case <-l.done:
		return l.info.Digest, l.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// confirmAll asks for those that wait, until none does. Those that come while the server is
// asked wait for the next question.
func (c *Client) confirmAll(ctx context.Context, m *model, name string) {
	for {
		m.mu.Lock()
		l := m.next
		m.next = nil
		m.confirming = l != nil
		m.mu.Unlock()
		if l == nil {
			return
		}
		l.info, l.err = c.list(ctx, name)
		close(l.done)
	}
}
