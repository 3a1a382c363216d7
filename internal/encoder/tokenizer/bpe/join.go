package bpe

import "slices"

// symbol is a piece of the word in work, linked with its neighbours.
type symbol struct {
	id         int32
	prev, next int32 // -1 at the ends
	gone       bool  // merged into the one before
}

// candidate is a pair that may be merged: the symbol at its left.
type candidate struct {
	merge
	at int32
}

// before orders candidates: the earlier merge, then the place further to the left.
func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

// scratch is the memory of one call of join.
type scratch struct {
	symbols []symbol
	queue   heap
}

// join merges the pairs of ids in place and returns how many ids are left.
func (m *Model) join(ids []int32) int {
	if len(ids) < 2 {
		return len(ids)
	}
	work := m.scratches.Get().(*scratch)
	defer m.scratches.Put(work)
	work.symbols = slices.Grow(work.symbols[:0], len(ids))[:len(ids)]
	symbols, queue := work.symbols, work.queue[:0]
	defer func() { work.queue = queue }()
	for i, id := range ids {
		symbols[i] = symbol{id: id, prev: int32(i) - 1, next: int32(i) + 1}
	}
	symbols[len(ids)-1].next = -1
	add := func(at int32) {
		if at < 0 || symbols[at].next < 0 {
			return
		}
		if to, ok := m.merges[[2]int32{symbols[at].id, symbols[symbols[at].next].id}]; ok {
			queue.push(candidate{to, at})
		}
	}
	for i := range symbols {
		add(int32(i))
	}
	for len(queue) > 0 {
		c := queue.pop()
		left := &symbols[c.at]
		if left.gone || left.next < 0 {
			continue
		}
		right := &symbols[left.next]
		if to, ok := m.merges[[2]int32{left.id, right.id}]; !ok || to.id != c.id {
			continue // one of the two has become something else since
		}
		left.id, left.next, right.gone = c.id, right.next, true
		if left.next >= 0 {
			symbols[left.next].prev = c.at
		}
		add(left.prev)
		add(c.at)
	}
	n := 0
	for at := int32(0); at >= 0; at = symbols[at].next {
		ids[n] = symbols[at].id
		n++
	}
	return n
}

// heap is a binary heap of candidates, the first at its root.
type heap []candidate

func (h *heap) push(c candidate) {
	*h = append(*h, c)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s[i].before(s[parent]) {
			break
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *heap) pop() candidate {
	s := *h
	top := s[0]
	last := len(s) - 1
	s[0] = s[last]
	s = s[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && s[child+1].before(s[child]) {
			child++
		}
		if !s[child].before(s[i]) {
			break
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
	*h = s
	return top
}
