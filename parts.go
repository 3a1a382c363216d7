package mllmrec

import (
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/answering"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Part is what one view of a person adds to the score of an item. The parts of a
// recommendation sum to its score.
type Part struct {
	View  string     `json:"view"`  // name of the view; "" for a model that has one only
	Score float64    `json:"score"` // the sum of Items and Rest
	Items []ItemPart `json:"items,omitempty"`
	// Rest is what comes from no item of the history: from the preference text, from the item's
	// popularity, and what is subtracted so that the catalogue's mean is 0.
	Rest float64 `json:"rest,omitempty"`
}

// ItemPart is what one item of the history adds.
type ItemPart struct {
	Item  string  `json:"item"`
	Title string  `json:"title,omitempty"`
	Score float64 `json:"score"`
}

// WithParts has every recommendation say what its score is made of: see [Recommendation].Parts.
// Runs of models whose score is one inner product of vectors cannot be opened with it.
func WithParts() Option { return func(o *options) { o.parts = true } }

func noParts(name string) error {
	return usererr.New("Open a run of hybrid or of another model that is fitted to items.",
		"the score of model %s is one product of two vectors: it has no parts", name)
}

// partsOf names the items of parts.
func partsOf(ds *dataset.Dataset, shares []model.Share) []Part {
	var parts []Part
	for _, p := range answering.Parts(shares) {
		part := Part{View: p.View, Score: p.Score, Rest: p.Rest}
		for _, i := range p.Items {
			part.Items = append(part.Items, ItemPart{ds.Items[i.Item].ID, ds.Items[i.Item].Title, i.Score})
		}
		parts = append(parts, part)
	}
	return parts
}
