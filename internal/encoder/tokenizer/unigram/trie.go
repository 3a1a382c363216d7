package unigram

import (
	"maps"
	"slices"
)

// trie finds all pieces that a text begins with. The children of a node lie side by side,
// in the order of their bytes.
type trie struct {
	roots [256]int32 // nodes of the first bytes, -1 for none
	nodes []node
}

type node struct {
	first int32 // its first child
	id    int32 // of the piece that ends here, -1 for none
	count uint8 // children less one, where first >= 0
	label byte
}

// newTrie builds the trie level by level from the sorted pieces: each node stands for the
// stretch of pieces that begin with its bytes.
func newTrie(ids map[string]int32) *trie {
	pieces := slices.Sorted(maps.Keys(ids))
	t := &trie{}
	for i := range t.roots {
		t.roots[i] = -1
	}
	type stretch struct{ lo, hi int }
	var level []stretch // of the nodes, in their order
	// split appends the children of pieces[lo:hi], which agree in their first depth bytes.
	split := func(lo, hi, depth int) (first int32, count int) {
		first = int32(len(t.nodes))
		for lo < hi {
			label, end := pieces[lo][depth], lo+1
			for end < hi && pieces[end][depth] == label {
				end++
			}
			n := node{first: -1, id: -1, label: label}
			if len(pieces[lo]) == depth+1 {
				n.id = ids[pieces[lo]]
			}
			t.nodes, level = append(t.nodes, n), append(level, stretch{lo, end})
			lo = end
			count++
		}
		return first, count
	}
	start := 0
	if len(pieces) > 0 && pieces[0] == "" {
		start = 1
	}
	split(start, len(pieces), 0)
	for i := range t.nodes {
		t.roots[t.nodes[i].label] = int32(i)
	}
	for i, depth, end := 0, 1, len(t.nodes); i < len(t.nodes); i++ {
		if i == end {
			depth, end = depth+1, len(t.nodes)
		}
		s := level[i]
		if t.nodes[i].id >= 0 {
			s.lo++
		}
		if s.lo < s.hi {
			first, count := split(s.lo, s.hi, depth)
			t.nodes[i].first, t.nodes[i].count = first, uint8(count-1)
		}
	}
	return t
}

func (t *trie) root(b byte) int32 { return t.roots[b] }

func (t *trie) id(n int32) int32 { return t.nodes[n].id }

// child returns the child of a node for a byte, -1 if there is none.
func (t *trie) child(n int32, b byte) int32 {
	first := t.nodes[n].first
	if first < 0 {
		return -1
	}
	children := t.nodes[first : first+int32(t.nodes[n].count)+1]
	for len(children) > 4 {
		half := len(children) / 2
		if children[half].label <= b {
			first += int32(half)
			children = children[half:]
		} else {
			children = children[:half]
		}
	}
	for i := range children {
		if children[i].label == b {
			return first + int32(i)
		}
	}
	return -1
}
