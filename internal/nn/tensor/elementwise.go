package tensor

import "fmt"

// elementGrain is how many elements a goroutine takes at a time in memory-bound loops.
const elementGrain = 1 << 15

// rowGrain is how many rows of cols elements make a chunk of elementGrain elements.
func rowGrain(cols int) int { return max(1, elementGrain/max(1, cols)) }

func sameShape(what string, a *Matrix, others ...*Matrix) {
	for _, o := range others {
		if o.Rows != a.Rows || o.Cols != a.Cols {
			panic(fmt.Sprintf("tensor: %s of %d×%d and %d×%d matrices", what, a.Rows, a.Cols, o.Rows, o.Cols))
		}
	}
}

// NormalizeRows divides each row by max(‖row‖₂, eps).
func (m *Matrix) NormalizeRows(eps float32) {
	Parallel(m.Rows, rowGrain(m.Cols), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := m.Row(i)
			Scale(float32(1/max(Norm2(row), float64(eps))), row)
		}
	})
}

// AddBiasLeakyReLU adds bias (one value a column; nil adds nothing) to every row of m in
// place, then applies x ↦ x > 0 ? x : slope·x. Slope 1 adds the bias only.
func AddBiasLeakyReLU(m *Matrix, bias []float32, slope float32) {
	if bias == nil {
		bias = make([]float32, m.Cols)
	}
	sameLen("AddBiasLeakyReLU", m.Cols, len(bias))
	Parallel(m.Rows, rowGrain(m.Cols), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			biasLeaky(m.Row(i), bias, slope)
		}
	})
}

func biasLeaky(row, bias []float32, slope float32) {
	i := 0
	if n := len(row) &^ 7; active != levelGeneric && n > 0 {
		biasLeakyVector(&row[0], &bias[0], slope, n)
		i = n
	}
	for ; i < len(row); i++ {
		v := row[i] + bias[i]
		if !(v > 0) {
			v *= slope
		}
		row[i] = v
	}
}

// LeakyReLUGrad computes dst = dy ⊙ (y > 0 ? 1 : slope), where y is the output (or the
// input: the signs agree for slope > 0) of the activation. dst may be dy or y.
func LeakyReLUGrad(dst, y, dy *Matrix, slope float32) {
	sameShape("LeakyReLUGrad", dst, y, dy)
	Parallel(len(dst.Data), elementGrain, func(lo, hi int) {
		leakyGrad(dst.Data[lo:hi], y.Data[lo:hi], dy.Data[lo:hi], slope)
	})
}

func leakyGrad(dst, y, dy []float32, slope float32) {
	i := 0
	if n := len(dst) &^ 7; active != levelGeneric && n > 0 {
		leakyGradVector(&dst[0], &y[0], &dy[0], slope, n)
		i = n
	}
	for ; i < len(dst); i++ {
		g := dy[i]
		if !(y[i] > 0) {
			g *= slope
		}
		dst[i] = g
	}
}

// ColumnSums sets dst_j = Σ_i m_ij. Sums of fixed blocks of rows are added in order.
func ColumnSums(dst []float32, m *Matrix) {
	sameLen("ColumnSums", m.Cols, len(dst))
	clear(dst)
	grain := rowGrain(m.Cols)
	blocks := ceilDiv(m.Rows, grain)
	if blocks <= 1 {
		addRows(dst, m, 0, m.Rows)
		return
	}
	partial := getScratch(blocks * m.Cols)
	defer partial.release()
	clear(partial.data)
	Parallel(m.Rows, grain, func(lo, hi int) {
		b := lo / grain
		addRows(partial.data[b*m.Cols:(b+1)*m.Cols], m, lo, hi)
	})
	for b := range blocks {
		Axpy(1, partial.data[b*m.Cols:(b+1)*m.Cols], dst)
	}
}

// addRows adds rows lo to hi of m to dst.
func addRows(dst []float32, m *Matrix, lo, hi int) {
	for i := lo; i < hi; i++ {
		Axpy(1, m.Row(i), dst)
	}
}
