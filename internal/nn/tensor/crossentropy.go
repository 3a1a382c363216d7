package tensor

import (
	"fmt"
	"math"
)

// CrossEntropyRows takes rows of logits x with one target each. It writes the loss
// −log softmax(x)_target of each row to loss and replaces the row by scale times the loss's
// gradient, scale·(softmax(x) − e_target).
//
// offset, unless nil, is one number a column that is first added to all logits of a row but the
// target's: the log weights of a sample that stands for a larger catalogue.
func CrossEntropyRows(m *Matrix, target []int32, offset []float32, scale float32, loss []float64) {
	sameLen("CrossEntropyRows", m.Rows, len(target), len(loss))
	if offset != nil {
		sameLen("CrossEntropyRows", m.Cols, len(offset))
	}
	for r, i := range target {
		if i < 0 || int(i) >= m.Cols {
			panic(fmt.Sprintf("tensor: CrossEntropyRows: target %d at row %d, columns %d", i, r, m.Cols))
		}
	}
	Parallel(m.Rows, rowGrain(4*m.Cols), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			loss[r] = crossEntropy(m.Row(r), int(target[r]), offset, scale)
		}
	})
}

func crossEntropy(x []float32, target int, offset []float32, scale float32) float64 {
	if offset != nil {
		own := x[target]
		Axpy(1, offset, x)
		x[target] = own
	}
	top := largest(x)
	own := float64(x[target]) - float64(top)
	expShifted(x, top)
	z := Sum(x)
	Scale(float32(float64(scale)/z), x)
	x[target] -= scale
	return math.Log(z) - own
}
