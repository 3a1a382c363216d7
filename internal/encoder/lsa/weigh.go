package lsa

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// textGrain is how many texts one chunk of parallel work counts.
const textGrain = 64

// errNoTerms is what Fit reports on texts that have nothing to learn from.
var errNoTerms = errors.New("they have no word that occurs often enough (see MinDF)")

// chooseTerms sets the buckets kept and their smooth idf ln((1+n)/(1+df))+1 from
// the document frequencies df in n texts.
func (m *Model) chooseTerms(ctx context.Context, texts []string, opt Options) error {
	df := make([]int32, 1<<m.bits)
	var mu sync.Mutex
	tensor.Parallel(len(texts), textGrain, func(lo, hi int) {
		if ctx.Err() != nil {
			return
		}
		c := counter{bits: m.bits, bigrams: m.bigrams}
		var fs []feature
		var seen []uint32
		for _, t := range texts[lo:hi] {
			fs = c.count(t, fs)
			for _, f := range fs {
				seen = append(seen, f.bucket)
			}
		}
		mu.Lock() // integer sums: the order of chunks changes nothing
		defer mu.Unlock()
		for _, b := range seen {
			df[b]++
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	for b, n := range df {
		if int(n) >= opt.MinDF {
			m.buckets = append(m.buckets, uint32(b))
		}
	}
	if len(m.buckets) > opt.MaxTerms {
		slices.SortFunc(m.buckets, func(x, y uint32) int {
			return cmp.Or(cmp.Compare(df[y], df[x]), cmp.Compare(x, y))
		})
		m.buckets = slices.Clone(m.buckets[:opt.MaxTerms])
		slices.Sort(m.buckets)
	}
	if len(m.buckets) == 0 {
		return errNoTerms
	}
	m.idf = make([]float32, len(m.buckets))
	for i, b := range m.buckets {
		m.idf[i] = float32(math.Log(float64(1+len(texts))/float64(1+df[b])) + 1)
	}
	m.buildIndex()
	return nil
}

func (m *Model) buildIndex() {
	m.index = make([]int32, 1<<m.bits)
	for i := range m.index {
		m.index[i] = -1
	}
	for i, b := range m.buckets {
		m.index[b] = int32(i)
	}
}

// rows is a run of CSR rows as one chunk of work makes them.
type rows struct {
	cols []int32
	vals []float32
	ends []int
}

// weigh returns the texts' TF-IDF rows over the terms kept, scaled to unit length,
// with sublinear term frequency 1+ln(tf).
func (m *Model) weigh(texts []string) *tensor.CSR {
	chunks := make([]rows, (len(texts)+textGrain-1)/textGrain)
	tensor.Parallel(len(texts), textGrain, func(lo, hi int) {
		c := counter{bits: m.bits, bigrams: m.bigrams}
		var fs []feature
		out := &chunks[lo/textGrain]
		for _, t := range texts[lo:hi] {
			fs = c.count(t, fs)
			m.appendRow(out, fs)
		}
	})
	a := &tensor.CSR{Rows: len(texts), Cols: len(m.buckets), Indptr: make([]int64, 1, len(texts)+1)}
	for _, ch := range chunks {
		base := int64(len(a.Values))
		for _, e := range ch.ends {
			a.Indptr = append(a.Indptr, base+int64(e))
		}
		a.Indices = append(a.Indices, ch.cols...)
		a.Values = append(a.Values, ch.vals...)
	}
	return a
}

func (m *Model) appendRow(out *rows, fs []feature) {
	start := len(out.vals)
	for _, f := range fs {
		if at := m.index[f.bucket]; at >= 0 {
			out.cols = append(out.cols, at)
			out.vals = append(out.vals, float32((1+math.Log(float64(f.count)))*float64(m.idf[at])))
		}
	}
	normalise(out.vals[start:])
	out.ends = append(out.ends, len(out.vals))
}
