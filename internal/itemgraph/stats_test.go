package itemgraph

import (
	"math"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Four items: 0 and 1 alike (cosine 0.8), 2 orthogonal to 0 and at 0.6 to 1, 3 without
// features. User 0 has items 0 and 3, user 1 has items 0, 1 and 3.
func TestStatsByHand(t *testing.T) {
	x := tensor.FromSlice(4, 2, []float32{1, 0, 0.8, 0.6, 0, 1, 0, 0})
	ds := clicks(2, 4, [2]int32{0, 0}, [2]int32{0, 3}, [2]int32{1, 0}, [2]int32{1, 1}, [2]int32{1, 3})
	opt := published()
	opt.K, opt.JaccardK, opt.Variant = 2, 1, Paper
	g, err := Build(t.Context(), x, ds.TrainHistories(), opt)
	if err != nil {
		t.Fatal(err)
	}
	// Top 2 of others: 0→1 (.8), 0→2 (0); 1→0 (.8), 1→2 (.6); 2→1 (.6), 2→0 (0). The
	// threshold 0.7 leaves 0↔1. Jaccard: 0–3 1, 0–1 ½, 1–3 ½; top 1: 0→3, 1→0, 3→0.
	s := g.Stats()
	if s.Items != 4 || s.Semantic != 2 || s.CoOccur != 3 || s.Shared != 1 || s.Edges != 4 || s.Self != 0 || s.Isolated != 1 {
		t.Errorf("counts %+v", s)
	}
	if s.Degree.Mean != 1 || s.Degree.Max != 2 || s.InDegree.Max != 2 {
		t.Errorf("degrees %+v, in %+v", s.Degree, s.InDegree)
	}
	m := s.Similarity
	if m.Neighbours != 6 || math.Abs(m.Mean-2.8/6) > 1e-6 || math.Abs(m.Kept-2.0/6) > 1e-12 {
		t.Errorf("similarities %+v", m)
	}
	for at, want := range map[float64]float64{0.05: 2.0 / 6, 0.55: 2.0 / 6, 0.65: 4.0 / 6, 0.75: 4.0 / 6, 0.85: 1} {
		for _, b := range m.Below {
			if math.Abs(b.Similarity-at) < 1e-9 && math.Abs(b.Share-want) > 1e-12 {
				t.Errorf("share below %v is %v, want %v", at, b.Share, want)
			}
		}
	}
	count := 0
	for _, b := range m.Histogram {
		count += b.Count
	}
	if count != 6 || s.Jaccard[5].Count != 1 || s.Jaccard[9].Count != 2 {
		t.Errorf("histogram of %d, jaccard %+v", count, s.Jaccard)
	}
}

func TestDegreeBinsCoverAll(t *testing.T) {
	d := degrees([]int{0, 1, 1, 19, 20, 29, 30, 45, 400})
	total, end := 0, 0.0
	for _, b := range d.Histogram {
		if b.Low != end {
			t.Errorf("a gap before %v", b.Low)
		}
		total, end = total+b.Count, b.High
	}
	if total != 9 || d.Max != 400 {
		t.Errorf("%d of 9 degrees counted", total)
	}
}
