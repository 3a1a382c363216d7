// Package texts generates the texts of MLLMRec, what is written of items and of users'
// preferences. It asks a [Describer] for descriptions of pictures (Eq. 1) and a [Reasoner]
// for preferences (Eq. 3–4), and makes item texts (Eq. 2) and preference texts of their
// answers. It stores every answer, so that none is lost or paid for twice.
//
// [DescribeItems] and [ReasonUsers] run a whole stage. Package texts/offline has a
// describer and a reasoner that need no model, package texts/writer those that ask model
// servers, package texts/queue spreads the work over several machines. Answers are kept in
// a [Store] (package texts/ledger), under the SHA-256 of everything that determines them.
package texts

import (
	"context"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/mllm"
)

// The stages that ask describers and reasoners.
const (
	StageDescribe = "describe" // pictures → descriptions, Eq. 1
	StageReason   = "reason"   // train histories → preferences, Eq. 3–4
)

// FullFold is the fold of a preference that sees the whole history.
const FullFold = -1

// MaxWords is the number of words that the paper allows a description or a preference.
const MaxWords = 100

// Answer is the answer of a describer or reasoner, with how it came about.
type Answer struct {
	Text         string
	Model        string         // "gemma3:27b", or an offline writer's name
	ModelDigest  string         // of the weights, where the server reports it
	Params       map[string]any // temperature, seed, limits; canonical JSON in the ledger
	PromptHash   string         // of the prompt template
	ImageHash    string         // SHA-256 of the picture's bytes as they were sent
	PromptTokens int
	AnswerTokens int
	Seconds      float64
	Attempt      int    // requests that were sent for it; 1 = the first was answered
	Finish       string // why the model stopped: "stop", "length"; empty offline
}

// DescribeRequest asks for one sentence on a product's picture.
type DescribeRequest struct {
	Item   dataset.Item
	Image  mllm.Image
	Domain string // what the shop sells: "baby products"
	// Attempt is 1 plus the number of unusable answers so far; from 2 on a describer may
	// change its seed. A failed request does not count: the text must not depend on faults
	// of the network.
	Attempt int
}

// HistoryItem is one item of a history as it is shown to a reasoner.
type HistoryItem struct {
	Item      dataset.Item
	ImageText string // description of its picture; empty where there is none
}

// Text is the item's text by Eq. 2.
func (h HistoryItem) Text() string { return ItemText(h.Item, h.ImageText) }

// ReasonRequest asks for one user's preference. Items, in time order, are all that the
// reasoner is shown of the user.
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
	// ID names everything that determines an answer apart from the request; see [Describer].
	ID() string
}

// RequestIdentifier is implemented by reasoners whose answer to some requests depends on
// less than ID names: the answer about a history that fits the context window does not
// depend on how longer histories are cut. The keys of such answers are made from RequestID.
type RequestIdentifier interface {
	RequestID(r ReasonRequest) string
}

// HistoryTruncator is implemented by reasoners that may leave out the beginning of a long
// history. FirstShown is the position of the first item that the model is shown; the items
// before it are not recorded as sources of the answer.
type HistoryTruncator interface {
	FirstShown(r ReasonRequest) int
}
