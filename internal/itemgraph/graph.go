// Package itemgraph builds the refined item–item graph of MLLMRec and propagates item
// vectors over it. Any model can use the graph: building it takes item vectors and train
// histories, nothing of MLLMRec itself. Step by step, x_i being the item vectors of Eq. 5:
//
//	Eq. 6   s_ij = cosine of x_i and x_j                                 [TopCosine]
//	Eq. 7   keep the top-K of each row, then those with s_ij ≥ θ         threshold-controlled denoising
//	Eq. 8   c_ij = |U_i ∩ U_j| / |U_i ∪ U_j| over the items' train users [TopJaccard]
//	Eq. 9   keep the top-K' of each row                                  topology-aware enhancement
//	Eq. 10  W = S + C
//	Eq. 11  X_l = L̂ X_{l-1}, where L̂ = D^{-1/2} W D^{-1/2}               [Normalize]
//	        and D has the row sums of W
//	Eq. 12  E = Σ_{l=0..L} X_l, X_0 = X                                  [Propagate]
//
// The published code and the paper's text are not the same graph. [Reference] is the
// code: an item is its own nearest neighbour and keeps that self edge, surviving
// similarities become 1, Jaccard is float32 with 1e-7 in the denominator and values of
// exactly 1 are dropped (so two items with the same audience of two or more lose their
// edge, while an item with a single user keeps a self edge of 0.99999988). [Paper] is
// the text read plainly: no self edges, cosines kept as weights, identical audiences
// at 1. Neither symmetrises W; both divide by row sums on both sides. Ties at a cut go
// to the lower index here; Jaccard values are small fractions and tie often, and which
// of the tied edges the published code keeps is an accident of its sort.
//
// Package itemgraph/graphplot draws [Graph.Stats].
//
// Nothing here is quadratic in memory: cosines are computed tile by tile, Jaccard
// counts by walking the users' lists.
package itemgraph

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Variant says whose graph is built.
type Variant string

// The variants; see the package comment.
const (
	Reference Variant = "reference"
	Paper     Variant = "paper"
)

// Weights says what a surviving semantic edge weighs.
type Weights string

// The weights. The empty value is Binary for [Reference] and Cosine for [Paper].
const (
	Binary Weights = "binary" // 1
	Cosine Weights = "cosine" // its cosine; edges with a cosine of 0 or less are dropped
)

// Options are the graph's knobs. Start from [DefaultOptions]: in the zero value both
// refinements are off.
type Options struct {
	_       struct{} `group:"Item graph"`
	Variant Variant  `option:"graph" json:"variant" choices:"reference,paper" default:"reference" doc:"whose graph: that of the published code, or of the paper's text"`
	K       int      `option:"knn-k" json:"k" default:"10" min:"1" doc:"nearest items by content kept for each item (with reference the item itself is one of them)"`
	Denoise bool     `option:"denoise" json:"denoise" default:"true" doc:"removal of weak content edges; off is the paper's −GD"`
	// Threshold is the paper's θ. A cosine says nothing without its encoder: 0.7 keeps no edge of one, all of another.
	Threshold *float32 `option:"threshold" json:"threshold" min:"-1" max:"1" if:"denoise" doc:"lowest cosine of a content edge that is kept, in place of a share; the paper's 0.7 is for its encoder"`
	Keep      float64  `option:"keep-edges" json:"keep" default:"0.5" min:"0" max:"1" if:"denoise; !threshold" doc:"share of the content edges that is kept, the most similar ones, whatever the encoder's cosines are"`
	Topology  bool     `option:"topology" json:"topology" default:"true" doc:"edges between items that share an audience; off is the paper's −TE"`
	JaccardK  int      `option:"jaccard-k" json:"jaccard_k" default:"10" min:"1" if:"topology" doc:"items with the most similar audience kept for each item"`
	// Weights of the semantic edges. What −GD does to them is not published: Binary
	// gives every top-K edge 1, Cosine keeps the similarities.
	Weights Weights `option:"edge-weights" json:"weights,omitempty" choices:"binary,cosine" doc:"weights of content edges (default: binary for reference, cosine for paper)"`
}

// DefaultOptions returns the published settings for Baby, reference variant, but for the
// cut: a share of the edges, which holds for every encoder, in place of the cosine 0.7.
func DefaultOptions() Options {
	return Options{K: 10, Keep: 0.5, JaccardK: 10, Variant: Reference, Denoise: true, Topology: true}
}

func (o Options) check() (Options, error) {
	if o.Variant == "" {
		o.Variant = Reference
	}
	if o.Variant != Reference && o.Variant != Paper {
		return o, usererr.New("Use reference or paper.", "build item graph: unknown variant %q", o.Variant)
	}
	if o.Weights == "" {
		o.Weights = Binary
		if o.Variant == Paper {
			o.Weights = Cosine
		}
	}
	if o.Weights != Binary && o.Weights != Cosine {
		return o, usererr.New("Use binary or cosine.", "build item graph: unknown edge weights %q", o.Weights)
	}
	if o.K < 1 {
		return o, usererr.New("", "build item graph: %d semantic neighbours, want at least 1", o.K)
	}
	if o.Topology && o.JaccardK < 1 {
		return o, usererr.New("Switch the co-occurrence part off instead.", "build item graph: %d co-occurrence neighbours, want at least 1", o.JaccardK)
	}
	if t := o.Threshold; o.Denoise && t != nil && !(*t >= -1 && *t <= 1) {
		return o, usererr.New("", "build item graph: threshold %v is no cosine (-1 to 1)", *t)
	}
	if o.Denoise && o.Threshold == nil && !(o.Keep >= 0 && o.Keep <= 1) {
		return o, usererr.New("", "build item graph: %v is no share of edges (0 to 1)", o.Keep)
	}
	return o, nil
}

// Graph is a refined item–item graph over N items. All matrices are N×N with rows
// ascending.
type Graph struct {
	Norm *tensor.CSR // L̂
	// The parts before the sum, for explanations and statistics.
	Nearest  *tensor.CSR // cosines of each row's top K, before threshold and weights
	Semantic *tensor.CSR // what the threshold left, at its weight
	CoOccur  *tensor.CSR // Jaccard of each row's top K'; empty when Topology is off
	Options  Options     // as used: defaults filled in
	Cut      float32     // the lowest cosine that was kept: the threshold, or where the share ends; -Inf: none
	Leaky    bool        // built from histories that show held-out interactions
}

// Build makes the graph from item features (N×D) and train histories over the same N
// items. Items whose features are all zero have no direction: they get no semantic
// edges and are nobody's neighbour.
func Build(ctx context.Context, features *tensor.Matrix, train *dataset.Histories, opt Options) (*Graph, error) {
	opt, err := opt.check()
	if err != nil {
		return nil, err
	}
	n := train.NumItems()
	if features.Rows != n {
		return nil, usererr.New("Encode the items again.", "build item graph: %d feature rows for %d items", features.Rows, n)
	}
	g := &Graph{Options: opt, Leaky: train.Leaky()}
	g.Nearest, err = nearest(ctx, features, opt.K, float32(math.Inf(-1)), opt.Variant == Reference)
	if err != nil {
		return nil, err
	}
	g.Cut = cut(g.Nearest, opt)
	g.Semantic = semantic(g.Nearest, opt, g.Cut)
	if opt.Topology {
		rule := plainJaccard
		if opt.Variant == Reference {
			rule = referenceJaccard
		}
		if g.CoOccur, err = topJaccard(ctx, train.Lists(), opt.JaccardK, rule); err != nil {
			return nil, err
		}
	} else {
		g.CoOccur = empty(n)
	}
	g.Norm = Normalize(sum(g.Semantic, g.CoOccur))
	return g, nil
}

func empty(n int) *tensor.CSR {
	return &tensor.CSR{Rows: n, Cols: n, Indptr: make([]int64, n+1)}
}

// cut is the θ of Eq. 7. For a share it is the cosine of the last edge in that share of the edges between
// different items, most similar first; edges of just that cosine are all kept.
func cut(near *tensor.CSR, opt Options) float32 {
	switch {
	case !opt.Denoise:
		return float32(math.Inf(-1))
	case opt.Threshold != nil:
		return *opt.Threshold
	}
	var cosines []float32
	for i := range near.Rows {
		cols, vals := near.Row(i)
		for e, c := range cols {
			if int(c) != i {
				cosines = append(cosines, vals[e])
			}
		}
	}
	kept := int(math.Round(opt.Keep * float64(len(cosines))))
	switch {
	case kept == len(cosines):
		return float32(math.Inf(-1))
	case kept == 0:
		return float32(math.Inf(1))
	}
	slices.Sort(cosines)
	return cosines[len(cosines)-kept]
}

// semantic applies the cut and the weights to the nearest neighbours (Eq. 7). A share is one of the
// edges between different items: it drops no self edge.
func semantic(near *tensor.CSR, opt Options, cut float32) *tensor.CSR {
	s := empty(near.Rows)
	for i := range near.Rows {
		cols, vals := near.Row(i)
		for e, c := range cols {
			w := vals[e]
			spared := int(c) == i && opt.Threshold == nil
			if w < cut && !spared || opt.Weights == Cosine && w <= 0 {
				continue
			}
			if opt.Weights == Binary {
				w = 1
			}
			s.Indices, s.Values = append(s.Indices, c), append(s.Values, w)
		}
		s.Indptr[i+1] = int64(len(s.Indices))
	}
	return s
}

// sum adds two matrices of equal shape (Eq. 10).
func sum(a, b *tensor.CSR) *tensor.CSR {
	s := empty(a.Rows)
	s.Indices = make([]int32, 0, a.NNZ()+b.NNZ())
	s.Values = make([]float32, 0, a.NNZ()+b.NNZ())
	for i := range a.Rows {
		ac, av := a.Row(i)
		bc, bv := b.Row(i)
		for len(ac) > 0 || len(bc) > 0 {
			switch {
			case len(bc) == 0 || len(ac) > 0 && ac[0] < bc[0]:
				s.Indices, s.Values = append(s.Indices, ac[0]), append(s.Values, av[0])
				ac, av = ac[1:], av[1:]
			case len(ac) == 0 || bc[0] < ac[0]:
				s.Indices, s.Values = append(s.Indices, bc[0]), append(s.Values, bv[0])
				bc, bv = bc[1:], bv[1:]
			default:
				s.Indices, s.Values = append(s.Indices, ac[0]), append(s.Values, av[0]+bv[0])
				ac, av, bc, bv = ac[1:], av[1:], bc[1:], bv[1:]
			}
		}
		s.Indptr[i+1] = int64(len(s.Indices))
	}
	return s
}

// Normalize returns w_ij / √(δ_i·δ_j) with δ the row sums of w, on both sides although
// w need not be symmetric: the L̂ of Eq. 11. Weights must be positive; an edge to an item whose
// own row is empty has no defined weight and becomes 0.
func Normalize(w *tensor.CSR) *tensor.CSR {
	degree := make([]float64, w.Rows)
	for i := range degree {
		_, vals := w.Row(i)
		for _, v := range vals {
			degree[i] += float64(v)
		}
	}
	norm := &tensor.CSR{Rows: w.Rows, Cols: w.Cols, Indptr: w.Indptr, Indices: w.Indices, Values: make([]float32, w.NNZ())}
	for i := range w.Rows {
		cols, vals := w.Row(i)
		_, out := norm.Row(i)
		for e, c := range cols {
			if d := degree[i] * degree[c]; d > 0 {
				out[e] = float32(float64(vals[e]) / math.Sqrt(d))
			}
		}
	}
	return norm
}

// Propagate returns E = Σ_{l=0..layers} norm^l·x: each layer is the one before it times
// norm (Eq. 11), and E is the sum, not the mean, of the layers (Eq. 12). x (N×D) is not changed.
func Propagate(norm *tensor.CSR, x *tensor.Matrix, layers int) *tensor.Matrix {
	if norm.Cols != x.Rows {
		panic(fmt.Sprintf("itemgraph: propagate %d rows over a graph of %d items", x.Rows, norm.Cols))
	}
	e := x.Clone()
	from := x
	for range layers {
		to := tensor.New(norm.Rows, x.Cols)
		norm.MulDense(to, from)
		for i, v := range to.Data {
			e.Data[i] += v
		}
		from = to
	}
	return e
}
