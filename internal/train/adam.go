package train

import (
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

const (
	beta1   = 0.9
	beta2   = 0.999
	epsilon = 1e-8
)

// Adam is PyTorch's Adam with PyTorch's defaults, β = (0.9, 0.999), ε = 1e-8, on
// dense gradients: the rows of a table that a batch did not touch have gradient zero
// and still move by their momentum. A parameter that got no gradient at all stands
// still, and its step count with it.
type Adam struct {
	params []*autograd.Param
	m, v   [][]float32 // moments, parallel to params
	steps  []int
	rows   [][]int32 // of a table: which row of the gradient a row has, -1 none; memory that steps use again
	decay  float32
}

// NewAdam returns the optimiser of params. weightDecay·parameter is added to the
// gradient before the moments (plain L2, not AdamW).
func NewAdam(params []*autograd.Param, weightDecay float64) *Adam {
	a := &Adam{params: params, decay: float32(weightDecay), steps: make([]int, len(params)), rows: make([][]int32, len(params))}
	for _, p := range params {
		a.m = append(a.m, make([]float32, len(p.Value.Data)))
		a.v = append(a.v, make([]float32, len(p.Value.Data)))
	}
	return a
}

// Step moves every parameter that has a gradient.
func (a *Adam) Step(lr float64) {
	for k, p := range a.params {
		if !p.HasGrad() {
			continue
		}
		a.steps[k]++
		c1 := float32(1 - math.Pow(beta1, float64(a.steps[k])))
		c2 := float32(1 - math.Pow(beta2, float64(a.steps[k])))
		if p.Table() {
			tensor.AdamStepRows(p.Value, p.Grad, a.gradientOf(k), a.m[k], a.v[k], float32(lr), beta1, beta2, epsilon, c1, c2, a.decay)
			continue
		}
		tensor.AdamStep(p.Value.Data, p.Grad.Data, a.m[k], a.v[k], float32(lr), beta1, beta2, epsilon, c1, c2, a.decay)
	}
}

// gradientOf returns for each row of table k the row of the gradient that it has.
func (a *Adam) gradientOf(k int) []int32 {
	p := a.params[k]
	if a.rows[k] == nil {
		a.rows[k] = make([]int32, p.Value.Rows)
	}
	of := a.rows[k]
	for r := range of {
		of[r] = -1
	}
	for g, r := range p.GradRows {
		of[r] = int32(g)
	}
	return of
}
