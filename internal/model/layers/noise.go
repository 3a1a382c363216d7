package layers

import (
	"math/rand/v2"

	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/rng"
)

// Noise is what a model draws anew in every step. What it draws depends on the seed, the epoch, the
// step within it and the purpose alone, at any number of processors, so that an interrupted training goes on with
// the same bits.
type Noise struct {
	seed  uint64
	epoch uint64
	step  uint64
}

// NewNoise returns the noise of a model's seed, as it is before the first epoch.
func NewNoise(seed uint64) *Noise { return &Noise{seed: seed} }

// StartEpoch is called before the first step of an epoch.
func (n *Noise) StartEpoch(epoch int) { n.epoch, n.step = uint64(epoch), 0 }

// StartStep is called at the begin of each step.
func (n *Noise) StartStep() { n.step++ }

// noiseRows are drawn from one stream.
const noiseRows = 512

// fill calls draw with the rows of a fresh matrix and a source for each, and puts the matrix on the tape.
func (n *Noise) fill(t *autograd.Tape, purpose string, rows, cols int, draw func(r *rand.Rand, row []float32)) *autograd.Var {
	m := t.Buffer(rows, cols)
	chunks := (rows + noiseRows - 1) / noiseRows
	tensor.Parallel(chunks, 1, func(lo, hi int) {
		for c := lo; c < hi; c++ {
			r := rng.Stream(n.seed, purpose, n.epoch<<44|n.step<<24|uint64(c))
			for i := c * noiseRows; i < min(rows, (c+1)*noiseRows); i++ {
				draw(r, m.Row(i))
			}
		}
	})
	return t.Const(m)
}

// Dropout returns x with elements set to 0, each with probability p, and the others multiplied by 1/(1−p).
func (n *Noise) Dropout(t *autograd.Tape, x *autograd.Var, purpose string, p float64) *autograd.Var {
	if p == 0 {
		return x
	}
	keep, below := float32(1/(1-p)), uint32(p*(1<<32))
	return t.Mul(x, n.fill(t, purpose, x.Rows(), x.Cols(), func(r *rand.Rand, row []float32) {
		for j := range row {
			row[j] = keep
			if r.Uint32() < below {
				row[j] = 0
			}
		}
	}))
}

// Uniform returns a constant matrix of numbers from [0, 1).
func (n *Noise) Uniform(t *autograd.Tape, purpose string, rows, cols int) *autograd.Var {
	return n.fill(t, purpose, rows, cols, func(r *rand.Rand, row []float32) {
		for j := range row {
			row[j] = r.Float32()
		}
	})
}
