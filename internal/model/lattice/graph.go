package lattice

import (
	"slices"

	"github.com/mllmrec/mllmrec/internal/model/neighbours"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// learnt is the item graph of the present parameters, on a tape.
type learnt struct {
	edges  *autograd.Edges
	values *autograd.Var   // of the edges, normalised
	shares []*autograd.Var // a_m, 1×1
}

// learn finds the nearest items by the projected vectors and puts the weights of their edges on the
// tape. Which items are the nearest has no gradient; how near they are has.
func (m *recommender) learn(t *autograd.Tape) (*learnt, error) {
	weights := t.SoftmaxRows(t.Param(m.logits))
	g := &learnt{}
	var near []*tensor.CSR
	var unit []*autograd.Var
	for k, f := range m.features {
		projected := m.projections[k].Apply(t, f.On(t))
		nearest, err := neighbours.Raw(projected.Value, m.k)
		if err != nil {
			return nil, err
		}
		near = append(near, nearest)
		unit = append(unit, t.NormalizeRows(projected, 1e-12))
		g.shares = append(g.shares, t.SliceCols(weights, k, k+1))
	}
	// The edges of all modalities stand one after the other in each row; an edge that two of them
	// have stands twice.
	indptr, order := []int64{0}, make([][]int32, len(near))
	var cols []int32
	for i := range m.items.Value.Rows {
		for k, n := range near {
			own, _ := n.Row(i)
			for _, c := range own {
				order[k] = append(order[k], int32(len(cols)))
				cols = append(cols, c)
			}
		}
		indptr = append(indptr, int64(len(cols)))
	}
	g.edges = autograd.NewEdges(m.items.Value.Rows, m.items.Value.Rows, indptr, cols)
	rows, _ := g.edges.Ends()
	var parts []*autograd.Var
	at := make([]int32, len(cols)) // where an edge stands among the parts
	n := int32(0)
	for k := range near {
		from, to := t.Indices(len(order[k])), t.Indices(len(order[k]))
		for e, edge := range order[k] {
			from[e], to[e], at[edge] = rows[edge], cols[edge], n
			n++
		}
		parts = append(parts, t.ScaleBy(g.shares[k], t.RowDots(unit[k], from, unit[k], to)))
	}
	g.values = t.EdgeNormalize(g.edges, t.Gather(t.ConcatRows(parts...), at))
	return g, nil
}

// hop returns G·x with gradients into G.
func (g *learnt) hop(t *autograd.Tape, m *recommender, x *autograd.Var) *autograd.Var {
	sum := t.Scale(1-m.share, t.EdgeMul(g.edges, g.values, x))
	for k, o := range m.frozen {
		sum = t.Add(sum, t.Scale(m.share, t.ScaleBy(g.shares[k], t.SpMM(o, m.frozenT[k], x))))
	}
	return sum
}

// frozen returns G as a constant.
func (g *learnt) frozen(m *recommender) *tensor.CSR {
	rows, cols := g.edges.Ends()
	own := &tensor.CSR{Rows: m.items.Value.Rows, Cols: m.items.Value.Rows, Indptr: make([]int64, m.items.Value.Rows+1), Indices: cols, Values: slices.Clone(g.values.Value.Data)}
	for _, i := range rows {
		own.Indptr[i+1]++
	}
	for i := range own.Rows {
		own.Indptr[i+1] += own.Indptr[i]
	}
	weights := []float32{1 - m.share}
	for _, s := range g.shares {
		weights = append(weights, m.share*s.Scalar())
	}
	return neighbours.Mix(weights, append([]*tensor.CSR{own}, m.frozen...)...)
}
