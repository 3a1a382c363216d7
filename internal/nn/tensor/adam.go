package tensor

import (
	"math"
	"strconv"
)

// AdamStep does one step of Adam as torch.optim.Adam does it, with c1 = 1-b1^t and
// c2 = 1-b2^t for step t = 1, 2, …:
//
//	g = grad + weightDecay·param
//	m = b1·m + (1-b1)·g
//	v = b2·v + (1-b2)·g²
//	param -= lr/c1 · m / (√v/√c2 + eps)
//
// param, m and v are updated in place; grad is read only. The slices are of equal
// length and do not overlap.
func AdamStep(param, grad, m, v []float32, lr, b1, b2, eps, c1, c2, weightDecay float32) {
	sameLen("AdamStep", len(param), len(grad), len(m), len(v))
	k := constants(lr, b1, b2, eps, c1, c2, weightDecay)
	Parallel(len(param), elementGrain, func(lo, hi int) {
		adam(param[lo:hi], grad[lo:hi], m[lo:hi], v[lo:hi], &k)
	})
}

// AdamStepRows is AdamStep for a gradient that is zero in most rows: row r of param has row of[r] of grad,
// or, where that is negative, none. All rows move, by their momentum.
func AdamStepRows(param, grad *Matrix, of []int32, m, v []float32, lr, b1, b2, eps, c1, c2, weightDecay float32) {
	sameLen("AdamStepRows", len(param.Data), len(m), len(v))
	sameLen("AdamStepRows", param.Rows, len(of))
	if grad.Cols != param.Cols {
		panic("tensor: AdamStepRows of a gradient of another width")
	}
	k := constants(lr, b1, b2, eps, c1, c2, weightDecay)
	none := getScratch(param.Cols)
	defer none.release()
	clear(none.data)
	Parallel(param.Rows, rowGrain(param.Cols), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			g := none.data
			if of[r] >= 0 {
				g = grad.Row(int(of[r]))
			}
			from, to := r*param.Cols, (r+1)*param.Cols
			adam(param.Data[from:to], g, m[from:to], v[from:to], &k)
		}
	})
}

func constants(lr, b1, b2, eps, c1, c2, weightDecay float32) adamConstants {
	return adamConstants{b1: b1, a1: complement(b1), b2: b2, a2: complement(b2),
		step: float32(float64(lr) / float64(c1)), root: float32(math.Sqrt(float64(c2))), eps: eps, decay: weightDecay}
}

// complement returns 1-b for the decimal that b stands for: 1-0.999 from the float32
// nearest to 0.999 would be off by 1e-5 of its value.
func complement(b float32) float32 {
	d, err := strconv.ParseFloat(strconv.FormatFloat(float64(b), 'g', -1, 32), 64)
	if err != nil {
		return float32(1 - float64(b)) // NaN and Inf have no decimal
	}
	return float32(1 - d)
}

// adamConstants are the factors of one step; the assembly reads them by name.
type adamConstants struct {
	b1, a1, b2, a2, step, root, eps, decay float32
}

func adam(param, grad, m, v []float32, k *adamConstants) {
	i := 0
	if n := len(param) &^ 7; active != levelGeneric && n > 0 {
		adamVector(&param[0], &grad[0], &m[0], &v[0], k, n)
		i = n
	}
	for ; i < len(param); i++ {
		g := grad[i] + k.decay*param[i]
		m[i] = k.b1*m[i] + k.a1*g
		v[i] = k.b2*v[i] + k.a2*g*g
		root := float32(math.Sqrt(float64(v[i])))
		param[i] -= k.step * m[i] / (root/k.root + k.eps)
	}
}
