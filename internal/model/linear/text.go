package linear

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// TextKernel is EASE on item vectors: C[j, i] = −P_ji / P_ii with P = (F·Fᵀ + λ_F·I)⁻¹,
// F the vectors (Items × d), from which their mean is taken first. It inverts a d×d matrix
// only and holds factors: C[j, i] = F_j·R_i with R_i = M·F_i / (1 − F_i·M·F_i) and
// M = (FᵀF + λ_F·I)⁻¹. It scores items that nobody chose.
func TextKernel(ctx context.Context, vectors *tensor.Matrix, lambda float64) (*Factored, error) {
	if err := checkRidge("text kernel", "λ_F", lambda); err != nil {
		return nil, err
	}
	f := centred(vectors)
	m := tensor.New(f.Cols, f.Cols)
	for k := range m.Rows {
		m.Row(k)[k] = float32(lambda)
	}
	tensor.AddSymmetric(true, 1, f, m)
	if err := tensor.InvertSPD(ctx, m, nil); err != nil {
		return nil, fmt.Errorf("fit text kernel on %d×%d item vectors with λ_F=%g: %w", f.Rows, f.Cols, lambda, err)
	}
	r := tensor.New(f.Rows, f.Cols)
	tensor.Gemm(false, false, 1, f, m, 0, r)
	tensor.Parallel(f.Rows, 64, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			tensor.Scale(float32(1/(1-dot64(f.Row(i), r.Row(i)))), r.Row(i))
		}
	})
	return &Factored{Left: f, Right: r}, nil
}

// centred returns the rows less their mean.
func centred(m *tensor.Matrix) *tensor.Matrix {
	sum := make([]float64, m.Cols)
	for i := range m.Rows {
		for k, v := range m.Row(i) {
			sum[k] += float64(v)
		}
	}
	out := m.Clone()
	for i := range out.Rows {
		row := out.Row(i)
		for k := range row {
			row[k] -= float32(sum[k] / float64(m.Rows))
		}
	}
	return out
}
