package offline

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/texts"
)

// ReasonerModel is the model name of the offline reasoner's answers in the ledger.
const ReasonerModel = "offline-extractive/1"

// recency is the weight of an item relative to that of the next later one.
const recency = 0.97

// Reasoner writes a preference from the words of the items it is given, without a model or
// the network. The same items give the same text.
type Reasoner struct {
	stats statistics
	limit int
}

// NewReasoner counts terms in the item texts (Eq. 2) of the catalogue.
func NewReasoner(corpus []string) *Reasoner {
	return &Reasoner{stats: newStatistics(corpus), limit: texts.MaxWords}
}

// ID is "offline-extractive/1 sha256:<digest of the catalogue's statistics>".
func (r *Reasoner) ID() string { return ReasonerModel + " sha256:" + r.stats.digest }

// Reason writes a paragraph of at most 100 words: what the items are about, newest
// first, then the brands, categories and looks that recur.
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

func (r *Reasoner) write(items []texts.HistoryItem) string {
	ages := make([]float64, len(items))
	for i := range items {
		ages[i] = math.Pow(recency, float64(len(items)-1-i))
	}
	left := r.limit
	var closing []string
	for _, part := range []struct {
		lead  string
		share int // of the limit
		names []weighted
	}{
		{"Brands", 8, brands(items, ages)},
		{"Categories", 14, categories(items, ages)},
		{"Looks", 14, r.looks(items, ages)},
	} {
		if s, n := list(part.lead, part.names, part.share); n > 0 {
			closing = append(closing, s)
			left -= n
		}
	}
	var out []string
	if s := r.phrases(items, ages, left-1); s != "" {
		out = append(out, "Likes "+s+".")
	}
	if out = append(out, closing...); len(out) == 0 {
		return plainWords(items, r.limit)
	}
	return strings.Join(out, " ")
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
