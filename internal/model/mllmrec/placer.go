package mllmrec

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// placer is a trained user tower. That is all it takes to place people never seen: item
// vectors, graph and train interactions have no part in it.
type placer struct {
	users     *frozen
	convolved bool // variant ui_gcn
}

// restore implements model.Spec.
func restore(w model.Weights, v model.Values) (model.Placer, error) {
	if v.Text("variant") == noReasoning {
		return nil, cannotPlace()
	}
	dim, hidden := sizes(v)
	w1, err := w.Matrix("user.hidden.weight", hidden, model.Any)
	if err != nil {
		return nil, err
	}
	b1, err := w.Vector("user.hidden.bias", hidden)
	if err != nil {
		return nil, err
	}
	w2, err := w.Matrix("user.output.weight", dim, hidden)
	if err != nil {
		return nil, err
	}
	b2, err := w.Vector("user.output.bias", dim)
	if err != nil {
		return nil, err
	}
	return &placer{newFrozen(w1, b1, w2, b2), v.Text("variant") == uiGCN}, nil
}

func cannotPlace() error {
	return usererr.New("Train another variant.", "variant no_reasoning knows users by id only and cannot place a new one")
}

// Place implements model.Placer (Eq. 14). In variant ui_gcn somebody new is a node of the
// user–item graph without edges.
func (p *placer) Place(preferences *tensor.Matrix) (*tensor.Matrix, error) {
	if preferences.Cols != p.users.width {
		return nil, fmt.Errorf("place users: their vectors are %d wide, the model was trained on %d", preferences.Cols, p.users.width)
	}
	users := p.users.apply(preferences)
	if !p.convolved {
		return users, nil
	}
	t := autograd.NewTape()
	h := t.Const(users)
	return t.Add(h, t.NormalizeRows(h, 1e-12)).Value, nil
}
