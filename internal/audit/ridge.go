package audit

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/mat"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// ridge is the affine map p ≈ A·m + b fitted by ridge regression.
type ridge struct {
	at   *tensor.Matrix // Aᵀ, D×D: row vectors map as m·Aᵀ
	bias []float32
}

// half says in which half of the users the regression for user u is fitted: the other
// one. Hashed, so that an order in the user file does not matter.
func half(u int32) int { return int((uint64(u)+1)*0x9e3779b97f4a7c15>>63) & 1 }

// fit regresses the vectors of each half of the probed users on their train means.
func (p *prober) fit(ctx context.Context) error {
	var rows [2][]int32
	for _, u := range p.probed {
		if p.present[u] && len(p.train.Of(int(u))) > 0 {
			rows[half(u)] = append(rows[half(u)], u)
		}
	}
	for h := range rows {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("probe user vectors: %w", err)
		}
		var err error
		if p.maps[h], err = p.fitRidge(rows[1-h]); err != nil {
			return err
		}
	}
	return nil
}

func (p *prober) fitRidge(users []int32) (*ridge, error) {
	d := p.items.Cols
	r := &ridge{at: tensor.New(d, d), bias: make([]float32, d)}
	if len(users) == 0 {
		return r, nil
	}
	m, y := tensor.New(len(users), d), tensor.New(len(users), d)
	for row, u := range users {
		p.mean(m.Row(row), p.train.Of(int(u)), -1)
		copy(y.Row(row), p.users.Row(int(u)))
	}
	meanM, meanY := centre(m), centre(y)
	gram, cross := tensor.New(d, d), tensor.New(d, d)
	tensor.Gemm(true, false, 1, m, m, 0, gram)
	tensor.Gemm(true, false, 1, m, y, 0, cross)
	at, err := solve(gram, cross, 0.01+float64(d)/float64(len(users)))
	if err != nil {
		return nil, err
	}
	r.at = at
	mapped := tensor.New(1, d)
	tensor.Gemm(false, false, 1, tensor.FromSlice(1, d, meanM), at, 0, mapped)
	for j := range r.bias {
		r.bias[j] = meanY[j] - mapped.Data[j]
	}
	return r, nil
}

// solve returns (gram + λ·tr(gram)/D·I)⁻¹·cross.
func solve(gram, cross *tensor.Matrix, lambda float64) (*tensor.Matrix, error) {
	d := gram.Rows
	var trace float64
	for i := range d {
		trace += float64(gram.Row(i)[i])
	}
	if trace <= 0 {
		return tensor.New(d, d), nil // all means alike: only the bias is left
	}
	sym := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			sym.SetSym(i, j, (float64(gram.Row(i)[j])+float64(gram.Row(j)[i]))/2)
		}
		sym.SetSym(i, i, sym.At(i, i)+lambda*trace/float64(d))
	}
	right := mat.NewDense(d, d, nil)
	for i, v := range cross.Data {
		right.Set(i/d, i%d, float64(v))
	}
	var chol mat.Cholesky
	if !chol.Factorize(sym) {
		return nil, fmt.Errorf("probe user vectors: the regression on train means is singular")
	}
	var x mat.Dense
	if err := chol.SolveTo(&x, right); err != nil {
		return nil, fmt.Errorf("probe user vectors: solve the regression on train means: %w", err)
	}
	at := tensor.New(d, d)
	for i := range at.Data {
		at.Data[i] = float32(x.At(i/d, i%d))
	}
	return at, nil
}

// centre subtracts the column means, in float64, and returns them.
func centre(m *tensor.Matrix) []float32 {
	sums := make([]float64, m.Cols)
	for r := range m.Rows {
		for j, v := range m.Row(r) {
			sums[j] += float64(v)
		}
	}
	means := make([]float32, m.Cols)
	for j, s := range sums {
		means[j] = float32(s / float64(m.Rows))
	}
	for r := range m.Rows {
		for j := range m.Row(r) {
			m.Row(r)[j] -= means[j]
		}
	}
	return means
}

// mean writes the unit mean direction of the items to dst, leaving out the item except.
func (p *prober) mean(dst []float32, items []int32, except int32) {
	clear(dst)
	for _, i := range items {
		if i != except {
			tensor.Axpy(1, p.items.Row(int(i)), dst)
		}
	}
	normalize(dst)
}
