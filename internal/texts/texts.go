package texts

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"sync"
)

// Texts are the result of [DescribeItems] or [ReasonUsers]. Each text is made from its
// stored answer when it is read, so that memory does not hold them all: it holds 33 bytes a
// text, which say where its answer is. The store and the source of pictures must stay open
// until the texts are read.
type Texts[T any] struct {
	stage string
	store Store
	index *answerIndex
	// text makes one text; g is its answer, nil where there is none.
	text func(ctx context.Context, i int, key string, g *Generation) T
}

// Len returns the number of texts.
func (t *Texts[T]) Len() int { return len(t.index.source) }

// All yields the texts in order: of items in the order of the catalogue, of users as
// [ReasonUsers] says. It ends after an error.
func (t *Texts[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := t.index.each(ctx, t.store, func(i int, key string, g *Generation) bool {
			return yield(t.text(ctx, i, key, g), nil)
		})
		if err != nil {
			var none T
			yield(none, fmt.Errorf("%s: put the texts together: %w", t.stage, err))
		}
	}
}

// Collect reads all texts into memory.
func (t *Texts[T]) Collect(ctx context.Context) ([]T, error) {
	all := make([]T, 0, t.Len())
	for x, err := range t.All(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// textSource says what the text of a subject is made from.
type textSource uint8

const (
	noAnswer     textSource = iota // the question failed or was not asked: the fallback is asked
	storedAnswer                   // the answer is in the store
	notAsked                       // there was nothing to ask
)

// answerIndex holds for every subject of a run the key of its answer and what its text is
// made from. Entries of different subjects may be written concurrently.
type answerIndex struct {
	keys   [][32]byte // zero where there was nothing to ask
	source []textSource
}

func newAnswerIndex(n int) *answerIndex {
	return &answerIndex{keys: make([][32]byte, n), source: make([]textSource, n)}
}

// setKey notes the key, a SHA-256 in hex, that the answer about subject i is stored under.
func (p *answerIndex) setKey(i int, key string) error {
	if n, err := hex.Decode(p.keys[i][:], []byte(key)); err != nil || n != len(p.keys[i]) {
		return fmt.Errorf("key %q is no SHA-256", key)
	}
	return nil
}

func (p *answerIndex) key(i int) string {
	if p.keys[i] == ([32]byte{}) {
		return ""
	}
	return hex.EncodeToString(p.keys[i][:])
}

// found holds the answers about subjects lo to hi, by key.
type found struct {
	lo, hi  int
	answers map[string]Generation
	err     error
}

// each calls fn with every subject in order, its key, and its answer or nil, until fn
// returns false. While fn works, the next answers are read.
func (p *answerIndex) each(ctx context.Context, store Store, fn func(i int, key string, g *Generation) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	blocks := make(chan found, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(blocks)
		for lo := 0; lo < len(p.source); lo += blockSize {
			b := p.find(ctx, store, lo, min(lo+blockSize, len(p.source)))
			select {
			case blocks <- b:
			case <-ctx.Done():
				return
			}
			if b.err != nil {
				return
			}
		}
	})
	defer reader.Wait()
	defer cancel()
	for b := range blocks {
		if b.err != nil {
			return b.err
		}
		for i := b.lo; i < b.hi; i++ {
			key := p.key(i)
			var answer *Generation
			if p.source[i] == storedAnswer {
				g, ok := b.answers[key]
				if !ok || g.Status != StatusOK {
					return fmt.Errorf("the answer with the key %s is no longer in the ledger", key)
				}
				answer = &g
			}
			if !fn(i, key, answer) {
				return nil
			}
		}
	}
	return ctx.Err()
}

func (p *answerIndex) find(ctx context.Context, store Store, lo, hi int) found {
	keys := make([]string, 0, hi-lo)
	for i := lo; i < hi; i++ {
		if p.source[i] == storedAnswer {
			keys = append(keys, p.key(i))
		}
	}
	b := found{lo: lo, hi: hi}
	if len(keys) > 0 {
		b.answers, b.err = store.Get(ctx, keys)
	}
	return b
}
