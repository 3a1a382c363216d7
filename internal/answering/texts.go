package answering

import (
	"context"
	"math"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// loadPreferences reads the preference texts behind the run, one a user; nil where the run was made from none.
func (e *Engine) loadPreferences(context.Context) ([]string, error) {
	ws := e.session.WS
	vectors, _ := ws.Artefact(e.input(workspace.KindUserVectors))
	address := vectors.Inputs[workspace.KindUserTexts].Address
	if address == "" {
		return nil, nil
	}
	written, err := ws.UserTexts(address)
	if err != nil {
		return nil, err
	}
	all := make([]string, e.Data.Users())
	for _, t := range written {
		if u, ok := e.userRow[t.User]; ok && t.Fold == texts.FullFold {
			all[u] = t.Text
		}
	}
	return all, nil
}

// Preference returns the preference text that the run knows a user by; "" where it knows none.
func (e *Engine) Preference(ctx context.Context, u int32) (string, error) {
	all, err := e.preferences.get(ctx)
	if err != nil || all == nil {
		return "", err
	}
	return all[u], nil
}

// Text returns all that the run reads of an item in words, the description of its picture included.
func (e *Engine) Text(ctx context.Context, item int32) (string, error) {
	all, err := e.reasons.texts.get(ctx)
	if err != nil || all == nil {
		return e.Data.Items[item].Text(), err
	}
	return all[item].Text, nil
}

// Edge is what ties an item to another.
type Edge struct {
	Item   int32   // the other
	Via    string  // ViaAudience or ViaContent
	Weight float64 // number of users who chose both, or cosine
	Edge   float64 // weight in the item graph; 0 where it has no such edge
}

// Neighbours returns the k strongest ties of an item: the edges of the item graph where the run has one, else those items
// that it takes for most alike.
func (e *Engine) Neighbours(ctx context.Context, item int32, k int) ([]Edge, error) {
	t, err := e.reasons.ties.get(ctx)
	if err != nil {
		return nil, err
	}
	near := List{}
	if t.graph != nil {
		near = t.edges(item, k)
	}
	if len(near.Items) == 0 {
		if near, _, err = e.Similar(ctx, item, k, nil); err != nil {
			return nil, err
		}
	}
	var edges []Edge
	for _, j := range near.Items {
		x := Edge{Item: j, Via: ViaContent, Weight: t.cosine(item, j), Edge: t.edge(item, j)}
		if both := t.together(item, j); both > 0 {
			x.Via, x.Weight = ViaAudience, float64(both)
		}
		edges = append(edges, x)
	}
	return edges, nil
}

// Between returns the edge of one item to another, in the item graph; 0 where there is none.
func (e *Engine) Between(ctx context.Context, i, j int32) (float64, error) {
	t, err := e.reasons.ties.get(ctx)
	if err != nil {
		return 0, err
	}
	return t.edge(i, j), nil
}

// edges lists the k heaviest edges of an item, an edge to itself left out.
func (e *ties) edges(item int32, k int) List {
	cols, vals := e.graph.Row(int(item))
	row := make([]float32, len(vals))
	for n, v := range vals {
		if row[n] = v; cols[n] == item || v <= 0 {
			row[n] = float32(math.Inf(-1))
		}
	}
	k = min(k, len(row))
	at, score := make([]int32, k), make([]float32, k)
	found := tensor.TopK(row, k, at, score)
	var l List
	for n := range found {
		if !math.IsInf(float64(score[n]), -1) {
			l.Items, l.Scores = append(l.Items, cols[at[n]]), append(l.Scores, score[n])
		}
	}
	return l
}

// Alike says how alike items are, from −1 to 1: the cosine of their vectors, or, where the run reads none, the share of
// their audiences that they have in common.
func (e *Engine) Alike(ctx context.Context) (func(i, j int32) float64, error) {
	t, err := e.reasons.ties.get(ctx)
	if err != nil {
		return nil, err
	}
	if t.x != nil {
		return t.cosine, nil
	}
	return func(i, j int32) float64 {
		a, b := len(t.users.Of(int(i))), len(t.users.Of(int(j)))
		if a == 0 || b == 0 {
			return 0
		}
		return float64(t.together(i, j)) / math.Sqrt(float64(a)*float64(b))
	}, nil
}

// Likest encodes the texts of items that the run does not know and returns for each the k items of the catalogue that are most
// like it, with their cosines. Only runs that read the items' texts can tell.
func (e *Engine) Likest(ctx context.Context, texts []string, k int) ([]List, error) {
	enc, err := e.itemSide.get(ctx)
	if err != nil {
		return nil, err
	}
	near, err := e.contents.get(ctx)
	if err != nil {
		return nil, err
	}
	v, err := enc.Encode(ctx, texts)
	if err != nil {
		return nil, err
	}
	items, scores, err := near.ranker.Rank(newDirections(v).items, min(k, e.Items()), nil)
	if err != nil {
		return nil, err
	}
	lists := listsOf(items, scores)
	for n := range lists {
		if tensor.Norm2(v.Row(n)) == 0 { // no word of it is known
			lists[n] = List{}
		}
	}
	return lists, nil
}

// loadContents lays the vectors of the items' texts out at unit length.
func (e *Engine) loadContents(context.Context) (*directions, error) {
	x, err := e.session.Matrix(e.input(workspace.KindItemVectors), workspace.ItemVectorsFile)
	if err != nil {
		return nil, err
	}
	return newDirections(x), nil
}
