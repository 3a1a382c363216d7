package mllmrec

import (
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/answering"
)

// Reason names what carried a recommendation: an item of the history and how it is
// tied to the recommended one, or words of the sentence that was given.
type Reason struct {
	Item   string  `json:"item,omitempty"`  // id of an item of the history; "" for ViaWords
	Title  string  `json:"title,omitempty"` // of that item
	Via    string  `json:"via"`             // ViaAudience, ViaContent or ViaWords
	Weight float64 `json:"weight"`          // number of users who chose both, cosine, or number of words shared
	Edge   float64 `json:"edge,omitempty"`  // weight in the item graph of the edge from the recommended item; 0 where there is none
	Words  string  `json:"words,omitempty"` // of ViaWords: the words shared, separated by spaces
}

// The ways in which a reason is tied to an item.
const (
	ViaAudience = "chosen together" // there are users with both items in their train history
	ViaContent  = "similar content" // the vectors of the two items' texts are alike, or of what else the run reads of them
	ViaWords    = "same words"      // the sentence and the item's text share words
)

// reasonsOf names the items of reasons.
func reasonsOf(ds *dataset.Dataset, because []answering.Reason) []Reason {
	var reasons []Reason
	for _, b := range because {
		r := Reason{Via: b.Via, Weight: b.Weight, Edge: b.Edge, Words: b.Words}
		if b.Item >= 0 {
			r.Item, r.Title = ds.Items[b.Item].ID, ds.Items[b.Item].Title
		}
		reasons = append(reasons, r)
	}
	return reasons
}
