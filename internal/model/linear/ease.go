package linear

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// EASE minimises ‖X − XB‖² + λ‖B‖² with diag B = 0 (Steck 2019): with
// P = (XᵀX + λI)⁻¹, B[j, i] = −P_ji / P_ii. Time grows with Items³, memory is one
// Items × Items matrix of float32.
func EASE(ctx context.Context, x *Interactions, lambda float64, progress tensor.Progress) (*Dense, error) {
	if err := checkRidge("EASE", "λ", lambda); err != nil {
		return nil, err
	}
	p, err := invertedGram(ctx, x, lambda, progress)
	if err != nil {
		return nil, fmt.Errorf("fit EASE on %d items with λ=%g: %w", x.Items(), lambda, err)
	}
	scale := make([]float32, p.Rows)
	for i := range scale {
		scale[i] = -1 / p.Row(i)[i]
	}
	scaleColumns(p, scale)
	clearDiagonal(p)
	return &Dense{p}, nil
}

// L3AE minimises ‖X − XB‖² + λ_X‖B‖² + λ_E‖B − C‖² with diag B = 0, C the text kernel
// (CIKM 2025). It costs what EASE costs and one product of Items² × d more.
func L3AE(ctx context.Context, x *Interactions, text *Factored, lambdaX, lambdaE float64, progress tensor.Progress) (*Dense, error) {
	if err := checkRidge("L3AE", "λ_X", lambdaX); err != nil {
		return nil, err
	}
	if err := checkRidge("L3AE", "λ_E", lambdaE); err != nil {
		return nil, err
	}
	if text.Items() != x.Items() {
		return nil, fmt.Errorf("fit L3AE: item vectors of %d items, interactions with %d", text.Items(), x.Items())
	}
	p, err := invertedGram(ctx, x, lambdaX+lambdaE, progress)
	if err != nil {
		return nil, fmt.Errorf("fit L3AE on %d items with λ_X=%g, λ_E=%g: %w", x.Items(), lambdaX, lambdaE, err)
	}
	// C = F·Rᵀ − diag(c) with c_i = F_i·R_i, so P·C = (P·F)·Rᵀ − P·diag(c): column i of B is
	// λ_E·(P·F)·R_i less a multiple of column i of P.
	pf := tensor.New(p.Rows, text.Left.Cols)
	tensor.Gemm(false, false, 1, p, text.Left, 0, pf)
	scale := make([]float32, p.Rows)
	for i := range scale {
		own, pii := dot64(text.Left.Row(i), text.Right.Row(i)), float64(p.Row(i)[i])
		pc := dot64(pf.Row(i), text.Right.Row(i)) - pii*own // (P·C)_ii
		scale[i] = float32(-(lambdaE*own + (1+lambdaE*pc)/pii))
	}
	scaleColumns(p, scale)
	tensor.Gemm(false, true, float32(lambdaE), pf, text.Right, 1, p)
	clearDiagonal(p)
	return &Dense{p}, ctx.Err()
}

// addRows is how many rows of the text kernel are added at a time.
const addRows = 256

// AddEASE is (1−α)·ease + α·text, in the memory of ease: a second square of the catalogue would
// not fit beside it.
func AddEASE(ease *Dense, text Kernel, alpha float64) (*Dense, error) {
	if !(alpha >= 0 && alpha <= 1) {
		return nil, usererr.New("", "Add-EASE: α is %g, must be 0 to 1", alpha)
	}
	if ease.Items() != text.Items() {
		return nil, fmt.Errorf("add the text kernel of %d items to an EASE of %d", text.Items(), ease.Items())
	}
	tensor.Scale(float32(1-alpha), ease.B.Data)
	for lo := 0; lo < ease.B.Rows; lo += addRows {
		rows := ease.B.RowRange(lo, min(lo+addRows, ease.B.Rows))
		chosen, weights := make([][]int32, rows.Rows), make([][]float32, rows.Rows)
		for n := range chosen {
			chosen[n], weights[n] = []int32{int32(lo + n)}, []float32{float32(alpha)}
		}
		text.AddScoresBatch(chosen, weights, rows)
	}
	clearDiagonal(ease.B) // what a factored kernel takes out again leaves a rounding error
	return ease, nil
}

// invertedGram returns (XᵀX + λI)⁻¹.
func invertedGram(ctx context.Context, x *Interactions, lambda float64, progress tensor.Progress) (*tensor.Matrix, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g := x.Cooccurrence()
	for i := range g.Rows {
		g.Row(i)[i] += float32(lambda)
	}
	return g, tensor.InvertSPD(ctx, g, progress)
}

func scaleColumns(m *tensor.Matrix, by []float32) {
	tensor.Parallel(m.Rows, 16, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := m.Row(i)
			for j, s := range by {
				row[j] *= s
			}
		}
	})
}

func clearDiagonal(m *tensor.Matrix) {
	for i := range m.Rows {
		m.Row(i)[i] = 0
	}
}

func dot64(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// checkRidge fails unless λ is a number above 0.
func checkRidge(model, name string, lambda float64) error {
	if !(lambda > 0 && lambda <= 1e30) {
		return usererr.New("", "%s: %s is %g, must be above 0", model, name, lambda)
	}
	return nil
}
