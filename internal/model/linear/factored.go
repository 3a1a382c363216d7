package linear

import (
	"sync"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Factored is a kernel of low rank: B[j, i] = Left_j·Right_i, zero for j = i. Left and
// Right must not change once it has scored.
type Factored struct {
	Left, Right *tensor.Matrix // Items × d each: the items chosen, the items scored

	once   sync.Once
	packed []*tensor.Packed // Rightᵀ, scoreGrain items each
}

// Items returns the size of the catalogue.
func (f *Factored) Items() int { return f.Left.Rows }

// Contribution returns B[j, i].
func (f *Factored) Contribution(j, i int32) float32 {
	if j == i {
		return 0
	}
	return tensor.Dot(f.Left.Row(int(j)), f.Right.Row(int(i)))
}

// AddScores is [Kernel].AddScores.
func (f *Factored) AddScores(history []int32, weights, out []float32) {
	checkScores(f, history, weights, out)
	f.add([][]int32{history}, [][]float32{weights}, tensor.FromSlice(1, len(out), out))
}

// AddScoresBatch is [Kernel].AddScoresBatch.
func (f *Factored) AddScoresBatch(histories [][]int32, weights [][]float32, out *tensor.Matrix) {
	checkBatch(f, histories, weights, out)
	tensor.Parallel(len(histories), factoredGrain, func(lo, hi int) {
		var w [][]float32
		if weights != nil {
			w = weights[lo:hi]
		}
		f.add(histories[lo:hi], w, out.RowRange(lo, hi))
	})
}

// factoredGrain is how many users are multiplied with all items at a time.
const factoredGrain = 56

// add sums the users' vectors, multiplies them with the items, and takes the items'
// products with themselves out again.
func (f *Factored) add(histories [][]int32, weights [][]float32, out *tensor.Matrix) {
	if f.Left.Cols == 0 || len(histories) == 0 {
		return
	}
	f.once.Do(f.pack)
	users := tensor.New(len(histories), f.Left.Cols)
	for r, h := range histories {
		w := weightsOf(weights, r)
		for n, j := range h {
			tensor.Axpy(weightOf(w, n), f.Left.Row(int(j)), users.Row(r))
		}
	}
	tensor.Parallel(out.Cols, scoreGrain, func(lo, _ int) {
		f.packed[lo/scoreGrain].MulAdd(users.Rows, users.Data, users.Cols, out.Data[lo:], out.Cols)
	})
	for r, h := range histories {
		w := weightsOf(weights, r)
		for n, j := range h {
			out.Row(r)[j] -= weightOf(w, n) * tensor.Dot(f.Left.Row(int(j)), f.Right.Row(int(j)))
		}
	}
}

func (f *Factored) pack() {
	d := f.Right.Cols
	for lo := 0; lo < f.Right.Rows; lo += scoreGrain {
		hi := min(lo+scoreGrain, f.Right.Rows)
		f.packed = append(f.packed, tensor.Pack(true, d, hi-lo, f.Right.RowRange(lo, hi).Data, d))
	}
}
