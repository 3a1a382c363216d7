package shopfront

import (
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/answering"
	"github.com/mllmrec/mllmrec/internal/model"
)

// Part is a branch of what a score is made of. The parts of a hit sum to its score, and the items of a part with its rest to the part.
type Part struct {
	View  string
	Score float64
	Items []ItemPart
	Rest  float64 // from no item of the history
}

// ItemPart is what one item of the history adds.
type ItemPart struct {
	Item  *dataset.Item
	Score float64
}

// product is the only part of a score that is one product of two vectors.
const product = "match of the user's and the item's vector"

// parts sums shares up by view and names their items.
func (v *view) parts(shares []model.Share, score float64) []Part {
	if shares == nil {
		return []Part{{View: product, Score: score, Rest: score}}
	}
	var parts []Part
	for _, p := range answering.Parts(shares) {
		part := Part{View: p.View, Score: p.Score, Rest: p.Rest}
		for _, i := range p.Items {
			part.Items = append(part.Items, ItemPart{v.item(i.Item), i.Score})
		}
		parts = append(parts, part)
	}
	return parts
}

// lent takes the score of an item that came later apart: it is the weighted mean of those of the items that it is most like, and so are its parts.
func (v *view) lent(x *extra, explain func(int32) []model.Share, score float64) []Part {
	if explain == nil {
		return v.parts(nil, score)
	}
	var total float64
	for _, w := range x.weights {
		total += float64(w)
	}
	var shares []model.Share
	sum := map[model.Share]int{} // place in shares, by view and item
	for n, row := range x.near {
		for _, s := range explain(row) {
			part := s.Part * float64(x.weights[n]) / total
			s.Part = 0
			at, met := sum[s]
			if !met {
				at = len(shares)
				sum[s], shares = at, append(shares, s)
			}
			shares[at].Part += part
		}
	}
	return v.parts(shares, score)
}
