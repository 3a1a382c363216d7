package layers

import (
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
)

const (
	regWeight = "reg_weight"
	regBatch  = "reg_batch"
)

// RegWeight describes the weight of the penalty on the batch's vectors.
func RegWeight(standard string) model.Setting {
	return model.Setting{Name: regWeight, Kind: model.Float, Default: standard, Doc: "weight of the penalty on the batch's vectors"}
}

// RegBatch describes what the penalty is divided by.
func RegBatch() model.Setting {
	return model.Setting{Name: regBatch, Kind: model.Int, Default: "2048", Min: 1, Doc: "number that the penalty is divided by: the batch size of the published runs, for the short last batch too"}
}

// Penalty is λ·½Σ‖X_q‖²/B of the batch's vectors, with the configured B.
type Penalty struct{ weight, batch float64 }

// PenaltyOf reads its settings.
func PenaltyOf(v model.Values) Penalty { return Penalty{v.Float(regWeight), float64(v.Int(regBatch))} }

// Add returns loss with the penalty on xs.
func (p Penalty) Add(t *autograd.Tape, loss *autograd.Var, xs ...*autograd.Var) *autograd.Var {
	if p.weight == 0 {
		return loss
	}
	return t.Add(loss, t.SquaredNorm(p.weight/2/p.batch, xs...))
}
