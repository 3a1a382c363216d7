package linear

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Names of the tensors that hold a kernel, behind a prefix. Counts and columns are whole numbers in
// float32, which holds those up to mostItems exactly.
const (
	denseName   = ".dense"
	countsName  = ".counts"
	columnsName = ".columns"
	valuesName  = ".values"
	leftName    = ".left"
	rightName   = ".right"

	mostItems = 1 << 24
)

// Store adds to w the tensors that hold a kernel, which must not change while w is in use.
func Store(w model.Weights, prefix string, k Kernel) error {
	if k.Items() > mostItems {
		return fmt.Errorf("store %s: %d items, at most %d can be written", prefix, k.Items(), mostItems)
	}
	switch k := k.(type) {
	case *Dense:
		w[prefix+denseName] = matrixTensor(k.B)
	case *Factored:
		w[prefix+leftName], w[prefix+rightName] = matrixTensor(k.Left), matrixTensor(k.Right)
	case *Sparse:
		counts, columns := make([]float32, k.B.Rows), make([]float32, len(k.B.Indices))
		for i := range counts {
			counts[i] = float32(k.B.Indptr[i+1] - k.B.Indptr[i])
		}
		for e, c := range k.B.Indices {
			columns[e] = float32(c)
		}
		w[prefix+countsName] = model.Tensor{Shape: []int{len(counts)}, Data: counts}
		w[prefix+columnsName] = model.Tensor{Shape: []int{len(columns)}, Data: columns}
		w[prefix+valuesName] = model.Tensor{Shape: []int{len(k.B.Values)}, Data: k.B.Values}
	default:
		return fmt.Errorf("store %s: a kernel of type %T has no form in a file", prefix, k)
	}
	return nil
}

func matrixTensor(m *tensor.Matrix) model.Tensor {
	return model.Tensor{Shape: []int{m.Rows, m.Cols}, Data: m.Data}
}

// Load returns the kernel that [Store] wrote. Tensors that are no kernel are reported.
func Load(w model.Weights, prefix string) (Kernel, error) {
	if _, ok := w[prefix+denseName]; ok {
		b, err := w.Matrix(prefix+denseName, model.Any, model.Any)
		if err == nil && b.Rows != b.Cols {
			err = damaged("%s is %d×%d, not square", prefix+denseName, b.Rows, b.Cols)
		}
		return &Dense{b}, err
	}
	if _, ok := w[prefix+leftName]; ok {
		left, err := w.Matrix(prefix+leftName, model.Any, model.Any)
		if err != nil {
			return nil, err
		}
		right, err := w.Matrix(prefix+rightName, left.Rows, left.Cols)
		return &Factored{Left: left, Right: right}, err
	}
	return loadSparse(w, prefix)
}

func loadSparse(w model.Weights, prefix string) (Kernel, error) {
	counts, err := w.Vector(prefix+countsName, model.Any)
	if err != nil {
		return nil, err
	}
	columns, values := w[prefix+columnsName].Data, w[prefix+valuesName].Data
	if len(columns) != len(values) {
		return nil, damaged("%s: %d columns, %d values", prefix, len(columns), len(values))
	}
	b := &tensor.CSR{Rows: len(counts), Cols: len(counts), Indptr: make([]int64, len(counts)+1), Indices: make([]int32, len(columns)), Values: values}
	for i, n := range counts {
		if !(n >= 0 && n <= mostItems) || n != float32(int64(n)) {
			return nil, damaged("%s: row %d has %g entries", prefix, i, n)
		}
		b.Indptr[i+1] = b.Indptr[i] + int64(n)
	}
	if b.Indptr[len(counts)] != int64(len(columns)) {
		return nil, damaged("%s: rows of %d entries, %d columns", prefix, b.Indptr[len(counts)], len(columns))
	}
	for i := range counts {
		last := int32(-1)
		for e := b.Indptr[i]; e < b.Indptr[i+1]; e++ {
			c := columns[e]
			if !(c >= 0 && c < float32(len(counts))) || c != float32(int32(c)) || int32(c) <= last {
				return nil, damaged("%s: row %d has column %g after %d", prefix, i, c, last)
			}
			last = int32(c)
			b.Indices[e] = last
		}
	}
	return &Sparse{b}, nil
}

func damaged(format string, args ...any) error {
	return usererr.Of(usererr.KindDamaged, "The weights are damaged; train again in a new run.", format, args...)
}

// pruneGrain is how many rows one chunk of pruning covers.
const pruneGrain = 64

// Prune keeps of each row the k weights of largest magnitude, ties to the lower item, and
// returns them as a sparse kernel; k = 0, or one that leaves no row shorter, returns the kernel
// itself.
func Prune(d *Dense, k int) Kernel {
	n := d.Items()
	if k == 0 || k >= n-1 {
		return d
	}
	lines := make([]line, n)
	tensor.Parallel(n, pruneGrain, func(lo, hi int) {
		size := make([]float32, n)
		at, vals := make([]int32, k), make([]float32, k)
		for j := lo; j < hi; j++ {
			row := d.B.Row(j)
			for i, v := range row {
				size[i] = max(v, -v)
			}
			size[j] = 0
			kept := make([]bool, n)
			for _, i := range at[:tensor.TopK(size, k, at, vals)] {
				kept[i] = true
			}
			for i, v := range row {
				if kept[i] && v != 0 {
					lines[j].add(int32(i), v)
				}
			}
		}
	})
	return &Sparse{assemble(lines, n)}
}
