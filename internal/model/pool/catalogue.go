package pool

import (
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
)

// catalogue knows which output rows are trained. An item that does not occur in train is nobody's
// target: all that the softmax could teach its row is that nobody wants the item.
type catalogue struct {
	size   int
	order  []int32 // all items, those whose rows are trained first; nil: all are, in order
	place  []int32 // of each item in order
	frozen []bool  // by item; nil where order is
}

func newCatalogue(train *dataset.Lists, newItems string) *catalogue {
	c := &catalogue{size: train.Columns}
	if newItems == newCompete {
		return c
	}
	frozen := make([]bool, c.size)
	for i := range frozen {
		frozen[i] = true
	}
	for _, i := range train.Items {
		frozen[i] = false
	}
	items := make([]int32, c.size)
	for i := range items {
		items[i] = int32(i)
	}
	order := frozenLast(items, frozen)
	if !frozen[order[c.size-1]] {
		return c
	}
	c.order, c.frozen, c.place = order, frozen, make([]int32, c.size)
	for k, i := range order {
		c.place[i] = int32(k)
	}
	return c
}

// frozenLast returns the items with the frozen ones behind the others, each part in order.
func frozenLast(items []int32, frozen []bool) []int32 {
	order := make([]int32, 0, len(items))
	for _, last := range []bool{false, true} {
		for _, i := range items {
			if frozen[i] == last {
				order = append(order, i)
			}
		}
	}
	return order
}

// rows returns the rows of the output table of the given items, of which frozen ones come last
// and get no gradient.
func (c *catalogue) rows(t *autograd.Tape, table *autograd.Param, items []int32) *autograd.Var {
	n := len(items)
	for n > 0 && c.frozen != nil && c.frozen[items[n-1]] {
		n--
	}
	trained := t.Gather(t.Param(table), items[:n])
	if n == len(items) {
		return trained
	}
	return t.ConcatRows(trained, t.Gather(t.Const(table.Value), items[n:]))
}
