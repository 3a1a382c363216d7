package soil

import (
	"cmp"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/bipartite"
	"github.com/mllmrec/mllmrec/internal/model/gated"
	"github.com/mllmrec/mllmrec/internal/model/neighbours"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// What the published code divides by on the items' side of R̂⁺.
const (
	published = "published"
	degree    = "degree"
)

const (
	least     = 1e-7 // an entry that is not larger becomes this, after normalising
	blockRows = 256  // rows of similarities that are held at a time
)

// graphs are made from the train histories and the items' unit vectors.
type graphs struct {
	in      model.Inputs
	v       model.Values
	names   []string
	history *dataset.Lists
	unit    []*tensor.Matrix // one a modality
}

func newGraphs(in model.Inputs, v model.Values, names []string) *graphs {
	g := &graphs{in: in, v: v, names: names, history: in.Train.Lists()}
	for _, name := range names {
		x := in.ItemVectors[name].Clone()
		x.NormalizeRows(1e-12)
		g.unit = append(g.unit, x)
	}
	return g
}

// floored returns the graph with entries of at most 1e-7 raised to that.
func floored(s *tensor.CSR) *tensor.CSR {
	for e, v := range s.Values {
		if !(v > least) {
			s.Values[e] = least
		}
	}
	return s
}

// normalised divides entries by the roots of the sums of rows, by of, and floors them; a sum that is
// not positive counts as an infinite one.
func normalised(w *tensor.CSR, rows, columns []float64) *tensor.CSR {
	root := func(sum float64) float64 {
		if sum > 0 {
			return 1 / math.Sqrt(sum)
		}
		return 0
	}
	for i := range w.Rows {
		cols, values := w.Row(i)
		for e, c := range cols {
			values[e] = float32(float64(values[e]) * root(rows[i]) * root(columns[c]))
		}
	}
	return floored(w)
}

func rowSums(w *tensor.CSR) []float64 {
	sums := make([]float64, w.Rows)
	for i := range sums {
		_, values := w.Row(i)
		for _, v := range values {
			sums[i] += float64(v)
		}
	}
	return sums
}

// distinct are a user's different items, ascending.
func (g *graphs) distinct(u int) []int32 {
	items := slices.Clone(g.history.Of(u))
	slices.Sort(items)
	return slices.Compact(items)
}

// ofItems returns one graph a modality: the nearest items, and edges from each item of a history to the items most like
// all of it. An edge weighs its cosine, once for every user who makes it.
func (g *graphs) ofItems() (all []*tensor.CSR, err error) {
	if g.v.Text(neighbours.GraphName) == neighbours.Refined {
		for range g.names {
			all = append(all, g.in.Graph)
		}
		return all, nil
	}
	counts := g.interests()
	for m := range g.names {
		w := &tensor.CSR{Rows: counts.Rows, Cols: counts.Cols, Indptr: counts.Indptr, Indices: counts.Indices, Values: slices.Clone(counts.Values)}
		tensor.Parallel(w.Rows, 16, func(lo, hi int) {
			for t := lo; t < hi; t++ {
				cols, values := w.Row(t)
				for e, c := range cols {
					values[e] *= tensor.Dot(g.unit[m].Row(t), g.unit[m].Row(int(c)))
				}
			}
		})
		sums := rowSums(w)
		near, err := neighbours.Weighted(g.in.ItemVectors[g.names[m]], g.v.Int("k"))
		if err != nil {
			return nil, err
		}
		all = append(all, neighbours.Mix([]float32{1, 1}, normalised(w, sums, sums), floored(near)))
	}
	return all, nil
}

// interests counts how many users link item t, which they chose, to item c, which is among the most like
// their history by some modality.
func (g *graphs) interests() *tensor.CSR {
	n, k := g.in.Items, min(g.v.Int("k_interest"), g.in.Items)
	links := make([][]int32, n) // of t, in the order of users
	users := g.in.Users
	scores := tensor.New(blockRows, n)
	for lo := 0; lo < users; lo += blockRows {
		hi := min(lo+blockRows, users)
		like := make([][]int32, hi-lo)
		for m := range g.unit {
			sums := tensor.New(hi-lo, g.unit[m].Cols)
			for u := lo; u < hi; u++ {
				for _, t := range g.distinct(u) {
					tensor.Axpy(1, g.unit[m].Row(int(t)), sums.Row(u-lo))
				}
			}
			block := scores.RowRange(0, hi-lo)
			tensor.Gemm(false, true, 1, sums, g.unit[m], 0, block)
			tensor.Parallel(hi-lo, 8, func(from, to int) {
				values := make([]float32, k)
				for r := from; r < to; r++ {
					top := make([]int32, k)
					like[r] = append(like[r], top[:tensor.TopK(block.Row(r), k, top, values)]...)
				}
			})
		}
		for u := lo; u < hi; u++ {
			cols := like[u-lo]
			slices.Sort(cols)
			cols = slices.Compact(cols)
			for _, t := range g.distinct(u) {
				links[t] = append(links[t], cols...)
			}
		}
	}
	w := &tensor.CSR{Rows: n, Cols: n, Indptr: make([]int64, 1, n+1)}
	for _, cols := range links {
		slices.Sort(cols)
		for at := 0; at < len(cols); {
			end := at
			for end < len(cols) && cols[end] == cols[at] {
				end++
			}
			w.Indices, w.Values = append(w.Indices, cols[at]), append(w.Values, float32(end-at))
			at = end
		}
		w.Indptr = append(w.Indptr, int64(len(w.Indices)))
	}
	return w
}

// candidate is an edge that item from of a history would give its user.
type candidate struct {
	from, to int32
	value    float32 // product of the cosines by all modalities
}

// nudge changes the value of a candidate. Where two candidates are exactly alike and one place is left, rounding decides
// in the published code: a test of its numbers says how.
var nudge = func(_ int, c candidate) float32 { return c.value }

// attractive returns the edges from users to items that are most like single items of theirs: as many as the history has items,
// and k_attractive more. The items themselves are most like themselves; an item that is like several
// counts several times.
func (g *graphs) attractive() *tensor.CSR {
	more, longest := g.v.Int("k_attractive"), 0
	for u := range g.in.Users {
		longest = max(longest, len(g.distinct(u)))
	}
	near := g.alike(min(longest+more, g.in.Items))
	rows := make([][]candidate, g.in.Users)
	tensor.Parallel(g.in.Users, 64, func(lo, hi int) {
		for u := lo; u < hi; u++ {
			items := g.distinct(u)
			k := len(items) + more
			var all []candidate
			for _, t := range items {
				for _, c := range near[t][:min(k, len(near[t]))] {
					c.value = nudge(u, c)
					all = append(all, c)
				}
			}
			slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.value, a.value) })
			if len(items) > 0 {
				rows[u] = all[:min(k, len(all))]
			}
		}
	})
	b := &tensor.CSR{Rows: g.in.Users, Cols: g.in.Items, Indptr: make([]int64, 1, g.in.Users+1)}
	for _, row := range rows {
		slices.SortStableFunc(row, func(a, b candidate) int { return cmp.Compare(a.to, b.to) })
		for at, c := range row {
			if at > 0 && row[at-1].to == c.to {
				b.Values[len(b.Values)-1] += c.value
				continue
			}
			b.Indices, b.Values = append(b.Indices, c.to), append(b.Values, c.value)
		}
		b.Indptr = append(b.Indptr, int64(len(b.Indices)))
	}
	return b
}

// alike returns the k items of the largest products of cosines by all modalities for each item, best
// first.
func (g *graphs) alike(k int) [][]candidate {
	n := g.in.Items
	near := make([][]candidate, n)
	product, one := tensor.New(blockRows, n), tensor.New(blockRows, n)
	for lo := 0; lo < n; lo += blockRows {
		hi := min(lo+blockRows, n)
		p := product.RowRange(0, hi-lo)
		for m, unit := range g.unit {
			into := p
			if m > 0 {
				into = one.RowRange(0, hi-lo)
			}
			tensor.Gemm(false, true, 1, unit.RowRange(lo, hi), unit, 0, into)
			for i, v := range into.Data {
				if m > 0 {
					p.Data[i] *= v
				}
			}
		}
		tensor.Parallel(hi-lo, 4, func(from, to int) {
			top, values := make([]int32, k), make([]float32, k)
			for r := from; r < to; r++ {
				found := tensor.TopK(p.Row(r), k, top, values)
				for e, c := range top[:found] {
					near[lo+r] = append(near[lo+r], candidate{int32(lo + r), c, values[e]})
				}
			}
		})
	}
	return near
}

// joint returns the user–item graph with half of the normalised attractive edges added.
func (g *graphs) joint() (gated.Graph, error) {
	users, items := g.in.Users, g.in.Items
	if g.v.Text("column_factor") == published && items > users {
		return gated.Graph{}, usererr.New("Set column_factor=degree.", "model soil, as published, takes the degree of the user whose number an item has; there are %d items and only %d users", items, users)
	}
	b := g.attractive()
	ofUsers, ofItems := rowSums(b), rowSums(b.Transpose())
	columns := ofItems
	if g.v.Text("column_factor") == published {
		columns = ofUsers
	}
	plain := gated.Plain(g.in)
	both := stacked(b)
	sums := slices.Concat(ofUsers, ofItems)
	clone := func() *tensor.CSR {
		return &tensor.CSR{Rows: users, Cols: items, Indptr: b.Indptr, Indices: b.Indices, Values: slices.Clone(b.Values)}
	}
	return gated.Graph{
		Adjacency: neighbours.Mix([]float32{1, 0.5}, plain.Adjacency, normalised(both, sums, sums)), Symmetric: true,
		Block: neighbours.Mix([]float32{1, 0.5}, bipartite.Block(plain.Adjacency, users), normalised(clone(), ofUsers, columns)),
	}, nil
}

// stacked returns [[0, B], [Bᵀ, 0]].
func stacked(b *tensor.CSR) *tensor.CSR {
	users, turned := b.Rows, b.Transpose()
	s := &tensor.CSR{Rows: users + b.Cols, Cols: users + b.Cols, Indptr: make([]int64, 1, users+b.Cols+1)}
	for u := range users {
		cols, values := b.Row(u)
		for e, c := range cols {
			s.Indices, s.Values = append(s.Indices, c+int32(users)), append(s.Values, values[e])
		}
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	for i := range b.Cols {
		cols, values := turned.Row(i)
		s.Indices, s.Values = append(s.Indices, cols...), append(s.Values, values...)
		s.Indptr = append(s.Indptr, int64(len(s.Indices)))
	}
	return s
}
