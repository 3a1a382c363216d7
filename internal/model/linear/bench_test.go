package linear_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/mllmrec/mllmrec/dataset/mmrec"
	"github.com/mllmrec/mllmrec/internal/model/linear"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// BenchmarkAddScores scores one history of 30 items at the size of MicroLens-50k.
func BenchmarkAddScores(b *testing.B) {
	const items, d = 19220, 384
	r := rand.New(rand.NewPCG(1, 50))
	random := func(rows, cols int) *tensor.Matrix {
		m := tensor.New(rows, cols)
		for i := range m.Data {
			m.Data[i] = r.Float32() - 0.5
		}
		return m
	}
	sparse := &tensor.CSR{Rows: items, Cols: items, Indptr: make([]int64, 1)}
	for range items {
		for c := r.Int32N(30); c < items; c += 1 + r.Int32N(60) {
			sparse.Indices, sparse.Values = append(sparse.Indices, c), append(sparse.Values, r.Float32())
		}
		sparse.Indptr = append(sparse.Indptr, int64(len(sparse.Indices)))
	}
	dense := &linear.Dense{B: tensor.New(items, items)}
	history := make([]int32, 30)
	for n := range history {
		history[n] = r.Int32N(items)
		copy(dense.B.Row(int(history[n])), random(1, items).Data)
	}
	for _, c := range []struct {
		name   string
		kernel linear.Kernel
	}{{"dense", dense}, {"sparse", &linear.Sparse{B: sparse}}, {"factored", &linear.Factored{Left: random(items, d), Right: random(items, d)}}} {
		b.Run(c.name, func(b *testing.B) {
			out := make([]float32, items)
			c.kernel.AddScores(history, nil, out) // packs the factors
			b.ReportAllocs()
			for b.Loop() {
				c.kernel.AddScores(history, nil, out)
			}
		})
	}
}

// BenchmarkLocalEASE fits the local form where EASE itself would need a matrix of Items².
func BenchmarkLocalEASE(b *testing.B) {
	for _, items := range []int{10_000, 30_000, 100_000} {
		b.Run(fmt.Sprint(items), func(b *testing.B) {
			data := modeltest.MakePowerLaw(modeltest.Shape{Users: 5 * items, Items: items, Train: 40 * items, Tastes: items / 200}, 1)
			lists := data.Inputs.Train.Lists()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := linear.LocalEASE(b.Context(), linear.NewInteractions(lists), 200, 200, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(items), "µs/item")
		})
	}
}

// BenchmarkBM25Baby fits BM25 ItemKNN on Amazon Baby, 500 neighbours an item, the data set being in
// memory. scripts/peer_itemknn.py runs it and the same in Python by turns.
func BenchmarkBM25Baby(b *testing.B) {
	ds, _, err := mmrec.Read(b.Context(), mmrec.Options{Inter: filepath.Join(dataDir(b), "baby", "baby.inter")})
	if err != nil {
		b.Fatal(err)
	}
	lists := ds.TrainHistories().Lists()
	for b.Loop() {
		if _, err := linear.BM25KNN(b.Context(), linear.NewInteractions(lists), linear.BM25{K1: 0.2, B: 0.2, K: 500, OneSided: true}); err != nil {
			b.Fatal(err)
		}
	}
}
