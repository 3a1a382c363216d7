package autograd

import (
	"fmt"
	"math"
)

// BPR returns −mean log σ(pos − neg) for n×1 scores of positives and negatives
// (Eq. 15), computed without overflow.
func (t *Tape) BPR(pos, neg *Var) *Var { return t.bpr(pos, neg, 0) }

// BPRGamma returns −mean log(1e-10 + σ(pos − neg)), the form of the reference
// framework's id models. It differs from [Tape.BPR] only where a negative is ahead
// by more than about 20, where its gradient vanishes.
func (t *Tape) BPRGamma(pos, neg *Var) *Var { return t.bpr(pos, neg, 1e-10) }

func (t *Tape) bpr(pos, neg *Var, gamma float64) *Var {
	mustMatch("BPR loss", pos, neg)
	if pos.Cols() != 1 || pos.Rows() == 0 {
		panic(fmt.Sprintf("autograd: BPR loss of %d×%d scores", pos.Rows(), pos.Cols()))
	}
	out := t.output(1, 1, pos, neg)
	n := pos.Rows()
	slope := t.Buffer(1, n).Data // of the loss in the difference of the scores
	var total float64
	for r := range n {
		d := float64(pos.Value.Data[r]) - float64(neg.Value.Data[r])
		loss, ds := bprTerm(d, gamma)
		total += loss
		slope[r] = float32(ds / float64(n))
	}
	out.Value.Data[0] = float32(total / float64(n))
	out.back = func() {
		g := out.grad.Data[0]
		for _, side := range []struct {
			v    *Var
			sign float32
		}{{pos, 1}, {neg, -1}} {
			if !side.v.needs {
				continue
			}
			dst := t.sum(side.v).Data
			for r, s := range slope {
				dst[r] += side.sign * g * s
			}
		}
	}
	return out
}

// bprTerm returns −log(gamma + σ(d)) and its derivative.
func bprTerm(d, gamma float64) (loss, slope float64) {
	e := math.Exp(-math.Abs(d))
	small := e / (1 + e) // σ(−|d|)
	if gamma == 0 {
		if d >= 0 {
			return math.Log1p(e), -small
		}
		return -d + math.Log1p(e), small - 1
	}
	s := small
	if d >= 0 {
		s = 1 - small
	}
	return -math.Log(gamma + s), -s * (1 - s) / (gamma + s)
}
