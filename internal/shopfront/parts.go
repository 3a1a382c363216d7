package shopfront

import (
	"cmp"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
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

// parts sums shares up by view, the largest part first.
func (v *view) parts(shares []model.Share, score float64) []Part {
	if shares == nil {
		return []Part{{View: product, Score: score, Rest: score}}
	}
	var parts []Part
	for _, s := range shares {
		at := slices.IndexFunc(parts, func(p Part) bool { return p.View == s.View })
		if at < 0 {
			at, parts = len(parts), append(parts, Part{View: s.View})
		}
		p := &parts[at]
		if p.Score += s.Part; s.Item < 0 {
			p.Rest += s.Part
			continue
		}
		if s.Part != 0 {
			p.Items = append(p.Items, ItemPart{v.item(s.Item), s.Part})
		}
	}
	for _, p := range parts {
		slices.SortStableFunc(p.Items, func(a, b ItemPart) int { return cmp.Compare(math.Abs(b.Score), math.Abs(a.Score)) })
	}
	slices.SortStableFunc(parts, func(a, b Part) int { return cmp.Compare(math.Abs(b.Score), math.Abs(a.Score)) })
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
