package hybrid

import (
	"context"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/linear"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Names of tensors behind the name of a view that is no kernel over items.
const (
	itemsName  = ".items"  // unit vectors of the items' texts, of the view preference
	countsName = ".scores" // of the view popularity
)

// localNeighbours is how many items the local form of EASE fits each item on.
const localNeighbours = 200

// fitView fits one view and returns its tensors, named without the view's name; nil where
// the data has no inputs for it. What was fitted before an interruption is not fitted again.
func fitView(ctx context.Context, view string, in model.Inputs, v model.Values, f model.Fitting) (model.Weights, error) {
	return f.Kept(view, func() (model.Weights, error) {
		w := model.Weights{}
		switch view {
		case preference:
			if in.Preferences.Cols != in.ItemVectors[model.Text].Cols {
				f.Tell("vectors of preferences are %d wide, those of items %d: the view %s, which compares them, is left out", in.Preferences.Cols, in.ItemVectors[model.Text].Cols, preference)
				return nil, nil
			}
			w[itemsName] = unitVectors(in.ItemVectors[model.Text])
			return w, nil
		case popularity:
			w[countsName] = prior(in)
			return w, nil
		case pool:
			return fitPool(ctx, in, v.Int("epochs"), f)
		}
		k, err := fitKernel(ctx, view, in, v, f)
		if err != nil {
			return nil, err
		}
		return w, linear.Store(w, "", k)
	})
}

func fitKernel(ctx context.Context, view string, in model.Inputs, v model.Values, f model.Fitting) (linear.Kernel, error) {
	lists := in.Train.Lists()
	progress := func(done, total float64) { f.Say(view, done, total) }
	x := linear.NewInteractions(lists)
	switch view {
	case neighbours:
		return linear.BM25KNN(ctx, x, linear.BM25{K1: 0.2, B: 0.2, K: bm25Neighbours, OneSided: true})
	case kernel:
		if in.Items > v.Int("exact_up_to") {
			f.Tell("the catalogue has %d items, more than exact_up_to=%d: EASE is fitted on %d neighbours of each", in.Items, v.Int("exact_up_to"), localNeighbours)
			return linear.LocalEASE(ctx, x, v.Float("lambda"), localNeighbours, nil, progress)
		}
		d, err := linear.EASE(ctx, x, v.Float("lambda"), progress)
		if err != nil {
			return nil, err
		}
		return linear.Prune(d, v.Int("keep")), nil
	case text:
		return linear.TextKernel(ctx, in.ItemVectors[model.Text], v.Float("lambda_text"))
	case spectral:
		return linear.Spectral(ctx, x, min(v.Int("factors"), in.Items, in.Users), in.Seed)
	}
	return linear.Transitions(lists), nil
}

const bm25Neighbours = 1000

// fitPool trains the tables of model pool. A person's pooled vector is a sum over what they
// chose, up to a length that standardising takes out, so that the tables are a kernel.
func fitPool(ctx context.Context, in model.Inputs, epochs int, f model.Fitting) (model.Weights, error) {
	if f.Train == nil {
		return nil, nil
	}
	if !pairs(in) {
		f.Tell("nobody has two different train items: the view %s, which learns one from the others, is left out", pool)
		return nil, nil
	}
	settings := map[string]string{"batch_size": "1024"}
	if in.Times == nil {
		settings["decay"] = "1"
	}
	trained, err := f.Train(ctx, pool, in, settings, epochs)
	if err != nil {
		return nil, err
	}
	left, err := trained.Matrix("item_input", in.Items, model.Any)
	if err != nil {
		return nil, err
	}
	right, err := trained.Matrix("item_output", in.Items, left.Cols)
	if err != nil {
		return nil, err
	}
	right = right.Clone()
	right.NormalizeRows(1e-6)
	w := model.Weights{}
	return w, linear.Store(w, "", &linear.Factored{Left: left, Right: right})
}

// pairs reports whether any user has two different items.
func pairs(in model.Inputs) bool {
	for u := range in.Train.Users() {
		if items := in.Train.Items(u); len(items) > 1 && slices.ContainsFunc(items, func(i int32) bool { return i != items[0] }) {
			return true
		}
	}
	return false
}

func unitVectors(m *tensor.Matrix) model.Tensor {
	unit := m.Clone()
	unit.NormalizeRows(1e-12)
	return model.Tensor{Shape: []int{unit.Rows, unit.Cols}, Data: unit.Data}
}

// prior is the logarithm of how many chose each item, one more each.
func prior(in model.Inputs) model.Tensor {
	scores := make([]float32, in.Items)
	for _, i := range in.Train.Lists().Items {
		scores[i]++
	}
	for i, n := range scores {
		scores[i] = float32(math.Log1p(float64(n)))
	}
	return model.Tensor{Shape: []int{len(scores)}, Data: scores}
}
