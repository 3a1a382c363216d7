package serving

import (
	"fmt"
	"testing"

	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// BenchmarkRank ranks a catalogue for batches of several sizes: the text vectors of items
// and users who share tastes, and each user's own items left out. The last case is one
// inner product at a time, for comparison.
func BenchmarkRank(b *testing.B) {
	for _, s := range []modeltest.Shape{
		{Users: 2000, Items: 7050, Train: 12000, Width: 64, Tastes: 40},
		{Users: 2000, Items: 100000, Train: 12000, Width: 64, Tastes: 400},
	} {
		in := modeltest.Make(s, 1).Inputs
		c := NewCatalogue(in.ItemVectors[model.Text])
		for _, batch := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("items=%d/batch=%d", s.Items, batch), func(b *testing.B) {
				lo := 0
				for b.Loop() {
					users := in.Preferences.RowRange(lo, lo+batch)
					if _, _, err := c.Rank(users, 20, func(row int) []int32 { return in.Train.Items(lo + row) }); err != nil {
						b.Fatal(err)
					}
					lo = (lo + batch) % (s.Users - batch)
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N*batch), "µs/user")
			})
		}
		b.Run(fmt.Sprintf("items=%d/dots", s.Items), func(b *testing.B) {
			items, scores := in.ItemVectors[model.Text], make([]float32, s.Items)
			idx, val := make([]int32, 20), make([]float32, 20)
			u := 0
			for b.Loop() {
				for i := range scores {
					scores[i] = tensor.Dot(in.Preferences.Row(u), items.Row(i))
				}
				tensor.TopK(scores, 20, idx, val)
				u = (u + 1) % s.Users
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N), "µs/user")
		})
	}
}
