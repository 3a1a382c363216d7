package answering

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/words"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Reason names what carried a recommendation: an item of the history and how it is
// tied to the recommended one, or words of the sentence that was given.
type Reason struct {
	Item   int32   // of the history; -1 for ViaWords
	Via    string  // ViaAudience, ViaContent or ViaWords
	Weight float64 // number of users who chose both, cosine, or number of words shared
	Edge   float64 // weight in the item graph of the edge from the recommended item; 0 where there is none
	Words  string  // of ViaWords: the words shared, separated by spaces
}

// The ways in which a reason is tied to an item.
const (
	ViaAudience = "chosen together" // there are users with both items in their train history
	ViaContent  = "similar content" // the vectors of the two items' texts are alike, or of what else the run reads of them
	ViaWords    = "same words"      // the sentence and the item's text share words
)

const (
	reasonsEach = 2   // shown per recommendation
	minCosine   = 0.2 // below this a likeness explains nothing
)

// reasons finds what carried a recommendation, in what the run was made from: the item
// texts for sentences; train audiences, item vectors and the graph for histories, where
// the run has them. Each is read when it is first needed.
type reasons struct {
	ds    *dataset.Dataset
	texts *kept[[]workspace.ItemText]
	ties  *kept[*ties]
}

func newReasons(e *Engine) *reasons {
	return &reasons{ds: e.Data, texts: keep(e.loadTexts), ties: keep(e.loadTies)}
}

// loadTexts reads the item texts behind the run's item vectors; nil where there are none.
func (e *Engine) loadTexts(context.Context) ([]workspace.ItemText, error) {
	ws := e.session.WS
	vectors, _ := ws.Artefact(e.input(workspace.KindItemVectors))
	address := vectors.Inputs[workspace.KindItemTexts].Address
	if address == "" {
		return nil, nil
	}
	return ws.ItemTexts(address)
}

// ties holds what ties items to each other.
type ties struct {
	users *dataset.Lists // train users of each item, ascending
	graph *tensor.CSR    // nil for runs that use none, like x
	x     *tensor.Matrix
	norm  []float64
}

func (e *Engine) loadTies(context.Context) (*ties, error) {
	t := &ties{users: e.Train.Lists().Transpose()}
	var err error
	if address := e.input(workspace.KindItemGraph); address != "" {
		if t.graph, err = e.session.Graph(address); err != nil {
			return nil, err
		}
	}
	if address := e.itemVectors(); address != "" {
		if t.x, err = e.session.Matrix(address, workspace.ItemVectorsFile); err != nil {
			return nil, err
		}
		for i := range t.x.Rows {
			t.norm = append(t.norm, tensor.Norm2(t.x.Row(i)))
		}
	}
	return t, nil
}

// Because lists the strongest ties of item i to what a person asked by. shares are what its score is made of, as
// [Placed.Explain] has them; nil where the model says nothing.
func (p *Placed) Because(ctx context.Context, n int, i int32, shares []model.Share) ([]Reason, error) {
	a, r := p.Askers[n], p.e.reasons
	var said []Reason
	if a.Text != "" {
		var err error
		if said, err = r.sharedWords(ctx, i, a.Text); err != nil || len(a.History) == 0 {
			return said, err
		}
	}
	if len(a.History) == 0 {
		return nil, nil
	}
	chosen, err := r.ofHistory(ctx, i, a.History, carried(shares))
	return append(said, chosen...), err
}

// ofHistory lists ties of item i to the history. carried are the items that the model itself says carried it, the strongest first.
func (r *reasons) ofHistory(ctx context.Context, i int32, history, carried []int32) ([]Reason, error) {
	t, err := r.ties.get(ctx)
	if err != nil {
		return nil, err
	}
	if len(carried) > 0 {
		return t.name(i, carried[:min(len(carried), reasonsEach)]), nil
	}
	return t.because(i, history), nil
}

// sharedWords names the content words that a sentence and the item's whole text share,
// the description of its picture included.
func (r *reasons) sharedWords(ctx context.Context, i int32, sentence string) ([]Reason, error) {
	texts, err := r.texts.get(ctx)
	if err != nil {
		return nil, err
	}
	text := r.ds.Items[i].Text()
	if texts != nil {
		text = texts[i].Text
	}
	shared := sharedWords(sentence, text)
	if len(shared) == 0 {
		return nil, nil
	}
	return []Reason{{Item: -1, Via: ViaWords, Weight: float64(len(shared)), Words: strings.Join(shared, " ")}}, nil
}

// because lists the strongest ties of item i to the history, edges of the graph first.
func (e *ties) because(i int32, history []int32) []Reason {
	var reasons []Reason
	var nearest Reason // stands in where no tie is strong enough: the likeliest of weak ones
	for _, h := range history {
		r := Reason{Item: h, Edge: e.edge(i, h)}
		both, alike := e.together(i, h), e.cosine(i, h)
		switch {
		case r.Edge > 0 && both > 0:
			r.Via, r.Weight = ViaAudience, float64(both)
		case r.Edge > 0, alike >= minCosine:
			r.Via, r.Weight = ViaContent, alike
		default:
			nearest = nearer(nearest, r, both, alike)
			continue
		}
		reasons = append(reasons, r)
	}
	if len(reasons) == 0 && nearest.Via != "" {
		reasons = append(reasons, nearest)
	}
	slices.SortStableFunc(reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Edge, a.Edge), cmp.Compare(b.Weight, a.Weight))
	})
	return reasons[:min(len(reasons), reasonsEach)]
}

// name says how items that carried item i are tied to it, in the order given.
func (e *ties) name(i int32, history []int32) []Reason {
	var reasons []Reason
	for _, h := range history {
		r := Reason{Item: h, Edge: e.edge(i, h), Via: ViaContent, Weight: e.cosine(i, h)}
		switch both := e.together(i, h); {
		case both > 0:
			r.Via, r.Weight = ViaAudience, float64(both)
		case r.Weight < minCosine:
			continue // tied by ways that have no name: through others' choices
		}
		reasons = append(reasons, r)
	}
	return reasons
}

// nearer returns the stronger of two weak ties: a shared audience before likeness.
func nearer(best, r Reason, both int, alike float64) Reason {
	switch {
	case both > 0 && (best.Via != ViaAudience || float64(both) > best.Weight):
		r.Via, r.Weight = ViaAudience, float64(both)
		return r
	case best.Via != ViaAudience && alike > best.Weight:
		r.Via, r.Weight = ViaContent, alike
		return r
	}
	return best
}

// together counts the users with both items in their train history.
func (e *ties) together(i, j int32) int {
	a, b := e.users.Of(int(i)), e.users.Of(int(j))
	n := 0
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			n++
			a, b = a[1:], b[1:]
		}
	}
	return n
}

func (e *ties) edge(from, to int32) float64 {
	if e.graph == nil {
		return 0
	}
	cols, vals := e.graph.Row(int(from))
	if n, ok := slices.BinarySearch(cols, to); ok {
		return float64(vals[n])
	}
	return 0
}

func (e *ties) cosine(i, j int32) float64 {
	if e.x == nil || e.norm[i] == 0 || e.norm[j] == 0 {
		return 0
	}
	return float64(tensor.Dot(e.x.Row(int(i)), e.x.Row(int(j)))) / (e.norm[i] * e.norm[j])
}

// sharedWords returns the content words that the sentence and an item's text have in
// common, in the sentence's order.
func sharedWords(sentence, text string) []string {
	has := map[string]bool{}
	words.Terms(text, func(t words.Term) { has[t.Text] = true })
	var shared []string
	words.Terms(sentence, func(t words.Term) {
		if !words.IsStop(t.Text) && has[t.Text] && !slices.Contains(shared, t.Text) {
			shared = append(shared, t.Text)
		}
	})
	return shared
}

// Part is what one view of a person adds to the score of an item: the sum of its items and its rest.
type Part struct {
	View  string
	Score float64
	Items []ItemPart // the largest first
	Rest  float64    // from no item of the history
}

// ItemPart is what one item of the history adds.
type ItemPart struct {
	Item  int32
	Score float64
}

// Parts sums shares up by view, the largest part first.
func Parts(shares []model.Share) []Part {
	var parts []Part
	for _, s := range shares {
		at := slices.IndexFunc(parts, func(p Part) bool { return p.View == s.View })
		if at < 0 {
			at, parts = len(parts), append(parts, Part{View: s.View})
		}
		p := &parts[at]
		if p.Score += s.Part; s.Item < 0 {
			p.Rest += s.Part
		} else if s.Part != 0 {
			p.Items = append(p.Items, ItemPart{s.Item, s.Part})
		}
	}
	for _, p := range parts {
		slices.SortStableFunc(p.Items, func(a, b ItemPart) int { return cmp.Compare(math.Abs(b.Score), math.Abs(a.Score)) })
	}
	slices.SortStableFunc(parts, func(a, b Part) int { return cmp.Compare(math.Abs(b.Score), math.Abs(a.Score)) })
	return parts
}

// carried returns the items of the history whose parts in a score are above 0, the largest first.
func carried(shares []model.Share) []int32 {
	sum, items := map[int32]float64{}, []int32(nil)
	for _, s := range shares {
		if s.Item < 0 {
			continue
		}
		if _, met := sum[s.Item]; !met {
			items = append(items, s.Item)
		}
		sum[s.Item] += s.Part
	}
	items = slices.DeleteFunc(items, func(i int32) bool { return !(sum[i] > 0) })
	slices.SortStableFunc(items, func(a, b int32) int { return cmp.Compare(sum[b], sum[a]) })
	return items
}
