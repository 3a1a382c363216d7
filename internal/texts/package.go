// Package texts is the reasoning stage of MLLMRec: what is asked of a describer of
// pictures (Eq. 1) and of a reasoner on preferences (Eq. 3–4), how their answers become
// item texts (Eq. 2) and preference texts, and how answers are kept so that none is
// lost, paid for twice or silently wrong.
//
// Describers and reasoners are behind two small interfaces: package reason/offline has
// the ones that need no model, others ask servers through package mllm. Answers live in
// a [Store], keyed by a SHA-256 of everything that determines them.
package texts

import (
	"context"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
)

// The stages that ask.
const (
	StageDescribe = "describe" // pictures → descriptions, Eq. 1
	StageReason   = "reason"   // train histories → preferences, Eq. 3–4
)

// FullFold is the fold of a preference that sees the whole history.
const FullFold = -1

// MaxWords is the length that the paper asks descriptions and preferences to keep.
const MaxWords = 100

// Answer is what a describer or reasoner gave, with all that is worth keeping of how.
type Answer struct {
	Text         string
	Model        string         // "gemma3:27b", or an offline writer's name
	ModelDigest  string         // of the weights, where the server tells
	Params       map[string]any // temperature, seed, limits; canonical JSON in the ledger
	PromptHash   string         // of the prompt template
	ImageHash    string         // SHA-256 of the picture's bytes as they were sent
	PromptTokens int
	AnswerTokens int
	Seconds      float64
	Attempt      int    // requests that it took, 1 = the first one served
	Finish       string // why the model stopped: "stop", "length"; empty offline
}

// DescribeRequest asks for one sentence on a product's picture.
type DescribeRequest struct {
	Item    dataset.Item
	Image   mllm.Image
	Domain  string // what the shop sells: "baby products"
	Attempt int    // 1, and one more for each unusable answer so far: a retry after one may change its seed. A failure on the way to the answer changes nothing, so that faults leave no trace in the result
}

// HistoryItem is one item of a history as a reasoner sees it.
type HistoryItem struct {
	Item      dataset.Item
	ImageText string // description of its picture; empty where there is none
}

// Text is the item's text by Eq. 2.
func (h HistoryItem) Text() string { return ItemText(h.Item, h.ImageText) }

// ReasonRequest asks for one user's preference from the items handed over, in time
// order. A reasoner sees nothing else of the user.
type ReasonRequest struct {
	User    string
	Fold    int // FullFold, or the fold that Items leaves out
	Domain  string
	Items   []HistoryItem
	Attempt int // as in DescribeRequest
}

// Describer turns a picture into a description (Eq. 1).
type Describer interface {
	Describe(ctx context.Context, r DescribeRequest) (Answer, error)
	// ID names everything that determines an answer apart from the request: model and
	// digest, parameters, prompt. It is part of the key under which answers are kept.
	ID() string
}

// Reasoner turns a history into a preference (Eq. 3–4).
type Reasoner interface {
	Reason(ctx context.Context, r ReasonRequest) (Answer, error)
	// ID is as in [Describer].
	ID() string
}

// PreciseID is implemented by reasoners whose answer to one request depends on less than
// ID names: a history that fits the window does not depend on how longer ones are cut.
// Keys are made from RequestID where there is one.
type RequestIdentifier interface {
	RequestID(r ReasonRequest) string
}

// PartialReader is implemented by reasoners that may leave out the beginning of a long
// history. Items before FirstShown are no sources of the answer.
type HistoryTruncator interface {
	FirstShown(r ReasonRequest) int
}
