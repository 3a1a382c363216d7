// Package hybrid is the recommender to serve: several views of the same person, each a linear
// function of what they chose or of what their preference says, fused by a few global weights that
// validation chooses. With z_v the scores of view v over the catalogue, standardised for the person,
//
//	score_i = Σ_v w_v z_v,i        z_v,i = (s_v,i − mean s_v)/sd s_v
//
// The views are
//
//	neighbours  BM25 ItemKNN
//	kernel      EASE, exact up to a stated size of the catalogue, local beyond it
//	text        the text kernel, for items and people that nobody knows yet
//	spectral    leading singular vectors of the choices
//	order       what followed what
//	pool        item tables that begin as the text vectors and learn by a softmax over the catalogue
//	preference  the preference text beside the items' texts
//	popularity  how many chose an item; the prior of those who chose little
//
// What the data has no inputs for is left out, and said. Nothing of a user is learnt but the
// weights, so that strangers are served as known users are. The newest items of a history count
// more where there are times; each view has a decay of its own.
package hybrid

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const name = "hybrid"

// Names of the views, in the order in which they are fitted.
const (
	neighbours = "neighbours"
	kernel     = "kernel"
	text       = "text"
	spectral   = "spectral"
	order      = "order"
	pool       = "pool"
	preference = "preference"
	popularity = "popularity"
)

var allViews = []string{neighbours, kernel, text, spectral, order, pool, preference, popularity}

// viewSettings has one setting for each view.
func viewSettings() []model.Setting {
	docs := map[string]string{
		neighbours: "BM25 ItemKNN", kernel: "EASE", text: "the text kernel, which reads the items' text vectors", spectral: "singular vectors",
		order: "what followed what, which reads times", pool: "trained item tables, which read the items' text vectors",
		preference: "the preference texts, which reads their vectors and the items'", popularity: "how many chose an item",
	}
	var all []model.Setting
	for _, v := range allViews {
		all = append(all, model.Setting{Name: v, Kind: model.Bool, Default: "true", Doc: "use the view " + v + ": " + docs[v]})
	}
	return all
}

func init() {
	model.Register(model.Spec{
		Name: name,
		Doc:  "Hybrid fuses linear views of a person (neighbours, EASE, texts, singular vectors, order, trained tables, preference, popularity) by weights that validation chooses.",
		Settings: append(viewSettings(),
			model.Setting{Name: "lambda", Kind: model.Float, Default: "300", Min: 1e-6, Doc: "ridge penalty of the view kernel"},
			model.Setting{Name: "lambda_text", Kind: model.Float, Default: "100", Min: 1e-6, Doc: "ridge penalty of the view text"},
			model.Setting{Name: "factors", Kind: model.Int, Default: "256", Min: 1, Max: 1 << 14, Doc: "singular vectors of the view spectral"},
			model.Setting{Name: "exact_up_to", Kind: model.Int, Default: "10000", Min: 0, Max: 1 << 24, Doc: "largest catalogue for which the view kernel is exact: it takes the square of it in memory"},
			model.Setting{Name: "keep", Kind: model.Int, Default: "1000", Min: 0, Max: 1 << 24, Doc: "weights of each item that the view kernel keeps, the largest; 0 keeps all"},
			model.Setting{Name: "epochs", Kind: model.Int, Default: "8", Min: 1, Max: 1000, Doc: "largest number of epochs of the view pool, which mostly stops by itself before"},
			model.Setting{Name: "decay", Kind: model.Choice, Default: "auto", Choices: []string{"auto", "none"}, Doc: "weight of newer items of a history: auto, chosen on validation where there are times; none, all alike"},
			model.Setting{Name: "times", Kind: model.Bool, Default: "true", Doc: "read the order of choices"},
			model.Setting{Name: "texts", Kind: model.Bool, Default: "true", Doc: "read the items' text vectors"},
			model.Setting{Name: "preferences", Kind: model.Bool, Default: "true", Doc: "read the users' preference texts"},
		),
		Needs:         needs,
		Fit:           fit,
		RestoreRanker: restore,
	})
}

// uses reports whether a view is asked for.
func uses(v model.Values, view string) bool {
	switch view {
	case text, pool:
		return v.Bool(view) && v.Bool("texts")
	case order:
		return v.Bool(view) && v.Bool("times")
	case preference:
		return v.Bool(view) && v.Bool("texts") && v.Bool("preferences")
	}
	return v.Bool(view)
}

func needs(v model.Values) model.Needs {
	n := model.Needs{Times: v.Bool("times") && (uses(v, order) || v.Text("decay") == "auto"), Preferences: uses(v, preference)}
	if uses(v, text) || uses(v, pool) || uses(v, preference) {
		n.ItemVectors = []string{model.Text}
	}
	return n
}

// fit fits the views that are asked for, then chooses decays and weights on validation.
func fit(ctx context.Context, in model.Inputs, v model.Values, f model.Fitting) (*model.Fitted, error) {
	if f.Validation == nil || len(f.Validation.Users()) == 0 {
		return nil, usererr.New("Import again with a split that holds out validation interactions.", "no interaction is labelled validation, so no weights can be chosen")
	}
	w := model.Weights{}
	var r Ranker
	for _, view := range allViews {
		if !uses(v, view) {
			continue
		}
		one, err := fitView(ctx, view, in, v, f)
		if err != nil {
			return nil, fmt.Errorf("view %s: %w", view, err)
		}
		if one == nil {
			continue
		}
		for key, t := range one {
			w[view+key] = t
		}
		r.names = append(r.names, view)
	}
	if len(r.names) == 0 {
		return nil, usererr.New("Use at least one view.", "no view is left to rank by")
	}
	if err := r.load(w, in.Items); err != nil {
		return nil, err
	}
	found, err := choose(ctx, &r, in, v, f)
	if err != nil {
		return nil, err
	}
	r.store(w)
	return &model.Fitted{Weights: w, Found: found}, nil
}

// restore builds a ranker from its weights alone.
func restore(w model.Weights, v model.Values) (model.Ranker, error) {
	r := &Ranker{}
	for _, view := range allViews {
		if slices.ContainsFunc(keysOf(w), func(key string) bool { return strings.HasPrefix(key, view+".") }) {
			r.names = append(r.names, view)
		}
	}
	if err := r.load(w, model.Any); err != nil {
		return nil, err
	}
	return r, r.loadFusion(w)
}

func keysOf(w model.Weights) (keys []string) {
	for key := range w {
		keys = append(keys, key)
	}
	return keys
}
