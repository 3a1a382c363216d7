// Package linear holds the recommenders whose score is a linear function of the items that
// a user chose: score of item i = Σ_j x_j·B[j, i] over the chosen items j, with an item×item
// weight matrix B whose diagonal is zero. Nothing of a user is learnt, so a stranger's
// history is scored like that of a known user.
//
// The functions fit B from train interactions, from item vectors, or from both; a [Kernel]
// scores with it. The same input gives the same bits at any GOMAXPROCS.
package linear

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Kernel is an item×item weight matrix B with zero diagonal. Implementations are safe for
// concurrent use. Item rows out of range panic.
type Kernel interface {
	Items() int
	// AddScores computes out += Σ_n weights[n]·B[history[n], :]; nil weights are all 1,
	// out has Items() elements.
	AddScores(history []int32, weights []float32, out []float32)
	// AddScoresBatch does the same for many histories, one row of out each, to the bits of
	// AddScores; nil weights are all 1.
	AddScoresBatch(histories [][]int32, weights [][]float32, out *tensor.Matrix)
	// Contribution returns B[j, i]: what the choice of j of weight 1 adds to the score of i.
	Contribution(j, i int32) float32
}

// scoreGrain is how many items one chunk of a single user's scores covers, userGrain how
// many users one chunk of a batch.
const (
	scoreGrain = 4096
	userGrain  = 16
)

// weightOf returns the weight of the n-th item chosen.
func weightOf(weights []float32, n int) float32 {
	if weights == nil {
		return 1
	}
	return weights[n]
}

// weightsOf returns the weights of the r-th history.
func weightsOf(weights [][]float32, r int) []float32 {
	if weights == nil {
		return nil
	}
	return weights[r]
}

func checkScores(k Kernel, history []int32, weights, out []float32) {
	if (weights != nil && len(weights) != len(history)) || len(out) != k.Items() {
		panic(fmt.Sprintf("linear: %d items chosen with %d weights, scored into %d of %d items", len(history), len(weights), len(out), k.Items()))
	}
}

func checkBatch(k Kernel, histories [][]int32, weights [][]float32, out *tensor.Matrix) {
	if (weights != nil && len(weights) != len(histories)) || out.Rows != len(histories) || out.Cols != k.Items() {
		panic(fmt.Sprintf("linear: %d histories with %d rows of weights, scored into %d×%d, items %d", len(histories), len(weights), out.Rows, out.Cols, k.Items()))
	}
	for r, h := range histories {
		if w := weightsOf(weights, r); w != nil && len(w) != len(h) {
			panic(fmt.Sprintf("linear: history %d has %d items and %d weights", r, len(h), len(w)))
		}
	}
}

// Dense is a kernel of which every entry is stored.
type Dense struct {
	B *tensor.Matrix // Items × Items
}

// Items returns the size of the catalogue.
func (d *Dense) Items() int { return d.B.Rows }

// Contribution returns B[j, i].
func (d *Dense) Contribution(j, i int32) float32 { return d.B.Row(int(j))[i] }

// AddScores is [Kernel].AddScores.
func (d *Dense) AddScores(history []int32, weights, out []float32) {
	checkScores(d, history, weights, out)
	tensor.Parallel(len(out), scoreGrain, func(lo, hi int) {
		for n, j := range history {
			tensor.Axpy(weightOf(weights, n), d.B.Row(int(j))[lo:hi], out[lo:hi])
		}
	})
}

// AddScoresBatch is [Kernel].AddScoresBatch. It adds the rows of the items chosen rather
// than multiplying matrices: histories are short beside the catalogue.
func (d *Dense) AddScoresBatch(histories [][]int32, weights [][]float32, out *tensor.Matrix) {
	checkBatch(d, histories, weights, out)
	tensor.Parallel(len(histories), userGrain, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			w, row := weightsOf(weights, r), out.Row(r)
			for n, j := range histories[r] {
				tensor.Axpy(weightOf(w, n), d.B.Row(int(j)), row)
			}
		}
	})
}

// Sparse is a kernel that stores few entries a row.
type Sparse struct {
	B *tensor.CSR // Items × Items, a row for each item chosen
}

// Items returns the size of the catalogue.
func (s *Sparse) Items() int { return s.B.Rows }

// Contribution returns B[j, i].
func (s *Sparse) Contribution(j, i int32) float32 { return entry(s.B, int(j), i) }

// AddScores is [Kernel].AddScores.
func (s *Sparse) AddScores(history []int32, weights, out []float32) {
	checkScores(s, history, weights, out)
	s.add(history, weights, out)
}

func (s *Sparse) add(history []int32, weights, out []float32) {
	for n, j := range history {
		w := weightOf(weights, n)
		cols, vals := s.B.Row(int(j))
		for e, c := range cols {
			out[c] += w * vals[e]
		}
	}
}

// AddScoresBatch is [Kernel].AddScoresBatch.
func (s *Sparse) AddScoresBatch(histories [][]int32, weights [][]float32, out *tensor.Matrix) {
	checkBatch(s, histories, weights, out)
	tensor.Parallel(len(histories), userGrain, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			s.add(histories[r], weightsOf(weights, r), out.Row(r))
		}
	})
}
