package pool

import "github.com/mllmrec/mllmrec/dataset"

// catalogue is the items that the softmax goes over.
type catalogue struct {
	items    []int32 // ascending; nil: all of them
	position []int32 // of each item in items, where it is there
	size     int
}

// newCatalogue returns all items, or those that occur in train. An item that does not is nobody's
// target: all that a softmax could teach about it is that nobody wants it.
func newCatalogue(train *dataset.Lists, chosenOnly bool) *catalogue {
	c := &catalogue{size: train.Columns}
	if !chosenOnly {
		return c
	}
	c.position = make([]int32, train.Columns)
	for _, i := range train.Items {
		c.position[i] = 1
	}
	items := make([]int32, 0, train.Columns)
	for i, chosen := range c.position {
		if chosen == 1 {
			c.position[i] = int32(len(items))
			items = append(items, int32(i))
		}
	}
	if len(items) < train.Columns {
		c.items, c.size = items, len(items)
	}
	return c
}

// at returns the item at a position below size.
func (c *catalogue) at(position int32) int32 {
	if c.items == nil {
		return position
	}
	return c.items[position]
}
