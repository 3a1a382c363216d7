// Package itemkernel registers the recommenders that score by an item×item kernel: ItemKNN,
// BM25, EASE, Add-EASE, L3AE, the text kernel, the spectral one and transitions. They are fitted at
// once, without epochs, know nobody by an id, and a score is a sum over the items chosen. Their
// mathematics is package linear's.
package itemkernel

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/linear"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// spec is one of the recommenders.
type spec struct {
	name, doc string
	settings  []model.Setting
	text      bool // reads the items' text vectors
	times     bool // reads the order of choices while it is fitted
	fit       func(ctx context.Context, in model.Inputs, v model.Values, f model.Fitting) (linear.Kernel, error)
	draws     bool // something by lot: the seed counts
}

// decay is the setting that all share.
var decay = model.Setting{Name: "decay", Kind: model.Float, Default: "1", Min: 0.01, Max: 1,
	Doc: "weight of an item of the history in proportion to the next newer one; 1 counts all alike and needs no times"}

// keep is the setting of those whose kernel is dense.
var keep = model.Setting{Name: "keep", Kind: model.Int, Default: "0", Max: 1 << 24,
	Doc: "weights of each item that are kept, the largest; 0 keeps all, in a file of the square of the catalogue"}

func lambda(name, preset, doc string) model.Setting {
	return model.Setting{Name: name, Kind: model.Float, Default: preset, Min: 1e-6, Doc: doc}
}

var ridge = lambda("lambda", "200", "ridge penalty on the kernel over choices")

var textRidge = lambda("lambda_text", "100", "ridge penalty on the kernel over text vectors")

var specs = []spec{
	{name: "itemknn", doc: "ItemKNN scores an item by the cosine of its audience with those of the items chosen.",
		settings: []model.Setting{
			{Name: "neighbours", Kind: model.Int, Default: "200", Max: 1 << 24, Doc: "items that each item is compared with, the nearest; 0 is all"},
			{Name: "shrinkage", Kind: model.Float, Default: "10", Doc: "added to the denominator of a cosine, against chance in small audiences"}},
		fit: func(ctx context.Context, in model.Inputs, v model.Values, _ model.Fitting) (linear.Kernel, error) {
			return linear.CosineKNN(ctx, interactions(in), v.Int("neighbours"), v.Float("shrinkage"))
		}},
	{name: "bm25", doc: "BM25 is ItemKNN with audiences weighted by BM25, as the library implicit defines it.",
		settings: []model.Setting{
			{Name: "neighbours", Kind: model.Int, Default: "500", Max: 1 << 24, Doc: "items that each item is compared with, the nearest; 0 is all"},
			{Name: "k1", Kind: model.Float, Default: "0.2", Doc: "BM25's K1: how much a rare item gains"},
			{Name: "b", Kind: model.Float, Default: "0.2", Max: 1, Doc: "BM25's B: how much an item's popularity counts"},
			{Name: "sides", Kind: model.Choice, Default: "both", Choices: []string{"both", "chosen"}, Doc: "items whose audiences are weighted: both, as in implicit; chosen, those of the history only"}},
		fit: func(ctx context.Context, in model.Inputs, v model.Values, _ model.Fitting) (linear.Kernel, error) {
			return linear.BM25KNN(ctx, interactions(in), linear.BM25{K: v.Int("neighbours"), K1: v.Float("k1"), B: v.Float("b"), OneSided: v.Text("sides") == "chosen"})
		}},
	{name: "ease", doc: "EASE (Steck, WWW 2019) is the linear autoencoder in closed form over the choices.",
		settings: []model.Setting{ridge, keep},
		fit: func(ctx context.Context, in model.Inputs, v model.Values, f model.Fitting) (linear.Kernel, error) {
			return ease(ctx, in, v.Float("lambda"), f)
		}},
	{name: "text-kernel", doc: "The text kernel is EASE with the items' text vectors in place of their audiences, so that items nobody chose are scored too.",
		settings: []model.Setting{textRidge}, text: true,
		fit: func(ctx context.Context, in model.Inputs, v model.Values, _ model.Fitting) (linear.Kernel, error) {
			return linear.TextKernel(ctx, in.ItemVectors[model.Text], v.Float("lambda_text"))
		}},
	{name: "add-ease", doc: "Add-EASE is a weighted sum of EASE and the text kernel.",
		settings: []model.Setting{ridge, textRidge, {Name: "alpha", Kind: model.Float, Default: "0.3", Max: 1, Doc: "weight of the text kernel; EASE has the rest"}, keep}, text: true,
		fit: addEASE},
	{name: "l3ae", doc: "L3AE (CIKM 2025) fits EASE to the choices while it stays near the text kernel.",
		settings: []model.Setting{ridge, textRidge, lambda("lambda_e", "100", "penalty on the distance from the text kernel"), keep}, text: true,
		fit: func(ctx context.Context, in model.Inputs, v model.Values, f model.Fitting) (linear.Kernel, error) {
			text, err := linear.TextKernel(ctx, in.ItemVectors[model.Text], v.Float("lambda_text"))
			if err != nil {
				return nil, err
			}
			return linear.L3AE(ctx, interactions(in), text, v.Float("lambda"), v.Float("lambda_e"), progress(f, "kernel"))
		}},
	{name: "spectral", doc: "Spectral scores by the leading singular vectors of the normalised choices (GF-CF family).",
		settings: []model.Setting{{Name: "factors", Kind: model.Int, Default: "256", Min: 1, Max: 1 << 14, Doc: "singular vectors"}},
		fit: func(ctx context.Context, in model.Inputs, v model.Values, _ model.Fitting) (linear.Kernel, error) {
			return linear.Spectral(ctx, interactions(in), min(v.Int("factors"), in.Items, in.Users), in.Seed)
		}, draws: true},
	{name: "transitions", doc: "Transitions scores an item by how often it followed the items chosen within three places.",
		times: true,
		fit: func(_ context.Context, in model.Inputs, _ model.Values, _ model.Fitting) (linear.Kernel, error) {
			return linear.Transitions(in.Train.Lists()), nil
		}},
}

func interactions(in model.Inputs) *linear.Interactions {
	return linear.NewInteractions(in.Train.Lists())
}

func progress(f model.Fitting, what string) tensor.Progress {
	return func(done, total float64) { f.Say(what, done, total) }
}

func ease(ctx context.Context, in model.Inputs, lambda float64, f model.Fitting) (*linear.Dense, error) {
	return linear.EASE(ctx, interactions(in), lambda, progress(f, "kernel"))
}

func addEASE(ctx context.Context, in model.Inputs, v model.Values, f model.Fitting) (linear.Kernel, error) {
	text, err := linear.TextKernel(ctx, in.ItemVectors[model.Text], v.Float("lambda_text"))
	if err != nil {
		return nil, err
	}
	d, err := ease(ctx, in, v.Float("lambda"), f)
	if err != nil {
		return nil, err
	}
	return linear.AddEASE(d, text, v.Float("alpha"))
}

func init() {
	for _, s := range specs {
		s.settings = append([]model.Setting{decay}, s.settings...)
		model.Register(model.Spec{Name: s.name, Doc: s.doc, Settings: s.settings, Needs: s.needs, Fit: s.build, RestoreRanker: restore, Seedless: !s.draws})
	}
}

func (s spec) needs(v model.Values) model.Needs {
	n := model.Needs{Times: s.times || v.Float("decay") < 1}
	if s.text {
		n.ItemVectors = []string{model.Text}
	}
	return n
}

const kernelName = "kernel"

func (s spec) build(ctx context.Context, in model.Inputs, v model.Values, f model.Fitting) (*model.Fitted, error) {
	k, err := s.fit(ctx, in, v, f)
	if err != nil {
		return nil, err
	}
	if d, ok := k.(*linear.Dense); ok {
		k = linear.Prune(d, v.Int("keep"))
	}
	w := model.Weights{}
	return &model.Fitted{Weights: w}, linear.Store(w, kernelName, k)
}

func restore(w model.Weights, v model.Values) (model.Ranker, error) {
	k, err := linear.Load(w, kernelName)
	if err != nil {
		return nil, err
	}
	return &Ranker{k, v.Float("decay")}, nil
}

// Ranker scores by a kernel, newer items of a history counting more.
type Ranker struct {
	Kernel linear.Kernel
	Decay  float64 // γ: an item of age a, in the order of choices, has weight γ^a
}

var _ model.Explainer = (*Ranker)(nil)

// Items implements model.Ranker.
func (r *Ranker) Items() int { return r.Kernel.Items() }

// Score implements model.Ranker.
func (r *Ranker) Score(people []model.Person, dst *tensor.Matrix) error {
	histories, weights := make([][]int32, len(people)), make([][]float32, len(people))
	for n, p := range people {
		for _, i := range p.History {
			if i < 0 || int(i) >= r.Items() {
				return fmt.Errorf("score a history: item row %d of %d", i, r.Items())
			}
		}
		histories[n], weights[n] = p.History, linear.RecencyWeights(len(p.History), r.Decay)
	}
	clear(dst.Data)
	r.Kernel.AddScoresBatch(histories, weights, dst)
	return nil
}

// Explain implements model.Explainer: each item of the history has its own part.
func (r *Ranker) Explain(p model.Person) (func(item int32) []model.Share, error) {
	weights := linear.RecencyWeights(len(p.History), r.Decay)
	return func(item int32) []model.Share {
		shares := make([]model.Share, len(p.History))
		for n, j := range p.History {
			shares[n] = model.Share{Item: j, Part: float64(weights[n]) * float64(r.Kernel.Contribution(j, item))}
		}
		return shares
	}, nil
}
