package itemgraph

import (
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Stats describes a graph in numbers, for reading and for plots.
type Stats struct {
	Items    int     `json:"items"`
	Edges    int     `json:"edges"`    // entries of L̂, self edges included
	Self     int     `json:"self"`     // self edges among them
	Semantic int     `json:"semantic"` // between different items, after the threshold
	CoOccur  int     `json:"co_occurrence"`
	Shared   int     `json:"shared"`   // in both
	Isolated int     `json:"isolated"` // items with no neighbour but themselves
	Degree   Degrees `json:"degree"`
	InDegree Degrees `json:"in_degree"`
	// Similarity is about the top-K neighbours before the threshold, the item itself
	// left out.
	Similarity Similarities `json:"similarity"`
	Jaccard    []Bin        `json:"jaccard"` // values of the co-occurrence edges, by tenths
	Options    Options      `json:"options"`
	Leaky      bool         `json:"leaky"`
}

// Degrees counts items by their number of neighbours, themselves not counted.
type Degrees struct {
	Mean      float64 `json:"mean"`
	Max       int     `json:"max"`
	Histogram []Bin   `json:"histogram"`
}

// Similarities describes the cosines of the top-K neighbours.
type Similarities struct {
	Neighbours int     `json:"neighbours"`
	Mean       float64 `json:"mean"`
	Cut        float64 `json:"cut"`       // the lowest cosine that was kept; 1 or -1 where none or all were
	Kept       float64 `json:"kept"`      // share that the cut leaves
	Histogram  []Bin   `json:"histogram"` // by twentieths
	Below      []Share `json:"below"`     // the paper's Figure 1b
}

// Bin counts values in [Low, High); the last bin of a histogram includes High.
type Bin struct {
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Count int     `json:"count"`
}

// Share is the part of the top-K edges whose cosine is below Similarity.
type Share struct {
	Similarity float64 `json:"similarity"`
	Share      float64 `json:"share"`
}

// Stats counts the graph's edges, degrees and similarities.
func (g *Graph) Stats() Stats {
	n := g.Norm.Rows
	s := Stats{Items: n, Edges: g.Norm.NNZ(), Options: g.Options, Leaky: g.Leaky,
		Semantic: others(g.Semantic), CoOccur: others(g.CoOccur)}
	s.Self = s.Edges - others(g.Norm)
	s.Shared = s.Semantic + s.CoOccur - others(g.Norm)
	out, in := make([]int, n), make([]int, n)
	for i := range n {
		cols, _ := g.Norm.Row(i)
		for _, c := range cols {
			if int(c) != i {
				out[i]++
				in[c]++
			}
		}
	}
	for _, d := range out {
		if d == 0 {
			s.Isolated++
		}
	}
	s.Degree, s.InDegree = degrees(out), degrees(in)
	s.Similarity = g.Similarities()
	var jaccard []float64
	for i := range g.CoOccur.Rows {
		cols, vals := g.CoOccur.Row(i)
		for e, c := range cols {
			if int(c) != i {
				jaccard = append(jaccard, float64(vals[e]))
			}
		}
	}
	s.Jaccard = histogram(jaccard, 0, 0.1, 10)
	return s
}

// others counts the entries off the diagonal.
func others(m *tensor.CSR) int {
	n := m.NNZ()
	for i := range m.Rows {
		cols, _ := m.Row(i)
		if _, self := slices.BinarySearch(cols, int32(i)); self {
			n--
		}
	}
	return n
}

// degrees bins degrees one by one up to 20, then in widening steps.
func degrees(d []int) Degrees {
	out := Degrees{}
	if len(d) == 0 {
		return out
	}
	total := 0
	for _, x := range d {
		total += x
	}
	out.Mean, out.Max = float64(total)/float64(len(d)), slices.Max(d)
	for low, width := 0, 1; low <= out.Max; low += width {
		if low >= 20 {
			width = low / 2
		}
		b := Bin{Low: float64(low), High: float64(low + width)}
		for _, x := range d {
			if x >= low && x < low+width {
				b.Count++
			}
		}
		out.Histogram = append(out.Histogram, b)
	}
	return out
}

// Similarities describes the cosines of the top-K neighbours and what the cut left of them.
func (g *Graph) Similarities() Similarities {
	var s Similarities
	var cos []float64
	kept := 0
	for i := range g.Nearest.Rows {
		cols, vals := g.Nearest.Row(i)
		left, _ := g.Semantic.Row(i)
		for e, c := range cols {
			if int(c) == i {
				continue
			}
			cos = append(cos, float64(vals[e]))
			if _, ok := slices.BinarySearch(left, c); ok {
				kept++
			}
		}
	}
	s.Neighbours = len(cos)
	if len(cos) == 0 {
		return s
	}
	slices.Sort(cos)
	for _, v := range cos {
		s.Mean += v / float64(len(cos))
	}
	s.Kept = float64(kept) / float64(len(cos))
	s.Cut = float64(max(min(g.Cut, 1), -1)) // JSON has no infinity
	low := min(0, math.Floor(cos[0]*20)/20)
	s.Histogram = histogram(cos, low, 0.05, int(math.Round((1-low)*20)))
	for k := range 21 {
		at := float64(k) / 20
		below, _ := slices.BinarySearch(cos, at)
		s.Below = append(s.Below, Share{at, float64(below) / float64(len(cos))})
	}
	return s
}

// histogram counts values in bins of equal width from low; what lies beyond the ends
// (a cosine of 1.0000001) counts in the outer bins.
func histogram(values []float64, low, width float64, bins int) []Bin {
	h := make([]Bin, bins)
	for b := range h {
		h[b].Low, h[b].High = round(low+float64(b)*width), round(low+float64(b+1)*width)
	}
	for _, v := range values {
		b := int(math.Floor((v - low) / width))
		h[min(max(b, 0), bins-1)].Count++
	}
	return h
}

// round keeps bin ends readable: 0.15, not 0.15000000000000002.
func round(x float64) float64 { return math.Round(x*1e6) / 1e6 }
