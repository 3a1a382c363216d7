package mllmrec

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/words"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Reason names what carried a recommendation: an item of the history and how it is
// tied to the recommended one, or words of the sentence that was given.
type Reason struct {
	Item   string  `json:"item,omitempty"`  // an item of the history
	Title  string  `json:"title,omitempty"` //
	Via    string  `json:"via"`             // "chosen together", "similar content", "same words"
	Weight float64 `json:"weight"`          // users who chose both, cosine, or number of words shared
	Edge   float64 `json:"edge,omitempty"`  // weight in L̂ of the edge from the recommended item, if there is one
	Words  string  `json:"words,omitempty"` // the words shared
}

// The ways a reason reaches an item.
const (
	ViaAudience = "chosen together" // users with both items in their train history (Eq. 8–9)
	ViaContent  = "similar content" // cosine of the two item vectors (Eq. 6–7)
	ViaWords    = "same words"
)

const (
	reasonsEach = 2   // shown per recommendation
	minCosine   = 0.2 // below this a likeness explains nothing
)

// explainer holds what reasons are read from; graph and features may be missing for
// models that use none.
type explainer struct {
	ds    *dataset.Dataset
	users *dataset.Lists // train users of each item, ascending
	graph *tensor.CSR
	x     *tensor.Matrix
	norm  []float64
	texts []workspace.ItemText // nil where the workspace has none
}

func (r *Recommender) loadExplainer() (*explainer, error) {
	e := &explainer{ds: r.ds, users: r.train.Lists().Transpose()}
	var err error
	if e.graph, err = arrayfile.ReadCSR(r.pipe.WS.Path(workspace.ItemGraphFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if e.x, err = arrayfile.ReadNPY(r.pipe.WS.Path(workspace.ItemFeaturesFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if e.x != nil {
		for i := range e.x.Rows {
			e.norm = append(e.norm, tensor.Norm2(e.x.Row(i)))
		}
	}
	if _, ok := r.pipe.WS.Manifest().Stages[workspace.StageDescribe]; ok {
		if e.texts, err = r.pipe.WS.ItemTexts(); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// text is an item's whole text, the description of its picture included.
func (e *explainer) text(i int32) string {
	if e.texts != nil {
		return e.texts[i].Text
	}
	return e.ds.Items[i].Text()
}

// because lists the strongest ties of item i to the history, edges of the graph first,
// or to the words of a sentence.
func (e *explainer) because(i int32, history []int32, text []string) []Reason {
	var reasons []Reason
	for _, t := range text {
		if words := sharedWords(t, e.text(i)); len(words) > 0 {
			reasons = append(reasons, Reason{Via: ViaWords, Weight: float64(len(words)), Words: strings.Join(words, " ")})
		}
	}
	var nearest Reason // stands in where no tie is strong enough: the likeliest of weak ones
	for _, h := range history {
		r := Reason{Item: e.ds.Items[h].ID, Title: e.ds.Items[h].Title, Edge: e.edge(i, h)}
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
func (e *explainer) together(i, j int32) int {
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

func (e *explainer) edge(from, to int32) float64 {
	if e.graph == nil {
		return 0
	}
	cols, vals := e.graph.Row(int(from))
	if n, ok := slices.BinarySearch(cols, to); ok {
		return float64(vals[n])
	}
	return 0
}

func (e *explainer) cosine(i, j int32) float64 {
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
