package shopfront

import (
	"container/list"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// cache keeps answers, those that were asked for last. Its keys name the front and the state of the person that an answer was made
// from: what changes one of them leaves the old answers without anybody who asks for them.
type cache struct {
	seed  maphash.Seed
	parts [shards]part
	hits  atomic.Int64
	asked atomic.Int64
}

type part struct {
	mu    sync.Mutex
	room  int64 // bytes
	used  int64
	all   map[string]*list.Element
	order list.List // of *kept, the latest in front
}

type kept struct {
	key    string
	answer *Answer
	size   int64
}

func newCache(bytes int64) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for n := range c.parts {
		c.parts[n].room, c.parts[n].all = bytes/shards, map[string]*list.Element{}
	}
	return c
}

// key names a question and all that its answer depends on.
func (q *Query) key(generation, version uint64) string {
	return fmt.Sprintf("%d %d %d %t %t %s %s %s", generation, version, q.K, q.Because, q.Parts, q.Cursor, q.fingerprint(), q.User)
}

func (c *cache) part(key string) *part { return &c.parts[maphash.String(c.seed, key)%shards] }

func (c *cache) get(key string) *Answer {
	c.asked.Add(1)
	p := c.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.all[key]
	if e == nil {
		return nil
	}
	p.order.MoveToFront(e)
	c.hits.Add(1)
	return e.Value.(*kept).answer
}

func (c *cache) put(key string, a *Answer) {
	size := int64(len(key)) + 400
	for n := range a.Hits {
		size += 64 + int64(len(a.Hits[n].Because))*64
		for _, part := range a.Hits[n].Parts {
			size += 64 + int64(len(part.Items))*16
		}
	}
	p := c.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if size > p.room || p.all[key] != nil {
		return
	}
	p.all[key] = p.order.PushFront(&kept{key, a, size})
	for p.used += size; p.used > p.room; {
		last := p.order.Back()
		k := p.order.Remove(last).(*kept)
		delete(p.all, k.key)
		p.used -= k.size
	}
}

// CacheCounts returns how many questions were asked and how many of them were answered from what was kept.
func (s *Shop) CacheCounts() (asked, kept int64) { return s.cache.asked.Load(), s.cache.hits.Load() }
