package answering

import (
	"context"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/serving"
)

// directions are the item vectors at unit length, whose inner products are cosines.
type directions struct {
	items  *tensor.Matrix // N×d
	ranker *serving.Catalogue
}

func newDirections(items *tensor.Matrix) *directions {
	unit := tensor.New(items.Rows, items.Cols)
	for row := range unit.Rows {
		n := tensor.Norm2(items.Row(row))
		for c, v := range items.Row(row) {
			if n > 0 {
				unit.Row(row)[c] = float32(float64(v) / n)
			}
		}
	}
	return &directions{unit, serving.NewCatalogue(unit)}
}

// Similar returns the k items that are most like an item in the run, less those that skip names: by the cosine of
// their vectors, or, of a fitted model, by what somebody gets who chose that item alone. Placed is that somebody, whom the
// reasons are of.
func (e *Engine) Similar(ctx context.Context, item int32, k int, skip []int32) (List, *Placed, error) {
	if err := ctx.Err(); err != nil {
		return List{}, nil, err
	}
	p, k := e.alone(item), min(k, e.Items())
	left := func(int) []int32 { return append([]int32{item}, skip...) }
	if e.fitted != nil {
		lists, err := p.Rank(ctx, k, left)
		if err != nil {
			return List{}, nil, err
		}
		return lists[0], p, nil
	}
	near := e.nearest()
	items, scores, err := near.ranker.Rank(near.items.RowRange(int(item), int(item)+1), k, left)
	if err != nil {
		return List{}, nil, err
	}
	return listsOf(items, scores)[0], p, nil
}

// alone is somebody who chose one item and says nothing.
func (e *Engine) alone(item int32) *Placed {
	history := []int32{item}
	p := &Placed{e: e, Askers: []Asker{Chose(history)}, Texts: []string{""}}
	if e.fitted != nil {
		p.people = []model.Person{{History: history}}
	}
	return p
}
