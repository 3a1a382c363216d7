package itemgraph

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// tile bounds the side of the square blocks in which cosines are computed: 1024² float32
// are 4 MiB, and the product's arithmetic outweighs packing and scanning the tile.
const tile = 1024

// TopCosine returns for each row of x (N×D) its k most similar rows by cosine, itself
// included, as far as the cosine reaches threshold (-Inf: no threshold); ties go to
// the lower index. Values are the cosines, columns ascend. The search is exact: every
// pair is computed once, in tiles, so memory is O(N·(D+k)). Rows of zeros have no
// direction: they get no neighbours and are nobody's.
func TopCosine(ctx context.Context, x *tensor.Matrix, k int, threshold float32) (*tensor.CSR, error) {
	return nearest(ctx, x, k, threshold, true)
}

func nearest(ctx context.Context, x *tensor.Matrix, k int, threshold float32, self bool) (*tensor.CSR, error) {
	unit, err := unitRows(x)
	if err != nil {
		return nil, err
	}
	n := x.Rows
	best := newBest(n, min(k, max(n, 1)), threshold)
	best.self = self
	for i := range n {
		best.dead[i] = isZero(unit.Row(i))
	}
	// Tiles of nearly equal sides: a sliver would take another kernel, which rounds
	// differently, and so break the tie between an item and its exact copies.
	side := evenSide(n)
	buf := make([]float32, side*side)
	for a := 0; a < n; a += side {
		aEnd := min(a+side, n)
		for b := a; b < n; b += side {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("find nearest items: %w", err)
			}
			bEnd := min(b+side, n)
			s := tensor.FromSlice(aEnd-a, bEnd-b, buf[:(aEnd-a)*(bEnd-b)])
			tensor.Gemm(false, true, 1, unit.RowRange(a, aEnd), unit.RowRange(b, bEnd), 0, s)
			best.add(s, a, b)
		}
	}
	return best.csr(), nil
}

func evenSide(n int) int {
	tiles := max(1, (n+tile-1)/tile)
	return (n + tiles - 1) / tiles
}

// unitRows returns x with rows of length 1; rows of zeros stay zero.
func unitRows(x *tensor.Matrix) (*tensor.Matrix, error) {
	unit := tensor.New(x.Rows, x.Cols)
	for i := range x.Rows {
		var ss float64
		for _, v := range x.Row(i) {
			ss += float64(v) * float64(v)
		}
		if math.IsNaN(ss) || math.IsInf(ss, 0) {
			return nil, fmt.Errorf("find nearest items: the features of item row %d are not finite", i)
		}
		if ss == 0 {
			continue
		}
		scale := 1 / math.Sqrt(ss)
		out := unit.Row(i)
		for j, v := range x.Row(i) {
			out[j] = float32(float64(v) * scale)
		}
	}
	return unit, nil
}

func isZero(row []float32) bool {
	return !slices.ContainsFunc(row, func(v float32) bool { return v != 0 })
}

// best keeps the k best (value, column) pairs of each row, best first: larger value,
// then lower column. That order is total, so the outcome does not depend on the order
// in which pairs arrive.
type best struct {
	k      int
	self   bool
	dead   []bool // rows without direction
	count  []int32
	cols   []int32   // n×k
	values []float32 // n×k
	floor  []float32 // what a newcomer must reach: the threshold, then the worst kept value
}

func newBest(n, k int, threshold float32) *best {
	b := &best{k: k, dead: make([]bool, n), count: make([]int32, n), cols: make([]int32, n*k),
		values: make([]float32, n*k), floor: make([]float32, n)}
	for i := range b.floor {
		b.floor[i] = threshold
	}
	return b
}

// add takes in the tile s of cosines between rows from a and rows from b. Off the
// diagonal it serves both sides; on the diagonal only the upper triangle is read, and
// serves both sides too. Each side is shared out by the rows that it writes.
func (t *best) add(s *tensor.Matrix, a, b int) {
	tensor.Parallel(s.Rows, 64, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			t.addRow(s.Row(i), a+i, b)
		}
	})
	tensor.Parallel(s.Cols, 128, func(lo, hi int) {
		for i := range s.Rows {
			row, from := s.Row(i), lo
			if a == b {
				from = max(lo, i+1)
			}
			if from < hi && !t.dead[a+i] {
				t.addColumn(row[from:hi], a+i, b+from)
			}
		}
	})
}

// addRow offers items b, b+1, ... to row i; on the diagonal tile those from i on.
func (t *best) addRow(values []float32, i, b int) {
	if t.dead[i] {
		return
	}
	floor := t.floor[i]
	start := max(0, i-b)
	if start == i-b && !t.self {
		start++
	}
	for j := start; j < len(values); j++ {
		if v := values[j]; v >= floor {
			t.push(i, int32(b+j), v)
			floor = t.floor[i]
		}
	}
}

// addColumn offers item i to the rows b, b+1, ...
func (t *best) addColumn(values []float32, i, b int) {
	floor := t.floor[b : b+len(values)]
	for j, v := range values {
		if v >= floor[j] {
			t.push(b+j, int32(i), v)
		}
	}
}

func (t *best) push(i int, col int32, v float32) {
	if t.dead[i] || t.dead[col] {
		return
	}
	count := int(t.count[i])
	cols, values := t.cols[i*t.k:(i+1)*t.k], t.values[i*t.k:(i+1)*t.k]
	p := count
	for p > 0 && (values[p-1] < v || values[p-1] == v && cols[p-1] > col) {
		p--
	}
	if p == t.k {
		return
	}
	if count < t.k {
		count++
		t.count[i] = int32(count)
	}
	copy(cols[p+1:count], cols[p:count-1])
	copy(values[p+1:count], values[p:count-1])
	cols[p], values[p] = col, v
	if count == t.k {
		t.floor[i] = values[t.k-1]
	}
}

// csr returns what was kept, columns ascending.
func (t *best) csr() *tensor.CSR {
	n := len(t.count)
	out := empty(n)
	for i := range n {
		out.Indptr[i+1] = out.Indptr[i] + int64(t.count[i])
	}
	out.Indices = make([]int32, out.Indptr[n])
	out.Values = make([]float32, out.Indptr[n])
	for i := range n {
		cols, values := out.Row(i)
		count := int(t.count[i])
		fillRow(cols, values, t.cols[i*t.k:i*t.k+count], t.values[i*t.k:i*t.k+count])
	}
	return out
}

// fillRow copies (fromCols, fromValues) into (cols, values) with columns ascending.
func fillRow(cols []int32, values []float32, fromCols []int32, fromValues []float32) {
	for e, c := range fromCols {
		p := e
		for p > 0 && cols[p-1] > c {
			cols[p], values[p] = cols[p-1], values[p-1]
			p--
		}
		cols[p], values[p] = c, fromValues[e]
	}
}
