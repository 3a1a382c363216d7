package linear

import (
	"context"
	"math"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// CosineKNN keeps for each item i the k items j of largest similarity
// |users of both| / (√(|users of i|·|users of j|) + shrinkage); k = 0 keeps all. Ties go to
// the lower item.
func CosineKNN(ctx context.Context, x *Interactions, k int, shrinkage float64) (*Sparse, error) {
	if k < 0 || !(shrinkage >= 0) {
		return nil, usererr.New("", "ItemKNN: k is %d and shrinkage %g, neither may be below 0", k, shrinkage)
	}
	s, err := x.products(ctx, weighting{}, func(i int, cols []int32, sums []float64, out *line) {
		for _, j := range cols {
			if int(j) != i {
				norm := math.Sqrt(float64(x.Popularity(i)) * float64(x.Popularity(int(j))))
				out.add(j, float32(sums[j]/(norm+shrinkage)))
			}
		}
		out.keepTop(k)
	})
	if err != nil {
		return nil, err
	}
	return &Sparse{s.Transpose()}, nil // the similarity is symmetric: neighbours of i fill column i
}

// BM25 are the options of [BM25KNN]; K1 = B = 0.2 is what serves interactions without counts.
type BM25 struct {
	K     int // entries kept a row; 0 keeps all
	K1, B float64
	// OneSided weighs the items chosen only, B[j, i] = (W·X)_ji in place of the (W·Wᵀ)_ji of implicit.
	OneSided bool
}

// BM25KNN is the BM25Recommender of the library implicit 0.7: with n_i users of item i and
// m_u items of user u among N items, W_iu = (K1+1)/(K1·L_i+1)·(ln N − ln(1+m_u)) where
// L_i = 1−B + B·n_i/mean n, and B[j, i] = (W·Wᵀ)_ji for the K items i of largest value in
// row j, j itself counting as one of them although its weight is left out.
// Of equal values the lower item is kept; implicit keeps any.
func BM25KNN(ctx context.Context, x *Interactions, opt BM25) (*Sparse, error) {
	if opt.K < 0 || !(opt.K1 >= 0) || !(opt.B >= 0 && opt.B <= 1) {
		return nil, usererr.New("", "BM25: K is %d, K1 %g and B %g; K and K1 must not be below 0, B must be 0 to 1", opt.K, opt.K1, opt.B)
	}
	idf := make([]float64, x.Users())
	for u := range idf {
		idf[u] = math.Log(float64(x.Items())) - math.Log1p(float64(len(x.byUser.Of(u))))
	}
	gain := make([]float64, x.Items())
	mean := float64(len(x.byUser.Items)) / float64(x.Items())
	for i := range gain {
		length := 1 - opt.B + opt.B*float64(x.Popularity(i))/mean
		gain[i] = (opt.K1 + 1) / (opt.K1*length + 1)
	}
	w := weighting{left: func(item, user int32) float64 { return gain[item] * idf[user] }}
	if !opt.OneSided {
		w.right = w.left
	}
	s, err := x.products(ctx, w, func(j int, cols []int32, sums []float64, out *line) {
		for _, i := range cols {
			out.add(i, float32(sums[i]))
		}
		out.keepTop(opt.K)
		out.drop(int32(j))
	})
	if err != nil {
		return nil, err
	}
	return &Sparse{s}, nil
}

// drop takes a column out.
func (l *line) drop(col int32) {
	n := 0
	for e, c := range l.cols {
		if c != col {
			l.cols[n], l.vals[n] = c, l.vals[e]
			n++
		}
	}
	l.cols, l.vals = l.cols[:n], l.vals[:n]
}
