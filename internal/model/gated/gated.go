// Package gated holds what MGCN and the models that descend from it share: two tables of ids, propagated as LightGCN
// does, and sides of the items' vectors that are gated by the ids, smoothed over a graph of similar items and
// carried to the users.
package gated

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/layers"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Tables are the ids' vectors and the graphs over which they go.
type Tables struct {
	Users, Items *autograd.Param
	adjacency    *tensor.CSR // of users and items
	adjacencyT   *tensor.CSR
	block        *tensor.CSR // users × items
	blockT       *tensor.CSR
	layers       int
}

// Graph is what vectors are propagated over.
type Graph struct {
	Adjacency *tensor.CSR // of users and items
	Symmetric bool
	Block     *tensor.CSR // users × items, by which items' sides reach the users
}

// Plain returns the graph of the train interactions, with its own block.
func Plain(in model.Inputs) Graph {
	a := bipartite.Normalised(in.Train, 0)
	return Graph{a, true, bipartite.Block(a, in.Users)}
}

// NewTables draws the ids' vectors.
func NewTables(in model.Inputs, g Graph, dim, layersOf int) Tables {
	t := Tables{
		Users:     layers.Embedding("user_embedding", in.Users, dim, in.Seed),
		Items:     layers.Embedding("item_embedding", in.Items, dim, in.Seed),
		adjacency: g.Adjacency, adjacencyT: g.Adjacency, block: g.Block, blockT: g.Block.Transpose(), layers: layersOf,
	}
	if !g.Symmetric {
		t.adjacencyT = g.Adjacency.Transpose()
	}
	return t
}

// Collaborative propagates vectors of users and items: the mean of the layers.
func (m *Tables) Collaborative(t *autograd.Tape, users, items *autograd.Var) *autograd.Var {
	return t.Propagate(m.adjacency, m.adjacencyT, t.ConcatRows(users, items), m.layers, 1/float32(m.layers+1))
}

// Lift puts above the items' vectors z those of the users, R̂·z.
func (m *Tables) Lift(t *autograd.Tape, z *autograd.Var) *autograd.Var {
	return t.ConcatRows(t.SpMM(m.block, m.blockT, z), z)
}

// Split cuts vectors of all nodes into users' and items'.
func (m *Tables) Split(t *autograd.Tape, all *autograd.Var) (users, items *autograd.Var) {
	n := m.Users.Value.Rows
	return t.SliceRows(all, 0, n), t.SliceRows(all, n, all.Rows())
}

// Nodes returns the rows of items among all nodes.
func (m *Tables) Nodes(t *autograd.Tape, items []int32) []int32 {
	nodes := t.Indices(len(items))
	for k, i := range items {
		nodes[k] = i + int32(m.Users.Value.Rows)
	}
	return nodes
}

// Hop is a frozen graph of similar items.
type Hop struct {
	graph, graphT *tensor.CSR
	times         int
}

// NewHop returns the graph, to be gone over so many times.
func NewHop(graph *tensor.CSR, times int) Hop { return Hop{graph, graph.Transpose(), times} }

// Over smooths items' vectors.
func (h Hop) Over(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	for range h.times {
		x = t.SpMM(h.graph, h.graphT, x)
	}
	return x
}

// Attention is q·tanh(W·z + b), a number for each row: how much of z there should be in a mixture.
type Attention struct{ hidden, query layers.Linear }

// NewAttention returns attention over vectors of the given width.
func NewAttention(name string, dim int, seed uint64) Attention {
	return Attention{layers.NewLinear(name+".hidden", dim, dim, seed), layers.NewUnbiased(name+".query", dim, 1, seed)}
}

// Params returns its parameters.
func (a Attention) Params() []*autograd.Param { return layers.Params(a.hidden, a.query) }

// Mix returns Σ_m w_m z_m by rows, w being the softmax of the attention over the zs.
func (a Attention) Mix(t *autograd.Tape, zs ...*autograd.Var) *autograd.Var {
	var scores []*autograd.Var
	for _, z := range zs {
		scores = append(scores, a.query.Apply(t, t.Tanh(a.hidden.Apply(t, z))))
	}
	w := t.SoftmaxRows(t.ConcatCols(scores...))
	var parts []*autograd.Var
	for k, z := range zs {
		parts = append(parts, t.ScaleRows(z, w, k))
	}
	return t.Add(parts...)
}

// Minus returns a − b.
func Minus(t *autograd.Tape, a, b *autograd.Var) *autograd.Var { return t.Add(a, t.Scale(-1, b)) }

// Triple holds a batch's rows of vectors of all nodes: users, positives, negatives.
type Triple struct{ U, P, N *autograd.Var }

// Gather takes a batch's rows.
func (m *Tables) Gather(t *autograd.Tape, all *autograd.Var, b model.Batch) Triple {
	return Triple{t.Gather(all, b.Users), t.Gather(all, m.Nodes(t, b.Pos)), t.Gather(all, m.Nodes(t, b.Neg))}
}

// BPR is the ranking loss of a triple.
func (b Triple) BPR(t *autograd.Tape) *autograd.Var {
	return t.BPR(t.RowDots(b.U, nil, b.P, nil), t.RowDots(b.U, nil, b.N, nil))
}

// Agree is the sum of the InfoNCE of two views' positives and of their users.
func Agree(t *autograd.Tape, a, b Triple, tau float32) *autograd.Var {
	return t.Add(t.InfoNCE(a.P, b.P, tau), t.InfoNCE(a.U, b.U, tau))
}

// Represent splits the value of vectors of all nodes.
func (m *Tables) Represent(all *autograd.Var) (users, items *tensor.Matrix, err error) {
	n := m.Users.Value.Rows
	return all.Value.RowRange(0, n), all.Value.RowRange(n, all.Rows()), nil
}
