package offline

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/texts"
)

// ReasonerModel is the model name of the offline reasoner's answers in the ledger.
const ReasonerModel = "offline-sentences/1"

// recency is the weight of an item relative to that of the next later one.
const recency = 0.97

// Reasoner writes a preference in sentences that count what the items of a history share and
// quote what is special about the latest, without a model or the network. The same items
// give the same text.
type Reasoner struct {
	stats statistics
	limit int
}

// NewReasoner counts terms in the item texts (Eq. 2) of the catalogue.
func NewReasoner(corpus []string) *Reasoner {
	return &Reasoner{stats: newStatistics(corpus), limit: texts.MaxWords}
}

// ID is "offline-sentences/1 sha256:<digest of the catalogue's statistics>".
func (r *Reasoner) ID() string { return ReasonerModel + " sha256:" + r.stats.digest }

// Reason writes a paragraph of at most 100 words: kinds of product, brands, materials,
// colours and words that recur, in counts; what changed lately; the latest items; and
// telling words from the items' own texts.
func (r *Reasoner) Reason(ctx context.Context, q texts.ReasonRequest) (texts.Answer, error) {
	if err := ctx.Err(); err != nil {
		return texts.Answer{}, err
	}
	return texts.Answer{
		Text:   r.write(q.Items),
		Model:  ReasonerModel,
		Params: map[string]any{"max_words": r.limit},
	}, nil
}

// ages is the weight of each item of a history of n, oldest first.
func ages(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = math.Pow(recency, float64(n-1-i))
	}
	return w
}

// plainWords is the preference from a history without an informative word: the newest text
// that has words, cut at the limit.
func plainWords(items []texts.HistoryItem, limit int) string {
	for _, it := range slices.Backward(items) {
		if w := strings.Fields(it.Text()); len(w) > 0 {
			return strings.Join(w[:min(len(w), limit)], " ")
		}
	}
	return ""
}
