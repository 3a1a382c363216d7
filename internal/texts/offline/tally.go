package offline

import (
	"cmp"
	"fmt"
	"slices"
)

// counted is a name or word with the items of a history that have it.
type counted struct {
	key    string // in lower case
	text   string // as it is spelt first
	weight float64
	items  []int // in the order of the history
}

// tally counts items by a case-folded key.
type tally struct {
	at   map[string]int
	list []counted
}

func (t *tally) add(key, text string, item int, weight float64) {
	if t.at == nil {
		t.at = map[string]int{}
	}
	i, known := t.at[key]
	if !known {
		i = len(t.list)
		t.at[key] = i
		t.list = append(t.list, counted{key: key, text: text})
	}
	if c := &t.list[i]; len(c.items) == 0 || c.items[len(c.items)-1] != item {
		c.items = append(c.items, item)
		c.weight += weight
	}
}

// sorted returns the names by descending weight, ties in the order of their first addition.
func (t *tally) sorted() []counted {
	slices.SortStableFunc(t.list, func(a, b counted) int { return cmp.Compare(b.weight, a.weight) })
	return t.list
}

// withCount writes a name with its count, which one item needs not: "Mugs (4)".
func (c counted) withCount() string {
	if len(c.items) < 2 {
		return c.text
	}
	return fmt.Sprintf("%s (%d)", c.text, len(c.items))
}
